"""What a client must not send besides bodies and tokens, at every operation: paths, queries, methods, headers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from support.client import new_id
from support.openapi import METHODS, Operation, load
from support.problems import problem
from support.scene import Call, Scene, dump, each
from support.shared import Shared
from support.stack import Stack

DOCUMENT = load()
ALL = DOCUMENT.operations
CLOSED = [operation for operation in ALL if operation.closed]
IN_PATH = [(o, p["name"]) for o in CLOSED for p in o.parameters() if p["in"] == "path"]
WITH_LIMIT = [o for o in CLOSED if "limit" in {p["name"] for p in o.parameters()}]
WITH_CURSOR = [o for o in CLOSED if "cursor" in {p["name"] for p in o.parameters()}]
WITH_EMOJI = [o for o, name in IN_PATH if name == "emoji"]
WITH_KEY = [o for o in CLOSED if "Idempotency-Key" in {p["name"] for p in o.parameters()}]
NUMBERS = [
    (o, p["name"])
    for o in CLOSED
    for p in o.parameters()
    if p["in"] == "query" and p["name"] != "limit" and DOCUMENT.resolve(p["schema"], ())[0].get("type") == "integer"
]
JSON = {"Content-Type": "application/json"}
TOO_BIG = 1 << 53


@pytest.fixture(scope="module")
def scene(shared: Shared) -> Iterator[Scene]:
    scene = Scene(shared.stack)
    yield scene
    scene.close()


# -- paths
GARBAGE = {
    "a word": "nobody",
    "a dot": "%2e",
    "dots": "%2e%2e",
    "a path": "..%2f..%2fetc%2fpasswd",
    "NUL": "%00",
    "a NUL behind": "{good}%00",
    "a line feed": "{good}%0a",
    "a header": "{good}%0d%0aX-Evil:%201",
    "invalid UTF-8": "%ff%fe",
    "a half escape": "{good}%2",
    "a space": "%20",
    "SQL": "'%20OR%20'1'='1",
    "a pattern": "%25",
    "braces": "%7B{good}%7D",
    "without dashes": "{bare}",
    "one digit more": "{good}0",
    "one less": "{short}",
    "printf": "%25s%25n",
    "4 KB": "a" * 4000,
}


@pytest.mark.parametrize(
    ("operation", "name"), [pytest.param(o, name, id=f"{o.id} {name}") for o, name in IN_PATH if name != "emoji"]
)
def test_an_id_that_is_none(scene: Scene, operation: Operation, name: str) -> None:
    call = scene.call(operation)
    good = str((scene.values(operation) | {"session_id": new_id()})[name])
    for what, pattern in GARBAGE.items():
        bad = pattern.format(good=good, bare=good.replace("-", ""), short=good[:-1])
        path = scene.call(operation, **{name: "\0"}).path.replace("%00", bad)
        answer = Call(operation, path, call.query, call.body).send(scene.api, scene.ann.token)
        assert answer.status_code in (400, 404), f"{what}: {answer.status_code} {answer.text}"
        problem(answer, answer.status_code)
        assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    ("operation", "name"), [pytest.param(o, name, id=f"{o.id} {name}") for o, name in IN_PATH if name != "emoji"]
)
def test_an_id_of_nobody(scene: Scene, operation: Operation, name: str) -> None:
    for nobody in (new_id(), "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        problem(scene.call(operation, **{name: nobody}).send(scene.api, scene.ann.token), 404)


@pytest.mark.parametrize("operation", each(WITH_EMOJI))
@pytest.mark.parametrize(
    "emoji",
    ["a", "<b>", "%", " ", "👍👍", "👍a", "é", "\u200d", "\ufe0f", "☃\u0301", "1", "👍" * 40, "x" * 3000,
     "🏴\U000e0067", "👍\U000e0067\U000e0062\U000e0065\U000e007f"],
    ids=lambda emoji: ascii(emoji)[:20],
)  # fmt: skip
def test_a_reaction_that_is_no_emoji(scene: Scene, operation: Operation, emoji: str) -> None:
    answer = scene.call(operation, emoji=emoji).send(scene.api, scene.ann.token)
    errors = problem(answer, 422)["errors"]
    assert [error["field"] for error in errors] == ["emoji"]


@pytest.mark.parametrize("operation", each(WITH_EMOJI))
@pytest.mark.parametrize("bad", ["%0a", "%ff", "%f0%9f%91", "%00", "%f0%9f%91%8d%00", "%"])
def test_a_reaction_that_is_no_text(scene: Scene, operation: Operation, bad: str) -> None:
    path = scene.call(operation, emoji="\0").path.removesuffix("%00") + bad
    answer = Call(operation, path).send(scene.api, scene.ann.token)
    assert answer.status_code in (400, 404, 422)
    problem(answer, answer.status_code)


def test_an_id_in_upper_case_is_the_same(scene: Scene) -> None:
    answer = scene.ann.get(f"/conversations/{scene.conversation_id.upper()}")
    assert answer.json()["id"] == scene.conversation_id


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/v1", "/api/v2/users/me", "/api/v1/users/me/", "/api/v1//users/me", "//api/v1/users/me/x",
     "/api/v1/users/me;x=1", "/api/v1/users/me%2f", "/api/v1/%75sers%2Fme", "/API/v1/users/me", "/api/v1/Users/me",
     "/api/v1/users/me/../../../readyz/x", "/healthz/", "/healthz/x", "/readyz%00", "/api/v1/conversations//messages",
     "/api/v1/healthz", "/api/v1/metrics", "/metrics", "/api/v1/openapi.json/x"],
)  # fmt: skip
def test_a_path_of_nobody(scene: Scene, path: str) -> None:
    answer = scene.api.http.get(scene.stack.url + path, headers={"Authorization": f"Bearer {scene.ann.token}"})
    assert answer.status_code in (400, 404), f"{answer.status_code} {answer.text}"
    problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "path",
    ["/index.html/", "/index.html/foo", "/favicon.svg/", "/favicon.svg/favicon.svg", "/openapi.json/x",
     "/docs/index.html/x", "/docs/LICENSE/x", "/favicon.svg%2f", "/index.html/%2e%2e/x/index.html"],
)  # fmt: skip
def test_a_file_is_no_folder(scene: Scene, path: str) -> None:
    problem(scene.api.http.get(scene.stack.url + path), 404)


def test_the_folders_above_are_nobodys(scene: Scene) -> None:
    for path in ("/../conf/stonechat.conf", "/%2e%2e/conf/lighttpd.conf", "/..%2fREADME.md", "/assets/../../README.md",
                 "/.git/config", "/assets/%2e%2e/%2e%2e/README.md"):  # fmt: skip
        status, body = plain(scene.stack, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert status in (400, 403, 404), path
        assert b"server.modules" not in body and b"Stonechat" not in body


# -- what the body is
@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Content-Encoding": "gzip"}, "Content-Encoding"),
        ({"Content-Encoding": "identity, br"}, "Content-Encoding"),
        ({"Content-Type": "application/json; charset=utf-16"}, "UTF-8"),
        ({"Content-Type": 'application/json;a="b;c"; CharSet="ISO-8859-1"'}, "UTF-8"),
        ({"Content-Type": "application/json; charset=utf-8; charset=utf-16"}, "UTF-8"),
        ({"Content-Type": "text/json"}, "application/json"),
    ],
)
def test_a_body_that_says_it_is_something_else(scene: Scene, headers: dict[str, str], word: str) -> None:
    """It is refused even when its bytes could be read: what is said is meant."""
    call, before = (
        next(scene.call(o) for o in ALL if o.id == "send_message"),
        len(scene.ann.history(scene.conversation_id)),
    )
    answer = call.send(scene.api, scene.ann.token, content=dump(call.body or {}), headers=JSON | headers)
    assert word in problem(answer, 415, "media_type")["detail"]
    assert len(scene.ann.history(scene.conversation_id)) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "identity"},
        {"Content-Encoding": ""},
        {"Content-Type": 'application/json;charset="UTF-8"'},
        {"Content-Type": 'application/json; a="; charset=utf-16"'},
        {"Content-Type": "application/json;"},
    ],
)
def test_a_body_that_says_what_it_is(scene: Scene, headers: dict[str, str]) -> None:
    call = next(scene.call(o) for o in ALL if o.id == "send_message")
    answer = call.send(scene.api, scene.ann.token, content=dump(call.body or {}), headers=JSON | headers)
    assert answer.status_code == 201, answer.text


# -- queries
@pytest.mark.parametrize("operation", each(WITH_LIMIT))
@pytest.mark.parametrize(
    ("limit", "status"),
    [("0", 422), ("-1", 422), ("201", 422), ("1000000000", 422), ("-9007199254740991", 422), ("9007199254740992", 400),
     ("99999999999999999999", 400), ("1e2", 400), ("0x10", 400), ("+5", 400), (" 5", 400), ("5 ", 400), ("5.0", 400),
     ("NaN", 400), ("null", 400), ("", 400), ("-", 400), ("--1", 400), ("٣", 400), ("1,2", 400), ("5\0", 400)],
)  # fmt: skip
def test_a_limit_that_is_none(scene: Scene, operation: Operation, limit: str, status: int) -> None:
    call = scene.call(operation)
    call.query["limit"] = limit
    body = problem(call.send(scene.api, scene.ann.token), status)
    if status == 422:
        assert body["errors"][0]["field"] == "limit"


@pytest.mark.parametrize(("operation", "name"), [pytest.param(o, name, id=f"{o.id} {name}") for o, name in NUMBERS])
@pytest.mark.parametrize(
    ("value", "status"),
    [(str(TOO_BIG - 1), 200), (str(TOO_BIG), 400), (str(1 << 63), 400), ("9" * 400, 400), ("-1", 422), ("1e3", 400),
     ("1.0", 400), ("0x1", 400), ("", 400), ("one", 400), (str(-TOO_BIG), 400)],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_a_number_that_is_none(scene: Scene, operation: Operation, name: str, value: str, status: int) -> None:
    call = scene.call(operation)
    call.query[name] = value
    answer = call.send(scene.api, scene.ann.token)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert problem(answer, 422)["errors"][0]["field"] == name


@pytest.mark.parametrize("operation", each(CLOSED))
@pytest.mark.parametrize("query", ["unheard_of=1", "LIMIT=1", "limit[]=1", "limit%00=1", "=1", "limit=%zz", "%ff=1"])
def test_a_query_that_is_not_asked_for(scene: Scene, operation: Operation, query: str) -> None:
    call = scene.call(operation)
    path = f"{call.path}?{query}"
    for name, value in call.query.items():
        path += f"&{name}={quote(str(value))}"
    problem(Call(operation, path, {}, call.body).send(scene.api, scene.ann.token), 400)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param(o, p["name"], id=f"{o.id} {p['name']}")
        for o in CLOSED
        for p in o.parameters()
        if p["in"] == "query"
    ],
)
def test_a_parameter_given_twice(scene: Scene, operation: Operation, name: str) -> None:
    call = scene.call(operation)
    call.query[name] = ["1", "1"]
    body = problem(call.send(scene.api, scene.ann.token), 400, "parameter_repeated")
    assert body["errors"][0]["field"] == name


def test_more_parameters_than_anybody_has(scene: Scene) -> None:
    path = "/users?" + "&".join(f"p{n}={n}" for n in range(500))
    problem(scene.ann.request("GET", path), 400)


@pytest.mark.parametrize("operation", each(WITH_CURSOR))
def test_a_cursor_that_is_none(scene: Scene, operation: Operation) -> None:
    """Neither nonsense, nor one of another list, nor one that was changed, ends in more than a 400."""
    foreign = {
        "users": scene.ann.get("/users", query="a", limit=1).json()["next_cursor"],
        "sync": scene.ann.sync(limit=1).json()["next_cursor"],
    }
    cursors = ["x", "====", "AAAA", "A" * 512, "eyJhIjoxfQ", "../..", "%", "0"] + [c for c in foreign.values() if c]
    for cursor in cursors:
        if operation.id == "find_users" and cursor == foreign["users"]:
            continue
        call = scene.call(operation)
        call.query["cursor"] = cursor
        problem(call.send(scene.api, scene.ann.token), 400)


@pytest.mark.parametrize("query", ["%", "_", "*", "' OR 1=1 --", "\\", '"', "a\0b", "%s%n", "\u202e", "x" * 64])
def test_a_search_is_a_text(scene: Scene, query: str) -> None:
    """Nothing in it means anything."""
    answer = scene.ann.get("/users", query=query)
    if "\0" in query:
        problem(answer, 400)
    else:
        assert (answer.status_code, answer.json()["items"]) == (200, [])


@pytest.mark.parametrize("query", ["", "x" * 65, "ü" * 65])
def test_a_search_out_of_range(scene: Scene, query: str) -> None:
    problem(scene.ann.get("/users", query=query), 422)


# -- methods
PATHS = sorted({operation.path for operation in ALL})


@pytest.mark.parametrize("path", PATHS)
def test_methods_that_are_not_there(scene: Scene, path: str) -> None:
    """405, and Allow names exactly those that are."""
    concrete = scene.call(next(o for o in ALL if o.path == path)).path
    offered = {method.upper() for method in METHODS if DOCUMENT.find(method, concrete)} | {"OPTIONS"}
    offered |= {"HEAD"} if "GET" in offered else set()
    headers = {"Authorization": f"Bearer {scene.ann.token}"}
    for method in {*map(str.upper, METHODS), "HEAD"} - offered:
        answer = scene.api.http.request(method, concrete, headers=headers)
        if method == "HEAD":
            assert (answer.status_code, answer.content) == (405, b"")
        else:
            problem(answer, 405, "method_not_allowed")
        assert {word.strip() for word in answer.headers["allow"].split(",")} == offered, method


@pytest.mark.parametrize(
    "method", ["PROPFIND", "LOCK", "TRACE", "CONNECT", "get", "Get", "G", "GE\tT", "PURGE", "X" * 3000]
)
def test_a_method_of_nobody(scene: Scene, method: str) -> None:
    request = f"{method} /api/v1/users/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    status, answer = plain(scene.stack, f"{request}Authorization: Bearer {scene.ann.token}\r\n\r\n".encode())
    assert status in (400, 405, 431, 501), answer
    assert str(scene.ann.token).encode() not in answer, "nothing that was sent comes back"


def test_a_method_is_not_changed_by_a_header(scene: Scene) -> None:
    call = next(scene.call(o) for o in ALL if o.id == "get_me")
    me = scene.ann.get("/users/me").json()
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = call.send(scene.api, scene.ann.token, headers={name: "PATCH"})
        assert (answer.status_code, answer.json()) == (200, me)


def test_head_is_get_without_its_body(scene: Scene) -> None:
    token = {"Authorization": f"Bearer {scene.ann.token}"}
    for operation in ALL:
        if operation.steps[2] != "get":
            continue
        call = scene.call(operation)
        whole = call.send(scene.api, scene.ann.token)
        head = scene.api.http.head(call.path, params=call.query, headers=token)
        assert (head.status_code, head.content) == (whole.status_code, b""), operation.id
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert head.headers.get("etag") == whole.headers.get("etag")


# -- headers
def plain(stack: Stack, request: bytes) -> tuple[int, bytes]:
    """Status and whole answer to these bytes; 0 when there is none."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=15) as wire:
        answer = b""
        try:
            wire.sendall(request)
            while piece := wire.recv(65536):
                answer += piece
        except ConnectionError:
            pass
    return int(answer.split()[1]) if answer else 0, answer


