"""What every answer has in common: problem documents, request ids, Allow, body limits; lighttpd's own errors."""

from __future__ import annotations

import socket
import uuid

import httpx
import pytest

from support.client import PASSWORD, Api, Person, new_id, new_name
from support.problems import problem
from support.recorder import RECORDER
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until


@pytest.fixture
def api(stack: Stack) -> Api:
    return Api(stack)


# -- request ids
@pytest.mark.parametrize("given", ["a", "abc-DEF_123", "x" * 64])
def test_a_request_id_comes_back(api: Api, given: str) -> None:
    answer = api.request("GET", "/users/me", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given
    assert problem(answer, 401)["request_id"] == given


@pytest.mark.parametrize("given", ["x" * 65, "with space", "semi;colon", "<b>", ""])
def test_a_bad_request_id_is_replaced(api: Api, given: str) -> None:
    answer = api.request("GET", "/users/me", headers={"X-Request-Id": given})
    made = answer.headers["x-request-id"]
    assert made and made != given
    assert problem(answer, 401)["request_id"] == made


def test_every_answer_has_its_own_request_id(ann: Person) -> None:
    ids = {ann.get("/users/me").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


# -- problem documents
def test_a_problem_says_what_and_where(api: Api) -> None:
    body = problem(api.post("/auth/login", {"username": "x"}), 400)
    assert body["instance"].startswith("/api/v1/auth/login")
    assert body["retryable"] is False
    assert body["type"]
    assert body["request_id"]
    assert body["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"null", "application/json", 400),
        (b"[1,2]", "application/json", 400),
        (b'{"username":"a","username":"b","password":"12345678"}', "application/json", 400),
        (b'{"username":"abc","password":"12345678"} trailing', "application/json", 400),
        (b'{"username":"\xff\xfe","password":"12345678"}', "application/json", 400),
        (b"[" * 2000 + b"]" * 2000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"username=abc&password=12345678", "application/x-www-form-urlencoded", 415),
        (b"{}", None, 415),
    ],
)
def test_bodies_that_are_not_what_they_should_be(api: Api, body: bytes, kind: str | None, status: int) -> None:
    headers = {"Content-Type": kind} if kind else {}
    problem(api.request("POST", "/auth/signup", content=body, headers=headers), status)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/JSON", "application/json;charset=UTF-8"]
)
def test_json_by_its_other_spellings(api: Api, kind: str) -> None:
    body = f'{{"username":"{new_name()}","password":"{PASSWORD}"}}'
    answer = api.http.post("/api/v1/auth/signup", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 201


def test_a_body_over_its_limit(ann: Person) -> None:
    """First by the api's limit for the route, then by lighttpd's for all."""
    for size in (50_000, 70_000, 3_000_000):
        answer = ann.send_direct(str(uuid.uuid4()), "x" * size)
        problem(answer, 413)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/users/me", {"GET"}),
        ("GET", "/auth/login", {"POST"}),
        ("DELETE", "/messages", {"POST"}),
        ("PATCH", "/conversations", {"GET"}),
    ],
)
def test_a_method_that_is_not_there(ann: Person, method: str, path: str, allowed: set[str]) -> None:
    answer = ann.request(method, path)
    problem(answer, 405)
    assert allowed <= {word.strip() for word in answer.headers["allow"].split(",")}
    assert method not in answer.headers["allow"].split(", ")


@pytest.mark.parametrize(
    "path", ["/nothing", "/users/me/nothing", "", "/", "/conversations/", "/%00", "/users/%2e%2e/me"]
)
def test_a_path_that_is_not_there(ann: Person, path: str) -> None:
    answer = ann.request("GET", path)
    assert answer.status_code in (400, 404)
    problem(answer, answer.status_code)


def test_authentication_is_asked_for_before_anything_is_told(api: Api) -> None:
    """At every operation that is not open, whatever its parameters."""
    closed = [operation for operation in RECORDER.document.operations if operation.closed]
    assert len(closed) >= 9
    for operation in closed:
        _, path, method = operation.steps
        answer = api.request(method.upper(), path.replace("{conversation_id}", new_id()))
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer"), operation.id


