"""What a client must not send, at every operation that could be sent it: bodies, tokens, names.

The operations, their keys and their parameters come from api/openapi.yaml, so that a new one is tried as soon as it is
documented. What single operations make of wrong values is tested with them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from support import truth
from support.client import PASSWORD, Api, Json, Person, new_name
from support.exchange import Request, exchange
from support.openapi import Operation, load
from support.problems import problem
from support.scene import Call, Scene, dump, each
from support.shared import Shared
from support.stack import Stack
from support.tokens import claims_of, forged, sign, signing_key

DOCUMENT = load()
ALL = DOCUMENT.operations
WITH_BODY = [operation for operation in ALL if operation.body_schema()]
CLOSED = [operation for operation in ALL if operation.closed]
JSON = {"Content-Type": "application/json"}
TOO_BIG = 1 << 53


@pytest.fixture(scope="module")
def scene(shared: Shared) -> Iterator[Scene]:
    scene = Scene(shared.stack)
    yield scene
    scene.close()


def send(scene: Scene, call: Call, body: bytes, kind: str | None = "application/json") -> httpx.Response:
    headers = {"Content-Type": kind} if kind else {}
    token = scene.ann.token if call.operation.closed else None  # it would log her out
    return call.send(scene.api, token, content=body, headers=headers)


# -- bodies of no operation's shape
def doubled(body: bytes) -> bytes:
    """The first key once more."""
    whole: Json = json.loads(body) or {"refresh_token": "x"}
    return body.rstrip(b"}") + (b"," if json.loads(body) else b'"refresh_token":"x",') + dump(whole)[1:]


def first_key(body: bytes) -> str:
    return str(next(iter(json.loads(body)), "refresh_token"))


def with_text(text: bytes) -> Callable[[bytes], bytes]:
    """The body whose first key has this, as it stands, for its value."""
    return lambda body: b'{"%s":%s}' % (first_key(body).encode(), text)


MALFORMED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("cut", lambda body: body[:-1]),
    ("doubled", lambda body: body + body),
    ("null", lambda body: b"null"),
    ("a list", lambda body: b"[" + body + b"]"),
    ("a string", lambda body: json.dumps(body.decode()).encode()),
    ("a number", lambda body: b"7"),
    ("white space", lambda body: b" \n"),
    ("single quotes", lambda body: b"{'a':1}"),
    ("a trailing comma", lambda body: body.rstrip(b"}") + b",}"),
    ("a comment", lambda body: b"/* */" + body),
    ("a byte order mark", lambda body: b"\xef\xbb\xbf" + body),
    ("UTF-16", lambda body: body.decode().encode("utf-16")),
    ("a duplicate key", doubled),
    ("an unknown key", lambda body: body.rstrip(b"}") + (b"," if len(body) > 2 else b"") + b'"unheard_of":1}'),
    ("an unknown key of 4 KB", lambda body: b'{"' + b"k" * 4000 + b'":1}'),
    ("a key of another case", lambda body: body.replace(b'"', b'"X_', 1) if len(body) > 2 else b'{"Refresh_Token":""}'),
    ("an empty key", lambda body: b'{"":1}'),
    ("__proto__", lambda body: b'{"__proto__":{"role":"admin"}}'),
    ("a NUL in a string", with_text(b'"a\\u0000b"')),
    ("a NUL in a key", lambda body: b'{"a\\u0000b":1}'),
    ("a NUL byte", lambda body: body.replace(b"{", b"{\0", 1)),
    ("a NUL byte after it", lambda body: body + b"\0"),
    ("a raw control character", with_text(b'"a\x01b"')),
    ("a raw line feed", with_text(b'"a\nb"')),
    ("invalid UTF-8", with_text(b'"\xff\xfe"')),
    ("overlong UTF-8", with_text(b'"\xc0\xaf\xe0\x80\xaf"')),
    ("UTF-8 of a surrogate", with_text(b'"\xed\xa0\x80"')),
    ("UTF-8 beyond Unicode", with_text(b'"\xf4\x90\x80\x80"')),
    ("UTF-8 cut short", with_text(b'"\xe2\x82"')),
    ("a lone surrogate", with_text(b'"\\ud800"')),
    ("surrogates the wrong way round", with_text(b'"\\udc00\\ud800"')),
    ("a bad escape", with_text(b'"\\x41"')),
    ("lists without end", with_text(b"[" * 3900)),
    ("lists, deep", with_text(b"[" * 1900 + b"]" * 1900)),
    ("objects, deep", with_text(b'{"a":' * 600 + b"1" + b"}" * 600)),
    ("just too deep", with_text(b"[" * 32 + b"]" * 32)),
    ("Infinity", with_text(b"Infinity")),
    ("a number beyond all", with_text(b"1e999")),
    ("a number of 4,000 digits", with_text(b"9" * 4000)),
    ("gzip", gzip.compress),
]


@pytest.mark.parametrize("operation", each(WITH_BODY))
@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=name) for name, spoil in MALFORMED])
def test_a_body_of_no_shape(scene: Scene, operation: Operation, spoil: Callable[[bytes], bytes]) -> None:
    call = scene.call(operation)
    good = dump(call.body)
    bad = spoil(good)
    assert bad != good
    body = problem(send(scene, call, bad), 400)
    assert body["retryable"] is False
    assert len(body["detail"]) < 200
    assert all(len(error["field"]) <= 64 for error in body.get("errors", []))


SECRET = "Tr0ub4dor&3"
STRANGE_KEYS = {
    "a password": SECRET,
    "3 KB of it": SECRET * 300,
    "capitals": "REFRESH_TOKEN",
    "4 KB of words": "key_" * 1000,
    "2 KB of characters": "𝄞" * 500,
    "marks of direction": "\u202econtent\u2066" * 5,
    "control characters": "a\x01\x1b[31m",
    "line feeds": "a\r\nSet-Cookie: x=1",
    "quotes": '"},"code":"mine',
    "markup": "<script>alert(1)</script>",
    "a format": "%s%n%99999d",
}


@pytest.mark.parametrize("operation", each(WITH_BODY))
@pytest.mark.parametrize("key", [pytest.param(key, id=name) for name, key in STRANGE_KEYS.items()])
def test_an_unknown_key_that_looks_like_none_of_ours(scene: Scene, operation: Operation, key: str) -> None:
    """Somebody's password where a key should be, or a text made up to be shown: it is not repeated."""
    call = scene.call(operation)
    answer = send(scene, call, dump((call.body or {}) | {key: 1}))
    body = problem(answer, 400, "unknown_key")
    assert body["detail"] == "One of the keys is not known here; leave it out."
    assert "errors" not in body
    assert SECRET not in answer.text


