"""The headers that protect a browser, on each kind of answer: files, the API, errors, the door of the sockets."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest

from support.exchange import Request, exchange, upgrade_headers
from support.problems import problem
from support.stack import Stack
from support.waiting import wait_until

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
SCRIPT = "the page's script"
JSON = [("Content-Type", "application/json")]


def script_of(stack: Stack) -> str:
    """The path of the page's script, whose name is another one after each build."""
    found = re.search('src="(/assets/[^"]+)"', httpx.get(stack.url + "/").text)
    assert found
    return found[1]


def policy(answer: httpx.Response) -> dict[str, str]:
    """The directives of its Content-Security-Policy."""
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


def protected(answer: httpx.Response | None) -> httpx.Response:
    """Asserts what every answer has."""
    assert answer is not None
    for name, value in ALWAYS.items():
        assert answer.headers.get_list(name) == [value], name
    assert len(answer.headers.get_list("content-security-policy")) == 1
    directives = policy(answer)
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert directives["form-action"] in ("'none'", "'self'")
    assert set(" ".join(directives.values()).split()) <= {"'none'", "'self'", "data:"}, "no other host, nothing inline"
    return answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(path="/"), 200),
        (Request("HEAD", "/"), 200),
        (Request("OPTIONS", "/"), 204),
        (Request("DELETE", "/"), 405),
        (Request("POST", "/", body=b"x"), 405),
        (Request(path=SCRIPT), 200),
        (Request(path=SCRIPT, headers=[("Range", "bytes=0-9")]), 200),
        (Request(path=SCRIPT, headers=[("Range", "bytes=9999999-")]), 200),
        (Request(path="/assets/nothing.js"), 404),
        (Request(path="/assets"), 301),
        (Request(path="/favicon.svg"), 200),
        (Request(path="/nothing"), 404),
        (Request(path="/docs"), 301),
        (Request(path="/docs/"), 200),
        (Request(path="/docs/swagger-ui-bundle.js"), 200),
        (Request(path="/docs/nothing"), 404),
        (Request(path="/openapi.json"), 200),
        (Request(path="/healthz"), 200),
        (Request(path="/readyz"), 200),
        (Request(path="/api/v1/users/me"), 401),
        (Request(path="/api/v1/nothing"), 404),
        (Request("PUT", "/api/v1/auth/login", body=b"{}"), 405),
        (Request("POST", "/api/v1/auth/login", JSON, b"["), 400),
        (Request("POST", "/api/v1/auth/login", [("Content-Type", "text/plain")], b"{}"), 415),
        (Request("POST", "/api/v1/auth/login", JSON, b"x" * 9_000), 413),
        (Request("POST", "/api/v1/auth/login", JSON, b"x" * 200_000), 413),
        (Request(path="/ws"), 426),
        (Request("POST", "/ws", body=b"x"), 405),
        (Request(path="/ws", headers=upgrade_headers()[:-1]), 400),
        (Request(path="/ws", headers=[*upgrade_headers(), ("Origin", "http://evil.example")]), 403),
        (Request(path="/ws", headers=upgrade_headers()), 101),
    ],
    ids=lambda value: f"{value.method} {value.path[:40]}" if isinstance(value, Request) else str(value),
)
def test_every_answer_is_protected(stack: Stack, request_: Request, status: int) -> None:
    if request_.path == SCRIPT:
        request_ = replace(request_, path=script_of(stack))
    answer = protected(exchange(stack.port, request_))
    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in answer.headers


def test_an_error_of_a_file_is_not_kept(stack: Stack) -> None:
    """A file whose name changes with its content is kept for a year, its absence is not."""
    there, missing = (httpx.get(stack.url + path) for path in (script_of(stack), "/assets/nothing.js"))
    assert int(there.headers["cache-control"].removeprefix("max-age=")) >= 360 * 24 * 3600
    assert "max-age" not in missing.headers.get("cache-control", "")


def passing(answer: httpx.Response | None, status: int) -> None:
    """Asserts what an error has that is over soon."""
    body = problem(protected(answer), status)
    assert answer is not None and answer.headers.get_list("retry-after") == ["1"]
    assert body["retryable"] is True
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_behind_is_away(own_stack: Stack) -> None:
    own_stack.api.kill()
    chunked = Request("POST", "/api/v1/auth/login", [*JSON, ("Transfer-Encoding", "chunked")])
    for request in (
        Request(path="/api/v1/users/me"),
        Request("POST", "/api/v1/auth/login", JSON, b"{}"),
        Request("POST", "/api/v1/auth/login", JSON, b" " * 99_999),
        chunked.encode() + b"0\r\n\r\n",
        Request(path="/readyz"),
        Request("DELETE", "/"),
        Request("POST", "/", body=b" " * 9_999),
    ):
        passing(exchange(own_stack.port, request), 503)
    head = exchange(own_stack.port, Request("HEAD", "/healthz"))
    assert protected(head).status_code == 503 and protected(head).content == b""
    assert protected(exchange(own_stack.port, Request(path="/"))).status_code == 200, "the page is there all the same"
    own_stack.push.kill()
    for headers in (upgrade_headers(), []):
        passing(exchange(own_stack.port, Request(path="/ws", headers=headers)), 503)


