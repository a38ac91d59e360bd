"""Thousands that connect at once: who is refused is told when to come back, who is connected is served meanwhile."""

from __future__ import annotations

import re
import socket
import time
from contextlib import ExitStack, closing

import httpx

from support.client import Person
from support.live import Live
from support.metrics import push_metric
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: c3RvbmVjaGF0c3RvbmVjaA==\r\nSec-WebSocket-Protocol: stonechat.v1\r\n\r\n"
)


def knock(stack: Stack) -> socket.socket:
    """A connection to the push port, with nothing said yet."""
    return socket.create_connection(("127.0.0.1", stack.push_port), timeout=10)


def answer_to(connection: socket.socket) -> bytes:
    """What it answers to an upgrade: the head, and the body that it announces."""
    connection.sendall(UPGRADE)
    said = b""
    while not is_whole(said) and (more := connection.recv(4096)):
        said += more
    return said


def is_whole(said: bytes) -> bool:
    head, end, body = said.partition(b"\r\n\r\n")
    announced = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and len(body) >= (int(announced[1]) if announced else 0)


def retry_after_s(refusal: bytes) -> int:
    lines = refusal.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(next(line.split(": ")[1] for line in lines if line.startswith("Retry-After: ")))


def test_more_than_the_rate_are_told_when_to_come_back(make_stack: MakeStack) -> None:
    stack = make_stack(
        {"limits.accepts_per_second": "1", "limits.accepts_burst": "60", "limits.sockets_per_user": "100"}
    )
    ann = Person.new(stack, "ann")
    with ann.connect() as live, ExitStack() as exits:
        connections = [exits.enter_context(closing(knock(stack))) for _ in range(120)]
        answers = [answer_to(connection) for connection in connections]
        refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
        let_in = [answer for answer in answers if answer.startswith(b"HTTP/1.1 101 ")]
        assert len(refused) + len(let_in) == 120
        # The burst, less what waiting for the stack has used, and a token each second.
        assert 20 <= len(let_in) <= 75
        assert {retry_after_s(refusal) for refusal in refused} == {1, 2, 3, 4, 5}, (
            "they will not all come at once again"
        )
        problem = httpx.Response(503, content=refused[0].partition(b"\r\n\r\n")[2]).json()
        assert problem["code"] == "server_busy" and problem["retryable"] is True and problem["detail"]
        assert push_metric(stack, "stonechat_connections_refused_total") >= len(refused)
        assert live.request("ping")["ok"], "who is connected is served"


def test_a_refusal_reaches_a_client_of_lighttpd(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.accepts_per_second": "1", "limits.accepts_burst": "20"})
    with ExitStack() as exits:
        for _ in range(25):
            exits.enter_context(closing(knock(stack)))
        with closing(socket.create_connection(("127.0.0.1", stack.port), timeout=10)) as connection:
            refusal = answer_to(connection)
    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert 1 <= retry_after_s(refusal) <= 5


def test_handshakes_in_flight_are_bounded_and_end(make_stack: MakeStack) -> None:
    """Those that say nothing make room when their time is over; a socket that was greeted does not count."""
    stack = make_stack({"limits.handshakes": "10", "limits.auth_ms": "3000"})
    ann = Person.new(stack, "ann")
    with ExitStack() as exits:
        greeted = [exits.enter_context(ann.connect(direct=True)) for _ in range(12)]
        silent = [exits.enter_context(Live(stack.push_url)) for _ in range(10)]
        with closing(knock(stack)) as connection:
            assert answer_to(connection).startswith(b"HTTP/1.1 503 ")
        assert greeted[0].request("ping")["ok"]
        silent[0].close()

        def let_in() -> bool:
            with closing(knock(stack)) as connection:
                return answer_to(connection).startswith(b"HTTP/1.1 101 ")

        wait_until(let_in, "one that has gone makes room")
        assert [live.wait_closed(10) for live in silent[1:]] == [4408] * 9
        wait_until(lambda: opens(stack, 10), "all have made room")


def test_the_site_is_ready_all_the_while(make_stack: MakeStack) -> None:
    """The API's own look at push may be turned away; who says so is there."""
    stack = make_stack({"limits.handshakes": "5"})
    with ExitStack() as exits:
        silent = [exits.enter_context(closing(knock(stack))) for _ in range(8)]
        wait_until(lambda: push_metric(stack, "stonechat_connections_refused_total") > 0, "the house is full")
        answer = stack.readyz()
        assert answer is not None and (answer.status_code, answer.json()["push"]) == (200, "ok")
        assert len(silent) == 8


def opens(stack: Stack, n: int) -> bool:
    """Whether so many can be in their handshakes at once."""
    with ExitStack() as exits:
        return all(answer_to(exits.enter_context(closing(knock(stack)))).startswith(b"HTTP/1.1 101 ") for _ in range(n))


def test_plain_requests_give_their_place_back(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.handshakes": "5"})
    wait_until(lambda: opens(stack, 5), "nothing else is open")
    for _ in range(50):
        end = time.monotonic() + 10
        while (status := httpx.get(stack.push_url + "/healthz").status_code) == 503 and time.monotonic() < end:
            pass  # the places of the requests before
        assert status == 200


def test_who_is_turned_away_keeps_no_descriptor(make_stack: MakeStack) -> None:
    """Also who neither reads the refusal nor goes."""
    stack = make_stack({"limits.accepts_per_second": "1", "limits.accepts_burst": "20"})
    descriptors = stack.push.count_descriptors()
    with ExitStack() as exits:
        connections = [exits.enter_context(closing(knock(stack))) for _ in range(600)]
        wait_until(lambda: push_metric(stack, "stonechat_connections_refused_total") >= 570, "they are refused")
        assert stack.push.count_descriptors() <= descriptors + 1024 + 30, "some wait a moment for their peer to read"
        wait_until(lambda: stack.push.count_descriptors() <= descriptors + 30, "then they are closed")
        assert answer_to(connections[-1]).startswith(b"HTTP/1.1 503 "), "and the answer can still be read"
