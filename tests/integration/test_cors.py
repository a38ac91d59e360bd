"""Pages of other origins: those in public.origins read each answer of the API, no other any, and none has a cookie."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from support.client import PASSWORD, Person, new_id, new_name
from support.problems import problem
from support.stack import Stack

PAGE = "https://client.example"
STRANGER = "https://evil.example"
SENT = {"authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "x-request-id"}
READ = {"etag", "location", "x-request-id", "retry-after", "idempotent-replayed"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One whose settings list a page; shared by this file."""
    stack = Stack({"public.origins": f"http://localhost:3000, {PAGE}"}).start()
    yield stack
    wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def ann(stack: Stack) -> Person:
    return Person.new(stack)


def words(answer: httpx.Response, name: str) -> set[str]:
    return {word.strip().lower() for word in answer.headers.get(name, "").split(",") if word.strip()}


def permissions(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def readable(answer: httpx.Response, origin: str = PAGE) -> httpx.Response:
    """Asserts that the browser shows this answer to the page."""
    assert answer.headers.get_list("access-control-allow-origin") == [origin]
    assert words(answer, "access-control-expose-headers") >= READ
    assert "origin" in words(answer, "vary")
    assert "access-control-allow-credentials" not in answer.headers
    return answer


def ask_first(stack: Stack, path: str, method: str, origin: str = PAGE) -> httpx.Response:
    """What a browser sends before a request that is more than a form could send."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "cross-site",
    }
    return httpx.options(stack.url + path, headers=headers)


def test_a_page_logs_in_sends_and_reads(stack: Stack) -> None:
    """The whole way of a client on another origin, by the headers that its browser sends."""
    page = httpx.Client(base_url=stack.url + "/api/v1", headers={"Origin": PAGE, "Sec-Fetch-Site": "cross-site"})
    account = {"username": new_name(), "password": PASSWORD}
    readable(page.post("/auth/signup", json=account))
    logged_in = readable(page.post("/auth/login", json=account)).json()
    page.headers["Authorization"] = f"Bearer {logged_in['access_token']}"
    me = readable(page.get("/users/me"))
    assert me.status_code == 200
    message = {"recipient_id": me.json()["id"], "content": "from elsewhere"}
    key = {"Idempotency-Key": new_id()}
    assert readable(page.post("/messages", json=message, headers=key)).status_code == 201
    again = readable(page.post("/messages", json=message, headers=key))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    room = again.json()["conversation_id"]
    history = readable(page.get(f"/conversations/{room}/messages"))
    assert [item["content"] for item in history.json()["items"]] == ["from elsewhere"]
    fresh = readable(page.post("/auth/refresh", json={"refresh_token": logged_in["refresh_token"]}))
    assert fresh.status_code == 200
    page.close()


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/users/me", 401),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/auth/login", 405),
        ("POST", "/api/v1/auth/login", 400),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
    ],
)
def test_errors_are_readable(stack: Stack, origin: str, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, stack.url + path, headers={"Origin": origin, "Content-Type": "application/json"})
    assert readable(answer, origin).status_code == status
    if status >= 400:
        problem(answer, status)


@pytest.mark.parametrize("size", [9_000, 70_000, 200_000])
def test_too_large_is_readable(stack: Stack, size: int) -> None:
    headers = {"Origin": PAGE, "Content-Type": "application/json"}
    answer = httpx.post(stack.url + "/api/v1/auth/login", content=b"x" * size, headers=headers)
    problem(readable(answer), 413)


def test_nothing_has_changed_is_readable(ann: Person) -> None:
    room = ann.conversation_with(ann)
    first = ann.request("GET", f"/conversations/{room}", headers={"Origin": PAGE})
    headers = {"Origin": PAGE, "If-None-Match": readable(first).headers["etag"]}
    assert readable(ann.request("GET", f"/conversations/{room}", headers=headers)).status_code == 304


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/auth/login", "POST"),
        ("/api/v1/users/me", "GET"),
        ("/api/v1/conversations/x/messages", "GET"),
        ("/api/v1/conversations/x/messages", "POST"),
    ],
)
def test_a_browser_asks_first(stack: Stack, path: str, method: str) -> None:
    answer = readable(ask_first(stack, path, method))
    assert (answer.status_code, answer.content) == (204, b"")
    assert method.lower() in words(answer, "access-control-allow-methods")
    assert words(answer, "access-control-allow-methods") == words(answer, "allow")
    assert words(answer, "access-control-allow-headers") == SENT
    assert 60 <= int(answer.headers["access-control-max-age"]) <= 86400


def test_a_browser_asks_for_a_method_that_is_not_there(stack: Stack) -> None:
    answer = ask_first(stack, "/api/v1/auth/login", "DELETE")
    assert "delete" not in words(answer, "access-control-allow-methods")


def test_a_browser_asks_at_a_path_that_is_not_there(stack: Stack) -> None:
    answer = readable(ask_first(stack, "/api/v1/nothing", "GET"))
    problem(answer, 404)
    assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize("origin", [STRANGER, "null", "http://client.example", f"{PAGE}:8443", f"{PAGE}.evil.example"])
def test_a_stranger_is_not_permitted_anything(stack: Stack, ann: Person, origin: str) -> None:
    for answer in (
        ann.request("GET", "/users/me", headers={"Origin": origin}),
        ask_first(stack, "/api/v1/users/me", "GET", origin),
        httpx.get(stack.url + "/api/v1/nothing", headers={"Origin": origin}),
    ):
        assert permissions(answer) == {}
        assert "origin" in words(answer, "vary"), "a cache must not give it to a listed page"


def test_without_an_origin_nothing_changes(ann: Person) -> None:
    answer = ann.get("/users/me")
    assert permissions(answer) == {}
    assert "vary" not in answer.headers


def test_no_cookie_for_other_origins(stack: Stack) -> None:
    """A browser that says where the page is from (all do, over TLS): a listed page gets tokens, never the cookie."""
    account = {"username": new_name(), "password": PASSWORD, "session": "cookie"}
    headers = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
    answer = readable(httpx.post(stack.url + "/api/v1/auth/signup", json=account, headers=headers))
    problem(answer, 403)
    assert "set-cookie" not in answer.headers


def test_files_are_not_for_other_origins(stack: Stack) -> None:
    for path in ("/", "/docs/", "/nothing"):
        assert permissions(httpx.get(stack.url + path, headers={"Origin": PAGE})) == {}