@pytest.mark.parametrize("operation", each(WITH_BODY))
@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "application/json, text/plain",
        "json",
        "*/*",
        None,
    ],
)
def test_a_body_of_another_media_type(scene: Scene, operation: Operation, kind: str | None) -> None:
    """A form of a foreign page can send only types that are not JSON without being asked about."""
    call = scene.call(operation)
    problem(send(scene, call, dump(call.body or {}), kind), 415, "media_type")


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_no_body_at_all(scene: Scene, operation: Operation) -> None:
    answer = send(scene, scene.call(operation), b"")
    if operation.spec["requestBody"]["required"]:
        problem(answer, 400, "invalid_json")
    else:
        assert answer.status_code in (201, 204, 401), "as if it were an empty object"


# -- keys of a wrong type, one by one
def keys(operation: Operation) -> Iterator[tuple[str, str, bool]]:
    """Name, type and whether it is required, of each key of the body."""
    found = operation.body_schema()
    assert found
    schema, _ = found
    example = operation.body_example() or {}
    for one in schema.get("oneOf", []):
        variant, _ = DOCUMENT.resolve(one, ())
        if example.keys() <= variant["properties"].keys():
            schema = variant
    for name, at in schema["properties"].items():
        spec = DOCUMENT.resolve(at.get("oneOf", [at])[0], ())[0]
        kind = spec.get("type", "string")
        kind = kind if isinstance(kind, str) else next(one for one in kind if one != "null")
        yield name, kind, name in schema.get("required", [])


KEYS = [(o, name, kind, required) for o in WITH_BODY for name, kind, required in keys(o)]
VALUES: Json = {
    "string": "text",
    "integer": 7,
    "number": 1.5,
    "big": TOO_BIG,
    "huge": 1 << 63,
    "boolean": True,
    "array": [],
    "object": {},
}