def test_a_flood_of_headers(scene: Scene) -> None:
    """As many as fit are let through; more than fit are refused before anybody reads them."""
    call = next(scene.call(o) for o in ALL if o.id == "get_me")
    some = {f"X-Flood-{n}": "1" for n in range(300)}
    assert call.send(scene.api, scene.ann.token, headers=some).status_code == 200
    flood = b"".join(b"X-Flood-%d: %s\r\n" % (n, b"y" * 50) for n in range(5000))
    status, _ = plain(scene.stack, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
    assert status in (0, 400, 431)
    assert scene.api.http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", (400,)),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", (400, 401)),
        (b"Transfer-Encoding: gzip, chunked\r\n", (400, 501)),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", (400, 501)),
        (b"Content-Length: 99999999999999999999\r\n", (400, 413)),
        (b"Content-Length: 0x2\r\n", (400,)),
        (b"Content-Length : 2\r\n", (400,)),
        (b" Folded: 1\r\n", (400, 411)),
        (b"No colon\r\n", (400,)),
        (b"Na\0me: x\r\n", (400,)),
        (b"Name: a\0b\r\n", (400,)),
        (b"Name: a\rb\r\n", (400,)),
    ],
)
def test_headers_that_are_read_differently_by_different_servers(
    scene: Scene, lines: bytes, statuses: tuple[int, ...]
) -> None:
    """What one takes for the body and the next for a request is refused, or at least never two answers."""
    head = b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + lines
    status, answer = plain(
        scene.stack, head + b"Connection: close\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert status in statuses, answer
    assert b'"status":"ok"' not in answer, "the smuggled request was answered"


@pytest.mark.parametrize(("method", "lines"), [("BREW", b""), ("POST", b"Transfer-Encoding: gzip, chunked\r\n")])
def test_what_is_not_implemented_is_said(scene: Scene, method: str, lines: bytes) -> None:
    head = f"{method} /api/v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    status, answer = plain(scene.stack, head + lines + b"\r\n")
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (status, body["code"]) == (501, "not_implemented")
    assert "method" in body["detail"] and "Transfer-Encoding" in body["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Request-Id", "\xff\xfe"),
        ("X-Request-Id", "a" * 4000),
        ("If-None-Match", "*"),
        ("If-None-Match", '"' + "x" * 4000 + '"'),
        ("If-None-Match", '",,,"",W/'),
        ("If-Match", "nonsense"),
        ("Cookie", "=;=;;stonechat_refresh=;" * 100),
        ("Cookie", "\xff\xfe"),
        ("Origin", "\xff"),
        ("Accept", "text/html;q=0.1,," + "x" * 3000),
        ("Accept-Encoding", "br;q=9,gzip;q=,,"),
        ("Range", "bytes=9-1,-,5-"),
        ("Expect", "something"),
        ("User-Agent", "\xff" + "<script>" * 200),
        ("X-Forwarded-For", "' OR 1=1 --"),
        ("traceparent", "00-zz-zz-01"),
        ("Idempotency-Key", "x" * 4000),
        ("Content-Length", "0"),
        ("Proxy", "http://evil.example"),
    ],
)
def test_a_header_with_nonsense_breaks_nothing(scene: Scene, name: str, value: str) -> None:
    for operation_id in ("get_me", "list_messages", "log_in"):
        call = next(scene.call(o) for o in ALL if o.id == operation_id)
        if name == "Content-Length" and call.body:
            continue
        answer = call.send(scene.api, scene.ann.token, headers={name: value.encode("latin-1")})
        assert answer.status_code < 500, answer.text
        if not answer.is_success and answer.status_code not in (304, 417):
            problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "key",
    ["{id}x", "{id},{id}", '"{id}"', "urn:uuid:{id}", "{{{id}}}", "{id}\t{id}", "\xff", "x" * 4000, "0",
     "null", "gggggggg-gggg-gggg-gggg-gggggggggggg", "-" * 36],
)  # fmt: skip
@pytest.mark.parametrize("operation", each(WITH_KEY))
def test_an_idempotency_key_that_is_none(scene: Scene, operation: Operation, key: str) -> None:
    call, before = scene.call(operation), len(scene.bob.history(scene.conversation_id))
    given = key.format(id=new_id()).encode("latin-1")
    answer = call.send(scene.api, scene.ann.token, headers={"Idempotency-Key": given})
    body = problem(answer, 400, "idempotency_key_invalid")
    assert body["errors"][0]["field"] == "Idempotency-Key"
    assert len(scene.bob.history(scene.conversation_id)) == before


@pytest.mark.parametrize("operation", each(WITH_KEY))
def test_an_idempotency_key_unlike_the_id(scene: Scene, operation: Operation) -> None:
    call, chosen = scene.call(operation), new_id()
    body = dump((call.body or {}) | {"id": chosen})
    other = call.send(scene.api, scene.ann.token, content=body, headers=JSON | {"Idempotency-Key": new_id()})
    assert problem(other, 422, "idempotency_key_differs")["errors"][0]["field"] == "id"
    same = call.send(scene.api, scene.ann.token, content=body, headers=JSON | {"Idempotency-Key": chosen.upper()})
    assert (same.status_code, same.json()["id"]) == (201, chosen)