def test_a_header_named_as_cgi_names_it_is_another_header(ann: Person) -> None:
    answer = Api(ann.stack).request("GET", "/users/me", headers={"HTTP_AUTHORIZATION": f"Bearer {ann.token}"})
    problem(answer, 401)


# -- health
def test_a_part_of_a_document_is_not_served(ann: Person) -> None:
    whole = ann.get("/users/me")
    part = ann.request("GET", "/users/me", headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.json()) == (200, whole.json())


def test_healthz_and_readyz(stack: Stack, api: Api) -> None:
    assert api.http.get("/healthz").status_code == 200
    ready = api.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "database": "ok", "redis": "ok", "push": "ok"}
    assert httpx.get(stack.push_url + "/healthz").status_code == 200
    assert httpx.get(stack.push_url + "/readyz").status_code == 200


def test_readyz_when_push_is_down(own_stack: Stack) -> None:
    own_stack.push.kill()
    api = Api(own_stack)
    answer = api.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["push"] == "failed"
    assert int(answer.headers["retry-after"]) >= 1
    assert api.http.get("/healthz").status_code == 200
    ann = Person.new(own_stack)
    assert ann.send_direct(ann.id, "still stored").status_code == 201
    own_stack.restart("push")


def test_readyz_follows_the_database(own_stack: Stack) -> None:
    """Push asks it again and again: it is not ready for ever because it was once."""

    def push_says(status: int) -> None:
        wait_until(lambda: httpx.get(own_stack.push_url + "/readyz").status_code == status, f"/readyz is {status}", 20)

    push_says(200)
    with own_stack.database() as database:
        database.query("ALTER TABLE meta RENAME TO meta_away")
        push_says(503)
        assert httpx.get(own_stack.url + "/readyz").status_code == 503
        assert httpx.get(own_stack.push_url + "/healthz").status_code == 200
        database.query("ALTER TABLE meta_away RENAME TO meta")
        push_says(200)


# -- lighttpd's own answers
def test_the_api_is_down(own_stack: Stack) -> None:
    ann = Person.new(own_stack)
    own_stack.api.kill()
    body = problem(ann.get("/users/me"), 503)
    assert body["retryable"] is True
    own_stack.restart("api")
    assert ann.get("/users/me").status_code == 200


def test_push_is_down(own_stack: Stack) -> None:
    own_stack.push.kill()
    answer = httpx.get(
        own_stack.url + "/ws",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol": "stonechat.v1",
        },
    )
    problem(answer, 503)


def raw(stack: Stack, request: bytes) -> tuple[int, str, bytes]:
    """Status, Content-Type and body of what comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as wire:
        wire.sendall(request)
        answer = b""
        while part := wire.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = {line.split(b":")[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:]}
    return int(head.split()[1]), headers.get(b"content-type", b"").decode(), body


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 431),
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, 413),
        (b"GET /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 400),
        (b"GET /nothing-here.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_requests_that_lighttpd_refuses(stack: Stack, request_bytes: bytes, status: int) -> None:
    got, kind, body = raw(stack, request_bytes)
    assert got == status
    assert kind.split(";")[0] == "application/problem+json"
    assert httpx.Response(got, content=body).json()["status"] == status


# -- the page
def test_the_page_is_served_with_its_policy(stack: Stack) -> None:
    answer = httpx.get(stack.url + "/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_requests_do_not_leak_into_logs(make_stack: MakeStack) -> None:
    """Neither a password, nor a token, nor what people say."""
    stack = make_stack({"log.level": "debug"})
    ann, bob = Person.new(stack, password="the-secret-password"), Person.new(stack)
    with bob.connect() as live:
        message = ann.say(bob, "for-your-eyes-only")
        live.told_of(message, timeout=10)
        live.say("between-you-and-me", recipient_id=ann.id)
    logs = "".join(path.read_text(errors="replace") for path in stack.log.glob("*.log"))
    for secret in (
        "the-secret-password",
        "for-your-eyes-only",
        "between-you-and-me",
        ann.token,
        bob.token,
        ann.refresh_token,
    ):
        assert str(secret) not in logs