@pytest.mark.parametrize(
    ("operation", "name", "kind"), [pytest.param(o, name, kind, id=f"{o.id} {name}") for o, name, kind, _ in KEYS]
)
def test_a_key_of_a_wrong_type(scene: Scene, operation: Operation, name: str, kind: str) -> None:
    call = scene.call(operation)
    for other, value in VALUES.items():
        if other == kind:
            continue
        body = problem(send(scene, call, dump((call.body or {}) | {name: value})), 400)
        if other != "huge":
            assert body["code"] == "wrong_type", f"{other}: {body}"
            assert body["errors"][0]["field"] == name


@pytest.mark.parametrize(
    ("operation", "name"), [pytest.param(o, name, id=f"{o.id} {name}") for o, name, _, required in KEYS if required]
)
def test_a_key_that_is_missing(scene: Scene, operation: Operation, name: str) -> None:
    call = scene.call(operation)
    assert call.body
    without = {key: value for key, value in call.body.items() if key != name}
    body = problem(send(scene, call, dump(without)), 400, "missing_key")
    assert body["errors"][0]["field"] == name
    problem(send(scene, call, dump(call.body | {name: None})), 400, "wrong_type")


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param(o, name, id=f"{o.id} {name}")
        for o, name, kind, _ in KEYS
        if kind == "string" and "password" not in name
    ],
)
@pytest.mark.parametrize("character", ["\x01", "\x1b", "\x7f", "\x85", "\u202e\x02"], ids=ascii)
def test_a_control_character_in_a_key(scene: Scene, operation: Operation, name: str, character: str) -> None:
    """Legal JSON, but no text of ours: it names the field, or is simply not found."""
    call = scene.call(operation)
    answer = send(scene, call, dump((call.body or {}) | {name: f"a{character}b"}))
    opaque = {
        "refresh_token": (401, 204),
        "cursor": (400,),
        "epoch": (200,),
        "username": (422, 401),
        "invite_code": (403,),
    }
    expected = opaque.get(name, (422,))
    assert answer.status_code in expected, answer.text
    if answer.status_code == 422:
        assert problem(answer, 422)["errors"][0]["field"] == name


def test_a_password_may_hold_control_characters(scene: Scene) -> None:
    """8 to 1,024 bytes of anything; only NUL cannot be (docs/decisions/0007)."""
    name, password = new_name(), "\x01\x02\x7f\x85\n\t\x1b[0m"
    assert scene.api.sign_up(name, password).status_code == 201
    assert scene.api.log_in(name, password).status_code == 200
    problem(scene.api.sign_up(new_name(), "with\0nul."), 400, "invalid_json")
    problem(scene.api.log_in(name, password + "\0"), 400, "invalid_json")


ADVICE: list[tuple[str, str, Json, str]] = [
    ("mark_read", "seq", {"seq": -1}, "from 0 to the conversation's last_seq"),
    ("mark_read", "seq", {"seq": 1 << 40}, "from 0 to the conversation's last_seq"),
    ("change_password", "current_password", {"current_password": "not this one"}, "enter the one that you log in with"),
    ("create_conversation", "kind", {"kind": "party"}, 'must be "direct" or "group"'),
    ("create_conversation", "user_id", {"user_id": "bob"}, "must be a UUID: the id of a person"),
    ("send_direct_message", "recipient_id", {"recipient_id": "bob"}, "must be a UUID: 32 hexadecimal digits"),
    ("send_message", "id", {"id": "1"}, "must be a UUID: 32 hexadecimal digits"),
    ("send_message", "colour", {"colour": "red"}, "leave it out"),
]


@pytest.mark.parametrize(
    ("operation_id", "field", "changed", "advice"),
    [pytest.param(*row, id=f"{row[0]} {row[1]} {n}") for n, row in enumerate(ADVICE)],
)
def test_a_refusal_says_what_to_do(scene: Scene, operation_id: str, field: str, changed: Json, advice: str) -> None:
    call = next(scene.call(o) for o in ALL if o.id == operation_id)
    answer = send(scene, call, dump((call.body or {}) | changed))
    body = problem(answer, answer.status_code)
    assert 400 <= answer.status_code < 500
    assert [error["field"] for error in body["errors"]] == [field]
    assert advice in body["detail"] and body["detail"].endswith(".")


