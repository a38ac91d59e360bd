"""Clients that take their time, on both ports: the silent are cut off, the slow hold a descriptor and nothing else, and
everybody else is served meanwhile."""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from support.client import Person
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until

IDLE_S = 2  # limits.request_idle_s of the stack here
HANDSHAKE_S = 4  # of push
PATIENCE = 3  # a bound is held with this much of it, for slow machines
CROWD = 200

HEAD = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
UNFINISHED = [
    pytest.param(b"", id="nothing"),
    pytest.param(HEAD[:-2], id="half a head"),
    pytest.param(HEAD + b'Content-Length: 100\r\n\r\n{"username":', id="half a body"),
]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One whose API has a single thread, which nobody slow may hold; shared by this file."""
    stack = Stack({"limits.request_idle_s": str(IDLE_S), "api.threads": "1"}).start()
    yield stack
    wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def ann(stack: Stack) -> Person:
    return Person.new(stack)


class Crowd:
    """Connections that have sent something and then rest."""

    def __init__(self, port: int, sent: bytes, size: int = CROWD) -> None:
        self.began = time.monotonic()
        self.selector = selectors.DefaultSelector()
        for _ in range(size):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.sendall(sent)
            self.selector.register(connection, selectors.EVENT_READ)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self.selector.get_map().values()):
            self.drop(key.fileobj)
        self.selector.close()

    def drop(self, connection: object) -> None:
        assert isinstance(connection, socket.socket)
        self.selector.unregister(connection)
        connection.close()

    def all_cut_off(self) -> bool:
        """Looks who has been cut off since the last time; is that everybody?"""
        for key, _ in self.selector.select(0):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            try:
                ended = not connection.recv(65536)
            except ConnectionError:
                ended = True
            if ended:
                self.drop(connection)
        return not self.selector.get_map()

    def wait_cut_off(self, bound_s: float, meanwhile: Callable[[], None]) -> None:
        """Waits until all are, while others ask for something again and again."""

        def ask() -> bool:
            meanwhile()
            return self.all_cut_off()

        wait_until(ask, f"{len(self.selector.get_map())} are cut off", bound_s * PATIENCE)
        assert time.monotonic() - self.began >= bound_s - 1, "not before its time"


def serves(ann: Person) -> None:
    """Somebody in a hurry gets all there is: a file, an answer of the API, a socket."""
    began = time.monotonic()
    assert httpx.get(ann.stack.url + "/").status_code == 200
    assert ann.get("/users/me").status_code == 200
    with ann.connect() as live:
        assert live.request("ping")["ok"] is True
    assert time.monotonic() - began < PATIENCE, "at once"


@pytest.mark.parametrize("sent", UNFINISHED)
def test_the_silent_are_cut_off(stack: Stack, ann: Person, sent: bytes) -> None:
    with Crowd(stack.port, sent) as crowd:
        crowd.wait_cut_off(IDLE_S, lambda: serves(ann))


@pytest.mark.parametrize("sent", UNFINISHED[:2])
def test_the_silent_on_the_push_port_are_cut_off(stack: Stack, ann: Person, sent: bytes) -> None:
    with Crowd(stack.push_port, sent) as crowd:
        crowd.wait_cut_off(HANDSHAKE_S, lambda: serves(ann))


def test_nobody_is_there_but_silence(make_stack: MakeStack) -> None:
    """Without any other traffic that could wake the server up."""
    stack = make_stack({"limits.request_idle_s": str(IDLE_S)})
    with Crowd(stack.push_port, b"") as crowd:
        wait_until(crowd.all_cut_off, "push cuts them off", HANDSHAKE_S * PATIENCE)
    with Crowd(stack.port, b"") as crowd:
        wait_until(crowd.all_cut_off, "lighttpd cuts them off", IDLE_S * PATIENCE)


class Trickle:
    """Connections that send one byte each time, until they have been cut off or have sent everything."""

    def __init__(self, port: int, head: bytes, rest: bytes, size: int, pause_s: float) -> None:
        self.connections = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(size)]
        self.open = len(self.connections)
        self.sent = 0
        self._rest, self._pause_s = rest, pause_s
        self._end = threading.Event()
        for connection in self.connections:
            connection.sendall(head)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Trickle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)
        for connection in self.connections:
            connection.close()

    def _run(self) -> None:
        alive = list(self.connections)
        for number in range(len(self._rest)):
            for connection in list(alive):
                try:
                    connection.sendall(self._rest[number : number + 1])
                except ConnectionError:
                    alive.remove(connection)
            self.open, self.sent = len(alive), number + 1
            if not alive or self._end.wait(self._pause_s):
                return


def test_a_slow_body_holds_no_thread(stack: Stack, ann: Person) -> None:
    """The API's only thread sees a request when all of it is there."""
    body = json.dumps({"username": ann.username, "password": "no, it is not"}).encode()
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    with Trickle(stack.port, head, body, size=20, pause_s=0.05) as slow:
        while slow.open and slow.sent < len(body) - 1:
            serves(ann)
        assert slow.open == 20, "slow is not silent"
        for connection in slow.connections:
            assert connection.recv(12) == b"HTTP/1.1 401", "and is answered in the end"


def test_slow_heads(stack: Stack, ann: Person) -> None:
    with Trickle(stack.port, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"y" * 60, size=CROWD, pause_s=0.05) as slow:
        while slow.open and slow.sent < 50:
            serves(ann)
    assert httpx.get(stack.url + "/healthz").status_code == 200


def test_a_slow_head_on_the_push_port_is_cut_off(stack: Stack, ann: Person) -> None:
    """There the bound is for the whole head, however busy its sender is."""
    began = time.monotonic()
    with Trickle(stack.push_port, b"GET /ws HTTP/1.1\r\nX: ", b"y" * 1000, size=20, pause_s=0.2) as slow:

        def gone() -> bool:
            serves(ann)
            return slow.open == 0

        wait_until(gone, "they are cut off", HANDSHAKE_S * PATIENCE)
    assert time.monotonic() - began >= HANDSHAKE_S - 1
