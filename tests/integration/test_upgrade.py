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
    """lighttpd passes none on. On the push port h2c alone reaches our rules: the library refuses others by itself."""
    answer = exchange(port(stack, direct), Request(path=path, headers=[*upgrade_headers(to), H2C]))
    assert answer is not None
    if direct and to not in ("", "h2c"):
        assert answer.status_code == 403
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    elif path == "/ws":
        problem(answer, 426)
        assert answer.headers["upgrade"] == "websocket"
    elif direct and (to or path.startswith("/api")):
        problem(answer, 404)
    else:
        assert answer.status_code in (200, 401), "as if there were no such header"


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
    assert refused is not None
    problem(refused, 405)


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


def with_headers(**changed: str | None) -> list[tuple[str, str]]:
    """The headers of a handshake with other values; None leaves one out."""
    headers = {name.replace("-", "_").lower(): (name, value) for name, value in upgrade_headers()}
    headers |= {name: (name.replace("_", "-"), value) for name, value in changed.items()}
    return [(name, value) for name, value in headers.values() if value is not None]


@pytest.mark.parametrize(
    "changed",
    [
        {"sec_websocket_key": ""},
        {"sec_websocket_key": None},
        {"sec_websocket_key": "x" * 23},
        {"sec_websocket_key": "x" * 128},
        {"sec_websocket_version": "12"},
        {"sec_websocket_version": "-1"},
        {"sec_websocket_version": None},
        {"connection": "close"},
        {"connection": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("direct", DOORS)
def test_no_handshake_of_ours(stack: Stack, direct: bool, changed: dict[str, str | None]) -> None:
    answer = exchange(port(stack, direct), Request(path="/ws", headers=with_headers(**changed)))
    assert answer is not None
    assert problem(answer, 426)["code"] == "upgrade_required"
    if direct:
        assert answer.headers["sec-websocket-version"] == "13"


LISTS = {
    "x" * 62 + ",stonechat.v1": 101,
    "x" * 62 + "," + "y" * 44 + ",stonechat.v1": 101,
    "x" * 62 + "," + "y" * 45 + ",stonechat.v1": 400,
    "x" * 63 + ",stonechat.v1": 400,
    "stonechat.v1," + "x" * 107: 400,
    "x" * 300: 400,
}


@pytest.mark.parametrize("offered", LISTS, ids=len)
@pytest.mark.parametrize("direct", DOORS)
def test_more_subprotocols_than_fit(stack: Stack, direct: bool, offered: str) -> None:
    headers = with_headers(sec_websocket_protocol=offered)
    answer = exchange(port(stack, direct), Request(path="/ws", headers=headers))
    assert answer is not None
    if LISTS[offered] == 101:
        assert answer.status_code == 101
        assert answer.headers["sec-websocket-protocol"] == "stonechat.v1"
    else:
        assert problem(answer, 400)["code"] == "subprotocol_unknown"


def test_a_hundred_arguments(stack: Stack) -> None:
    answer = exchange(stack.port, Request(path="/ws?" + "&".join(["a=b"] * 100), headers=upgrade_headers()))
    assert answer is not None
    problem(answer, 404)
    few = exchange(stack.port, Request(path="/ws?a=b&c=d", headers=upgrade_headers()))
    assert few is not None and few.status_code == 101


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


METHODS = ["BREW", "PROPFIND", "GETS", "PRI", "X" * 4000, "\x16\x03\x01", "{}", "G\0T"]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: ascii(method)[:12])
@pytest.mark.parametrize("in_use", [False, True])
def test_a_method_that_nobody_knows(stack: Stack, method: str, in_use: bool) -> None:
    """The library would answer in HTML. The rest of such a request is not looked at."""
    with Wire(stack) as wire:
        if in_use:
            wire.request(path="/healthz")
            assert wire.answer()[0] == 200
        wire.request(method, "/ws", X_Filler="y" * 5000)
        status, body = wire.answer()
        assert (status, json.loads(body)["code"]) == (405, "method_not_allowed")
        assert wire.closed()


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
    """lighttpd says so. The library behind ends the connection without a word, unless it leaves the field out."""
    answer = exchange(port(stack, direct), request_)
    if not direct:
        assert answer is not None
        problem(answer, 431)
    elif answer is not None:
        assert answer.status_code in (101, 404, 426)