# -- sizes
@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_a_body_at_its_limit_and_one_byte_over(scene: Scene, operation: Operation) -> None:
    """White space counts. At the limit it is read: this one is refused for what it says."""
    call, limit = scene.call(operation), operation.spec["x-stonechat-body-bytes"]
    problem(send(scene, call, b'{"unheard_of":1}'.ljust(limit)), 400, "unknown_key")
    problem(send(scene, call, dump(call.body or {}).ljust(limit + 1)), 413)


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_a_body_of_a_megabyte(scene: Scene, operation: Operation) -> None:
    problem(send(scene, scene.call(operation), b'{"content":"' + b"x" * (1 << 20) + b'"}'), 413)


def test_a_body_of_a_megabyte_in_chunks(scene: Scene) -> None:
    """Nothing said beforehand how long it would be."""
    call = next(scene.call(o) for o in ALL if o.id == "send_message")
    head = Request("POST", call.path, [*JSON.items(), ("Transfer-Encoding", "chunked")])
    answer = exchange(scene.stack.port, head.encode() + (b"4000\r\n" + b"x" * 16384 + b"\r\n") * 64 + b"0\r\n\r\n")
    assert answer is not None, "it is answered, though not all of it has been read"
    problem(answer, 413)


def test_a_body_in_chunks_is_a_body(scene: Scene) -> None:
    call = next(scene.call(o) for o in ALL if o.id == "send_message")
    headers = JSON | {"Authorization": f"Bearer {scene.ann.token}", "Transfer-Encoding": "chunked"}
    head = Request("POST", call.path, [*headers.items()])
    answer = exchange(scene.stack.port, head.encode() + b'b\r\n{"content":\r\n9\r\n"in two"}\r\n0\r\n\r\n')
    assert answer is not None
    assert (answer.status_code, answer.json()["content"]) == (201, "in two")


@pytest.fixture
def own_scene(shared: Shared) -> Iterator[Scene]:
    """For what is really done: a person may be gone afterwards."""
    scene = Scene(shared.stack)
    yield scene
    scene.close()


@pytest.mark.parametrize("operation", each([o for o in CLOSED if not o.body_schema()]))
def test_a_body_where_none_is_read(own_scene: Scene, operation: Operation) -> None:
    """It is refused with a GET and left alone otherwise, however it looks."""
    scene = own_scene
    call = scene.call(operation, message_id=scene.ann.say(scene.bob, "another one")["id"])
    headers = JSON | {"Authorization": f"Bearer {scene.ann.token}"}
    target = httpx.URL(scene.stack.url + call.path, params=call.query or None).raw_path.decode()
    # Past the recorder: that it is left alone is no promise of the contract.
    answer = exchange(scene.stack.port, Request(call.method, target, [*headers.items()], b"\xff{" * 1000).encode())
    assert answer is not None
    if call.method == "GET":
        problem(answer, 400)
    else:
        assert answer.is_success, answer.text


# -- tokens
def test_forged_tokens_let_nobody_in(scene: Scene) -> None:
    good = str(scene.ann.token)
    assert sign(signing_key(scene.stack), claims_of(good)) != ""
    call = next(scene.call(o) for o in ALL if o.id == "get_me")
    assert call.send(scene.api, sign(signing_key(scene.stack), claims_of(good))).status_code == 200, "we can sign"
    for name, token in forged(scene.stack, good).items():
        answer = call.send(scene.api, token)
        assert answer.status_code == 401, f"{name}: {answer.text}"
        assert problem(answer, 401)["code"] in ("token_invalid", "token_expired", "session_ended"), name
        assert answer.headers["www-authenticate"].startswith("Bearer"), name


@pytest.mark.parametrize("operation", each(CLOSED))
@pytest.mark.parametrize(
    "wrong", ["another key", "alg none", "expired", "another audience", "a session that never was"]
)
def test_no_operation_takes_a_forged_token(scene: Scene, operation: Operation, wrong: str) -> None:
    answer = scene.call(operation).send(scene.api, forged(scene.stack, str(scene.ann.token))[wrong])
    problem(answer, 401)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "bearer:{t}", "Basic {t}", "Token {t}", "{t}", "Bearer {t}, Bearer {t}", "Bearer {t} x",
     'Bearer "{t}"', "Bearer\t{t}", "Bearer {t}.", "Bearer {t}=", "Bearer .{t}", "BearerX {t}"],
)  # fmt: skip
def test_a_good_token_in_a_bad_header(scene: Scene, header: str) -> None:
    call = next(scene.call(o) for o in ALL if o.id == "get_me")
    given = header.format(t=scene.ann.token)
    problem(call.send(scene.api, headers={"Authorization": given}), 401)