def test_what_is_behind_talks_nonsense(own_stack: Stack) -> None:
    own_stack.push.kill()

    def answer_one(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"what?\r\n\r\n")

    with socket.create_server(("127.0.0.1", own_stack.push_port)) as listener:
        thread = threading.Thread(target=answer_one, args=(listener,), daemon=True)
        thread.start()
        passing(exchange(own_stack.port, Request(path="/ws")), 502)
        thread.join(10)
    own_stack.restart("push")
    wait_until(lambda: exchange(own_stack.port, Request(path="/ws", headers=upgrade_headers())), "sockets open again")


def whole(line: str, *headers: str) -> bytes:
    """A request after which the connection ends."""
    return "\r\n".join([line, "Host: x", "Connection: close", *headers, "", ""]).encode()


TOO_LARGE = ["POST /api/v1/auth/login HTTP/1.1", "Content-Type: application/json"]


@pytest.mark.parametrize(
    ("bytes_", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (whole("GET / HTTP/1.1", "no colon"), 400),
        (whole("GET /% HTTP/1.1", "Content-Length: x"), 400),
        (b"\x16\x03\x01\x00\x2f\r\n\r\n", 400),
        (whole("CONNECT example.org:443 HTTP/1.1"), 400),
        (whole("POST /healthz HTTP/1.1"), 411),
        (whole(*TOO_LARGE, "Content-Length: 300000"), 413),
        (whole("POST /ws HTTP/1.1", "Content-Length: 70000"), 413),
        (whole("DELETE / HTTP/1.1", "Content-Length: 70000"), 413),
        (whole("GET / HTTP/1.1", "X: " + "y" * 20_000), 431),
        (whole("GET /" + "y" * 20_000 + " HTTP/1.1"), 431),
        (whole("BREW / HTTP/1.1"), 501),
        (whole("BREW /api/v1/users/me HTTP/1.1"), 501),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else repr(value[:24]),
)
def test_what_lighttpd_refuses_by_itself_is_protected(stack: Stack, bytes_: bytes, status: int) -> None:
    answer = exchange(stack.port, bytes_)
    body = problem(protected(answer), status)
    assert body["retryable"] is False and "retry-after" not in protected(answer).headers
    assert protected(answer).headers["cache-control"] == "no-store"


def test_a_refusal_keeps_the_connection_in_step(stack: Stack) -> None:
    """The address that gives an error its headers is no request of the client's."""
    one, two = Request(path="/nothing").encode(), whole("HEAD /nothing HTTP/1.1")
    with socket.create_connection(("127.0.0.1", stack.port), timeout=15) as wire:
        wire.sendall(one + one + two)
        heads = b"".join(iter(lambda: wire.recv(65536), b"")).split(b"HTTP/1.1 ")[1:]
    assert [head[:3] for head in heads] == [b"404"] * 3
    assert [head.endswith(b"}\n") for head in heads] == [True, True, False]
    direct = protected(exchange(stack.port, Request(path="/error")))
    assert problem(direct, 404)["code"] == "not_found"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(path="/healthz"), 200),
        (Request(path="/ws"), 426),
        (Request("PUT", "/ws"), 405),
        (Request("BREW", "/ws"), 405),
        (Request(path="/nothing"), 404),
        (Request(path="/ws", headers=upgrade_headers("foo")), 403),
        (Request(path="/%"), 403),
    ],
    ids=lambda value: f"{value.method} {value.path}" if isinstance(value, Request) else str(value),
)
def test_the_push_port_serves_nothing_to_show(stack: Stack, request_: Request, status: int) -> None:
    """Also where the answer is a line of HTML of the library's."""
    answer = exchange(stack.push_port, request_)
    assert answer is not None and answer.status_code == status
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert set(policy(answer).values()) == {"'none'"} and "frame-ancestors" in policy(answer)


# -- pages
class Markup(HTMLParser):
    """Collects what a strict policy would forbid."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.forbidden.append(f"<{tag}>")
        self.forbidden += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        self.forbidden += [f"{tag} {value}" for _, value in attrs if re.match("[a-z]+:|//", value or "")]


@pytest.mark.parametrize("path", ["/", "/docs/"])
def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(stack: Stack, path: str) -> None:
    answer = httpx.get(stack.url + path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    directives = policy(answer)
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["connect-src"] == "'self'", "which is also the WebSocket of the same origin"
    markup = Markup()
    markup.feed(answer.text)
    assert markup.forbidden == []


def test_only_pages_may_run_scripts(stack: Stack) -> None:
    for path in (script_of(stack), "/openapi.json", "/healthz", "/api/v1/nothing"):
        assert "script-src" not in policy(httpx.get(stack.url + path))
