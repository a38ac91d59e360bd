"""Requests at the door of the sockets that are none, on the push port and through lighttpd: other upgrades and methods,
floods of headers. Each gets a clear answer, and the next one is served. (AddressSanitizer watches.)"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from support.client import Person
from support.exchange import Request, exchange, upgrade_headers
from support.problems import problem
from support.stack import Stack
from support.wire import Wire

DOORS = [pytest.param(False, id="lighttpd"), pytest.param(True, id="push")]
H2C = ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")


def port(stack: Stack, direct: bool) -> int:
    return stack.push_port if direct else stack.port


@pytest.fixture(autouse=True)
def still_serves(ann: Person) -> Iterator[None]:
    """After each test: the same processes, and they open sockets."""
    pids = ann.stack.push.pid, ann.stack.lighttpd.pid
    yield
    assert ann.stack.push.running and ann.stack.lighttpd.running
    assert pids == (ann.stack.push.pid, ann.stack.lighttpd.pid)
    for direct in (False, True):
        with ann.connect(direct=direct) as live:
            assert live.request("ping")["ok"] is True
    assert ann.stack.sanitizer_reports() == ""


# -- upgrades
@pytest.mark.parametrize("path", ["/ws", "/healthz", "/api/v1/users/me"])
@pytest.mark.parametrize("to", ["h2c", "foo", "websocket2", "TLS/1.0", "websocket, h2c", "x" * 200, ""])
@pytest.mark.parametrize("direct", DOORS)
def test_another_upgrade(stack: Stack, direct: bool, to: str, path: str) -> None:
    """lighttpd doesn't pass it on; push refuses it, and what its library refuses by itself ends as well."""
    answer = exchange(port(stack, direct), Request(path=path, headers=[*upgrade_headers(to), H2C]))
    if answer is None:
        assert direct
    elif path == "/ws" and not direct:
        problem(answer, 426)
        assert answer.headers["upgrade"] == "websocket"
    elif direct and to:
        assert answer.status_code in (403, 404, 426)
    else:
        assert answer.status_code in (200, 401, 404, 426), "as if there were no such header"


@pytest.mark.parametrize("to", ["h2c", "foo"])
@pytest.mark.parametrize("direct", DOORS)
def test_another_upgrade_on_a_connection_in_use(stack: Stack, direct: bool, to: str) -> None:
    """What the library keeps of the first request is freed memory by then."""
    first = Request(path="/healthz").encode()
    for repetitions in (1, 5):
        second = Request(path="/ws", headers=[*upgrade_headers(to), H2C]).encode()
        answer = exchange(port(stack, direct), first * repetitions + second)
        assert answer is not None
        assert answer.status_code == 200


def test_prior_knowledge_of_http2(stack: Stack) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    answer = exchange(stack.port, preface)
    assert answer is not None
    problem(answer, 505)
    refused = exchange(stack.push_port, preface)
    assert refused is None or refused.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (upgrade_headers()[:-1], 400),
        ([*upgrade_headers()[:-1], ("Sec-WebSocket-Protocol", "chat")], 400),
        ([*upgrade_headers(), ("Origin", "https://evil.example")], 403),
    ],
)
@pytest.mark.parametrize("direct", DOORS)
def test_a_refused_socket_says_why(stack: Stack, direct: bool, headers: list[tuple[str, str]], status: int) -> None:
    answer = exchange(port(stack, direct), Request(path="/ws", headers=headers))
    assert answer is not None
    said = problem(answer, status)
    assert said["code"] in ("subprotocol_unknown", "origin_not_allowed")
    assert said["retryable"] is False


def test_a_socket_at_another_path(stack: Stack) -> None:
    answer = exchange(stack.push_port, Request(path="/wss", headers=upgrade_headers()))
    assert answer is not None
    problem(answer, 404)


# -- methods
@pytest.mark.parametrize("upgrading", [False, True])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("direct", DOORS)
def test_another_method(stack: Stack, direct: bool, method: str, upgrading: bool) -> None:
    headers = upgrade_headers() if upgrading else []
    answer = exchange(port(stack, direct), Request(method, "/ws", headers, body=b"{}" if method != "OPTIONS" else b""))
    assert answer is not None
    problem(answer, 405)
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("upgrading", [False, True])
@pytest.mark.parametrize("direct", DOORS)
def test_head_has_no_body(stack: Stack, direct: bool, upgrading: bool) -> None:
    headers = upgrade_headers() if upgrading else []
    answer = exchange(port(stack, direct), Request("HEAD", "/ws", headers))
    assert answer is not None
    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("direct", DOORS)
def test_a_plain_get(stack: Stack, direct: bool) -> None:
    answer = exchange(port(stack, direct), Request(path="/ws"))
    assert answer is not None
    assert problem(answer, 426)["code"] == "upgrade_required"


def test_health_has_its_methods(stack: Stack) -> None:
    for path in ("/healthz", "/readyz"):
        head = httpx.head(stack.push_url + path)
        assert (head.status_code, head.content) == (200, b"")
        problem(httpx.delete(stack.push_url + path), 405)


def test_no_tunnel(stack: Stack) -> None:
    """The library would make a connection without any limit of it: it ends, though its sender says nothing more."""
    with Wire(stack) as wire:
        wire.socket.sendall(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
        status, body = wire.answer()
        assert (status, json.loads(body)["code"]) == (405, "method_not_allowed")
        assert wire.closed()
    refused = exchange(stack.port, b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert refused is not None
    problem(refused, 400)


# -- floods
@pytest.mark.parametrize("direct", DOORS)
def test_a_hundred_headers(stack: Stack, direct: bool) -> None:
    headers = [(f"X-Header-{n}", "value") for n in range(100)]
    answer = exchange(port(stack, direct), Request(path="/ws", headers=[*headers, *upgrade_headers()]))
    assert answer is not None
    assert answer.status_code == 101


def test_what_lighttpd_passes_on_fits(stack: Stack) -> None:
    """A browser sends the cookies of all the host's sites along."""
    cookies = ("Cookie", "; ".join(f"other_{n}={'x' * 50}" for n in range(120)))
    headers = [(f"X-{n}", "y") for n in range(60)]
    answer = exchange(stack.port, Request(path="/ws", headers=[cookies, *headers, *upgrade_headers()]))
    assert answer is not None
    assert answer.status_code == 101


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request(path="/ws", headers=[*upgrade_headers(), *[("X", "y" * 640)] * 100]), id="64 KiB, lines"),
        pytest.param(Request(path="/ws", headers=[("X", "y" * 65536), *upgrade_headers()]), id="64 KiB, a line"),
        pytest.param(Request(path="/ws", headers=[("X" * 65536, "y"), *upgrade_headers()]), id="64 KiB, a name"),
        pytest.param(Request(path="/ws", headers=[("A", "")] * 13000), id="64 KiB, of nothing"),
        pytest.param(Request(path="/" + "x" * 16384), id="16 KiB, a path"),
        pytest.param(Request(path="/ws?" + "x" * 16384, headers=upgrade_headers()), id="16 KiB, a query"),
        pytest.param(Request(path="/%2e" * 5000), id="16 KiB, encoded"),
    ],
)
@pytest.mark.parametrize("direct", DOORS)
def test_more_than_fits(stack: Stack, direct: bool, request_: Request) -> None:
    """lighttpd says so; the library behind has no room to and ends the connection."""
    answer = exchange(port(stack, direct), request_)
    if direct:
        assert answer is None or answer.status_code in (403, 404, 431)
    else:
        assert answer is not None
        problem(answer, 431)