def test_a_token_in_the_query_or_a_cookie_is_none(scene: Scene) -> None:
    """Addresses end up in logs and histories."""
    call = next(scene.call(o) for o in ALL if o.id == "get_me")
    for name in ("access_token", "token"):
        problem(scene.api.http.get(call.path, params={name: str(scene.ann.token)}), 401)
    problem(call.send(scene.api, headers={"Cookie": f"access_token={scene.ann.token}; token={scene.ann.token}"}), 401)


ENDS: list[tuple[str, Callable[[Stack, str], None]]] = [
    ("session revoked", truth.revoke_sessions),
    ("session over", truth.expire_sessions),
    ("user disabled", truth.disable_user),
    ("user deleted", truth.delete_user),
]


@pytest.mark.parametrize("end", [pytest.param(end, id=name) for name, end in ENDS])
def test_who_has_ended_is_out_at_once(stack: Stack, end: Callable[[Stack, str], None]) -> None:
    """By access token, by refresh token, and by password where the account itself has ended."""
    scene = Scene(stack)
    calls = [scene.call(operation) for operation in CLOSED]
    assert scene.ann.get("/users/me").status_code == 200
    end(stack, scene.ann.id)
    for call in calls:
        answer = call.send(scene.api, scene.ann.token)
        assert answer.status_code == 401, f"{call.operation.id}: {answer.status_code} {answer.text}"
        problem(answer, 401)
    problem(scene.ann.refresh(str(scene.ann.refresh_token)), 401)
    back = scene.api.log_in(scene.ann.username)
    assert back.status_code == (401 if end in (truth.disable_user, truth.delete_user) else 200)
    assert [m["id"] for m in scene.bob.history(scene.conversation_id)][-1] == scene.message["id"], "nothing was done"
    assert scene.bob.history(scene.conversation_id)[-1] == scene.message
    scene.close()


def test_a_refused_log_in_tells_nothing(stack: Stack, ann: Person, bob: Person) -> None:
    """A disabled person is answered as one who isn't there."""
    truth.disable_user(stack, ann.id)
    api = Api(stack)
    said = []
    for name, password in ((ann.username, PASSWORD), (bob.username, "wrong password"), (new_name(), PASSWORD)):
        body = problem(api.log_in(name, password), 401)
        body.pop("request_id")
        said.append(body)
    assert said[0] == said[1] == said[2]


# -- names
@pytest.mark.parametrize("change", ["K", "ſ", "İ", "ａ", "а"])  # noqa: RUF001
def test_a_name_that_only_looks_like_another(scene: Scene, change: str) -> None:
    """Letters that fold to, or look like, those of a name that is taken: never a second such name."""
    taken = new_name("kelvins_ai")[:30]
    assert scene.api.sign_up(taken).status_code == 201
    looks = {"K": "k", "ſ": "s", "İ": "i", "ａ": "a", "а": "a"}[change]  # noqa: RUF001
    answer = scene.api.sign_up(taken.replace(looks, change))
    assert answer.status_code in (409, 422), answer.text
    problem(answer, answer.status_code)
    if answer.status_code == 422:
        problem(scene.api.log_in(taken.replace(looks, change)), 401)


@pytest.mark.parametrize(
    "name",
    ["a\tbc", "abc\n", " abc", "abc ", "a/b/c", "a%20b", "a\u200bbc", "ab\u0301c", "a@b.c", "日本語", "a" * 4000],
)
def test_a_name_that_is_none(scene: Scene, name: str) -> None:
    assert problem(scene.api.sign_up(name), 422)["errors"][0]["field"] == "username"
    problem(scene.api.log_in(name), 401)


@pytest.mark.parametrize(
    "content", ["%s%s%n", "'; DROP TABLE messages; --", "${jndi:ldap://x}", "{{7*7}}", "\\u0000", "$1"]
)
def test_a_text_means_nothing(scene: Scene, content: str) -> None:
    message = scene.ann.say(scene.bob, content)
    assert message["content"] == content
    assert scene.bob.history(scene.conversation_id)[-1]["content"] == content


def test_after_all_this_it_still_works(scene: Scene) -> None:
    """The whole scene once more, on the stack that has seen it all."""
    again = Scene(scene.stack)
    with again.bob.connect() as live:
        message = again.ann.say(again.bob, "still here")
        assert live.created(message["id"])["message"] == message
    assert scene.stack.api.running and scene.stack.push.running
    again.close()
