"""What a WebSocket client must not send, by bytes and by frames: what push/PROTOCOL.md says of each.

The sizes, fragments and upgrades that test_wire.py and test_websocket.py try are not repeated here."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest
from websockets.exceptions import InvalidStatus

from support import truth
from support.client import Json, Person, new_id
from support.exchange import Request, exchange, upgrade_headers
from support.live import Live
from support.problems import problem
from support.protocol import examples, is_from_client
from support.shared import MakeStack
from support.stack import Stack
from support.tokens import forged
from support.wire import BINARY, CLOSE, CONTINUATION, FRAME_BYTES, PING, PONG, TEXT, Wire, frame, raw_frame

FIN = 128
PING_7 = b'{"id":7,"type":"ping"}'
# message.send has two examples: to a conversation, and to a person.
LIVE_FRAMES = [
    pytest.param(e, id=e["type"] + (" to a person" if "recipient_id" in e else ""))
    for e in examples()
    if is_from_client(e) and e["type"] != "auth"
]


# -- broken frames (RFC 6455 5); 0: the connection ends without a close frame
BROKEN: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("RSV1", raw_frame(FIN | 64 | TEXT, PING_7), (1002,)),
    ("RSV2", raw_frame(FIN | 32 | TEXT, PING_7), (1002,)),
    ("RSV3", raw_frame(FIN | 16 | TEXT, PING_7), (1002,)),
    ("RSV1 on a ping", raw_frame(FIN | 64 | PING, b"x"), (1002,)),
    ("opcode 3", raw_frame(FIN | 3, PING_7), (1002,)),
    ("opcode 7", raw_frame(FIN | 7, PING_7), (1002,)),
    ("opcode 11", raw_frame(FIN | 11, b""), (1002,)),
    ("opcode 15", raw_frame(FIN | 15, b""), (1002,)),
    ("a ping in fragments", raw_frame(PING, b"x"), (1002,)),
    ("a ping of 126 bytes", raw_frame(FIN | PING, b"x" * 126), (0, 1002)),
    ("a pong of 126 bytes", raw_frame(FIN | PONG, b"x" * 126), (0, 1002)),
    ("a continuation of nothing", raw_frame(FIN | CONTINUATION, PING_7), (1002,)),
    ("a text within a text", raw_frame(TEXT, PING_7[:9]) + raw_frame(FIN | TEXT, PING_7), (1002,)),
    ("a binary frame in fragments", raw_frame(BINARY, b"x") + raw_frame(FIN | CONTINUATION, b"x"), (1003,)),
    ("a binary frame within a text", raw_frame(TEXT, PING_7[:9]) + raw_frame(FIN | BINARY, b"x"), (1002, 1003)),
    ("an empty binary frame", raw_frame(FIN | BINARY, b""), (1003,)),
    ("invalid UTF-8 in the second fragment", raw_frame(TEXT, b'{"id":"') + raw_frame(FIN, b'\xc3\x28"}'), (1007,)),
    ("a character cut off at the end", raw_frame(FIN | TEXT, b'{"id":1,"type":"ping"}\xe2\x82'), (1007,)),
    ("a character that does not go on", raw_frame(TEXT, b'{"id":"\xe2') + raw_frame(FIN, b'"}'), (1007,)),
    ("overlong UTF-8", raw_frame(FIN | TEXT, b'{"type":"\xc0\xaf"}'), (1007,)),
    ("UTF-8 of a surrogate", raw_frame(FIN | TEXT, b'{"type":"\xed\xa0\x80"}'), (1007,)),
    ("UTF-8 beyond Unicode", raw_frame(FIN | TEXT, b'{"type":"\xf4\x90\x80\x80"}'), (1007,)),
    ("random bytes", os.urandom(40000), (1002, 1003, 1007, 4400, 4413)),
    ("a length below zero", bytes([FIN | TEXT, 255]) + b"\xff" * 8 + b"\0\0\0\0", (0, 1002, 4413)),
    ("HTTP again", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20, (1002, 1003, 1007, 4400, 4413)),
]


@pytest.mark.parametrize("live", [True, False], ids=["after hello", "before hello"])
@pytest.mark.parametrize(("data", "codes"), [pytest.param(data, codes, id=name) for name, data, codes in BROKEN])
def test_broken_frames_end_the_socket(
    stack: Stack, ann: Person, data: bytes, codes: tuple[int, ...], live: bool
) -> None:
    with Wire(stack).upgrade() as wire:
        if live:
            wire.authenticate(ann)
        wire.socket.sendall(data)
        assert wire.end() in codes


@pytest.mark.parametrize(
    "reason", [b"\x03", b"", b"\x03\xe8" + b"\xff", b"\x00\x00", b"\x03\xed", b"\x13\x88" + b"x" * 123]
)
def test_a_close_frame_of_a_wrong_shape_still_closes(stack: Stack, ann: Person, reason: bytes) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.send(reason, CLOSE)
        wire.end()
        assert wire.closed()


def test_an_unmasked_frame_harms_nobody(stack: Stack, ann: Person, bob: Person) -> None:
    """RFC 6455 5.1 wants it refused; at least it is read as what it says or ends its own socket."""
    with bob.connect() as other, Wire(stack).upgrade().authenticate(ann) as wire:
        wire.socket.sendall(raw_frame(FIN | TEXT, PING_7, masked=False))
        opcode, payload = wire.receive()
        assert opcode == CLOSE or json.loads(payload)["reply_to"] == 7
        other.barrier()


def test_a_mask_is_only_a_mask(stack: Stack, ann: Person) -> None:
    """Of zeros or not: what counts is what comes out."""
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.socket.sendall(bytes([FIN | TEXT, 128 | len(PING_7)]) + b"\0\0\0\0" + PING_7)
        assert wire.reply(7)["ok"] is True
        wire.socket.sendall(bytes([FIN | TEXT, 128 | len(PING_7)]) + b"\1\2\3\4" + PING_7)
        assert wire.end() in (1007, 4400)


def test_pings_and_pongs(stack: Stack, ann: Person) -> None:
    """Each is answered with its bytes (libwebsockets wants text in them); a pong nobody asked for means nothing."""
    with Wire(stack).upgrade().authenticate(ann) as wire:
        for data in (b"", b"x", b"x" * 125):
            wire.send(data, PONG)
            wire.send(data, PING)
            assert wire.receive() == (PONG, data)
        assert wire.ping(7)["ok"] is True


def test_a_flood_of_pings_stops_nobody_else(stack: Stack, ann: Person, bob: Person) -> None:
    with bob.connect() as other, Wire(stack).upgrade().authenticate(ann) as wire:
        wire.socket.sendall(b"".join(frame(b"flood %d" % n, PING) for n in range(20000)))
        other.barrier()
        wire.send(PING_7)
        assert wire.reply_among_pongs(7)["ok"] is True


# -- frames of no shape
TEXTS = {
    "white space": " ",
    "a number": "7",
    "a string": '"ping"',
    "null": "null",
    "a list of a frame": '[{"id":1,"type":"ping"}]',
    "two frames": '{"id":1,"type":"ping"}{"id":2,"type":"ping"}',
    "a duplicate key": '{"id":1,"type":"ping","type":"auth"}',
    "a type that is no text": '{"id":1,"type":7}',
    "a type that is null": '{"id":1,"type":null}',
    "NUL in the type": '{"id":1,"type":"ping\\u0000"}',
    "NUL in an id": '{"id":"\\u0000","type":"ping"}',
    "a NUL byte": '{"id":1,\0"type":"ping"}',
    "a control character": '{"id":"\x01","type":"ping"}',
    "a byte order mark": '\ufeff{"id":1,"type":"ping"}',
    "a lone surrogate": '{"id":"\\ud800","type":"ping"}',
    "a number beyond all": '{"id":1e999,"type":"ping"}',
    "an integer of 65 bits": '{"id":36893488147419103232,"type":"ping"}',
    "Infinity": '{"id":Infinity,"type":"ping"}',
    "single quotes": "{'id':1,'type':'ping'}",
    "objects, deep": '{"type":"ping","id":' + '{"a":' * 5000 + "1" + "}" * 5001,
    "lists without end": '{"type":"ping","id":' + "[" * 60000,
}


@pytest.mark.parametrize("live", [True, False], ids=["after hello", "before hello"])
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items()])
def test_frames_that_are_no_frames(stack: Stack, ann: Person, text: str, live: bool) -> None:
    socket = ann.connect() if live else Live(stack.url)
    socket.send_raw(text)
    assert socket.wait_closed() == 4400
    assert socket.connection.close_reason == "bad_frame"


@pytest.mark.parametrize(
    "number", [1.5, True, [], {}, [1], "x" * 65, "ü" * 33, -0.0, 1e10, 2**53, -(2**63)], ids=lambda v: repr(v)[:10]
)
def test_an_id_that_is_none(ann: Person, number: object) -> None:
    """Its reply cannot say whose it is."""
    with ann.connect() as live:
        live.send({"id": number, "type": "ping"})
        reply = live.wait_for(lambda o: "reply_to" in o and o["reply_to"] is None, "a reply to nobody")
        assert reply["error"]["code"] == "bad_request"
        assert live.request("ping")["ok"] is True


@pytest.mark.parametrize("number", [0, -1, 2**53 - 1, 1 - 2**53, "", "x" * 64, "ü" * 32, "\n", "💬"])
def test_an_id_comes_back_as_it_was(ann: Person, number: object) -> None:
    with ann.connect() as live:
        live.send({"id": number, "type": "ping"})
        assert live.wait_for(lambda o: "reply_to" in o and o["reply_to"] == number, "its reply")["ok"] is True


def test_a_frame_without_id_is_answered_to_nobody(ann: Person) -> None:
    with ann.connect() as live:
        live.send({"type": "ping"})
        assert live.wait_for(lambda o: o.get("type") == "pong", "pong")["reply_to"] is None


@pytest.mark.parametrize(
    "type_", ["", "PING", "ping ", "message", "hello", "message.created", "x" * 60000, "../ping", "%s"]
)
def test_a_type_that_is_not_known(ann: Person, type_: str) -> None:
    with ann.connect() as live:
        refused = live.request(type_)
        assert (refused["ok"], refused["error"]["code"]) == (False, "bad_request")
        assert refused["error"]["retryable"] is False
        assert type_ == "" or type_ not in refused["error"]["detail"], "what is sent is not repeated"
        assert live.request("ping")["ok"] is True


# -- keys of the frames of the document
WRONG: dict[type, list[object]] = {
    str: [7, True, None, [], {}, 1.5],
    int: ["7", True, None, [], {}, 1.5, 2**53, -(2**60)],
    list: ["x", True, None, 7, {}, [7], ["x"], [None]],
}
STORE_NOTHING = ("ping", "auth.refresh", "typing.start", "presence.watch")


@pytest.mark.parametrize("example", LIVE_FRAMES)
def test_an_unknown_key_is_refused(ann: Person, bob: Person, example: Json) -> None:
    here = standing_in(example, ann, bob)
    with ann.connect() as live:
        for extra in ("unheard_of", "Content", "", "__proto__", "k" * 50000):
            refused = live.request(**without_id(here) | {extra: 1})
            assert refused["ok"] is False
            assert refused["error"]["code"] == "bad_request"
        assert live.request("ping")["ok"] is True


@pytest.mark.parametrize("example", LIVE_FRAMES)
def test_a_key_of_a_wrong_type_is_refused(ann: Person, bob: Person, example: Json) -> None:
    here = standing_in(example, ann, bob)
    optional = {"message.send": {"message_id", "reply_to_id", "conversation_id", "recipient_id"}}
    with ann.connect() as live:
        for key in here.keys() - {"id", "type"}:
            for value in WRONG[type(here[key])]:
                if value is None and key in optional.get(here["type"], set()):
                    continue
                refused = live.request(**without_id(here) | {key: value})
                assert refused["ok"] is False, f"{key}: {value!r}"
                assert refused["error"]["code"] == "bad_request", f"{key}: {value!r}"
                assert refused["error"]["field"] == key
        assert live.request("ping")["ok"] is True
    assert len(ann.history(ann.conversation_with(bob))) == 2, "nothing was said"


@pytest.mark.parametrize("example", LIVE_FRAMES)
def test_an_id_of_nobody_is_not_found(ann: Person, bob: Person, eve: Person, example: Json) -> None:
    """Neither one that is nobody's, nor one of others."""
    here = standing_in(example, ann, bob)
    codes = {
        "conversation_id": "conversation_not_found",
        "recipient_id": "user_not_found",
    } | ({} if here["type"] == "message.send" else {"message_id": "message_not_found"})
    chosen = {"recipient_id": "bad_request"}  # by whom it is made up, as in a REST body (422)
    with ann.connect() as live, eve.connect() as stranger:
        for key in codes.keys() & here.keys():
            refused = live.request(**without_id(here) | {key: new_id()})
            assert refused["ok"] is False
            assert refused["error"]["code"] == codes[key]
            for bad in ("", "x", "%", "' OR 1=1 --", "x" * 5000):
                refused = live.request(**without_id(here) | {key: bad})
                assert refused["error"]["code"] == chosen.get(key, codes[key]), refused
        if "conversation_id" in here:
            refused = stranger.request(**without_id(here))
            assert refused["error"]["code"] == "conversation_not_found"


def without_id(frame_: Json) -> Json:
    """As keywords of Live.request, whose first is the type."""
    return {key: value for key, value in frame_.items() if key not in ("id", "type")} | {"type_": frame_["type"]}


def standing_in(example: Json, ann: Person, bob: Person) -> Json:
    """The example with ids that exist, said by Ann."""
    said = ann.say(bob, "hello")
    here = {
        "conversation_id": said["conversation_id"],
        "recipient_id": bob.id,
        "message_id": new_id() if example["type"] == "message.send" else said["id"],
        "reply_to_id": said["id"],
        "token": ann.token,
        "seq": 1,
    }
    return example | {key: value for key, value in here.items() if key in example}


CONTENTS = {
    "nothing": "",
    "4,001 characters": "x" * 4001,
    "more than 16 KiB": "𝄞" * 4000 + "x" * 400,
    "a bell": "\a",
    "an escape": "\x1b[0m",
    "C1": "\x9b",
    "DEL": "\x7f",
    "a carriage return": "a\r\n",
}


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in CONTENTS.items()])
@pytest.mark.parametrize("type_", ["message.send", "message.edit"])
def test_content_out_of_range(ann: Person, bob: Person, type_: str, content: str) -> None:
    said = ann.say(bob, "hello")
    with ann.connect() as live:
        keys = {"conversation_id": said["conversation_id"], "content": content}
        if type_ == "message.edit":
            keys["message_id"] = said["id"]
        refused = live.request(type_, **keys)
        assert refused["error"]["code"] == "bad_request"
        assert refused["error"]["field"] == "content"
    assert ann.history(said["conversation_id"]) == [said]


@pytest.mark.parametrize(
    ("keys", "advice"),
    [({"recipient_id": new_id(), "conversation_id": new_id()}, "leave out"), ({}, "is required")],
    ids=["both", "neither"],
)
def test_a_message_goes_to_one_place(ann: Person, keys: Json, advice: str) -> None:
    with ann.connect() as live:
        error = live.request("message.send", content="to whom?", **keys)["error"]
        assert error["code"] == "bad_request"
        assert '"conversation_id"' in error["detail"] and '"recipient_id"' in error["detail"]
        assert advice in error["detail"]


# -- before hello
@pytest.mark.parametrize("direct", [False, True], ids=["lighttpd", "push"])
def test_forged_tokens_let_nobody_in(ann: Person, direct: bool) -> None:
    for name, token in forged(ann.stack, str(ann.token)).items():
        live = Live(ann.stack.push_url if direct else ann.stack.url)
        special = {"expired": "token_expired", "a session that never was": "session_ended"}
        code = special.get(name, "token_invalid")
        assert live.request("auth", token=token)["error"]["code"] == code, name
        assert live.wait_closed() == (4403 if code == "session_ended" else 4401), name
        assert live.connection.close_reason == code, name


@pytest.mark.parametrize(
    "end",
    [truth.revoke_sessions, truth.expire_sessions, truth.disable_user, truth.delete_user],
    ids=lambda f: f.__name__,
)
def test_who_has_ended_does_not_get_in(stack: Stack, ann: Person, end: Callable[[Stack, str], None]) -> None:
    end(stack, ann.id)
    live = Live(stack.url)
    assert live.request("auth", token=ann.token)["error"]["code"] == "session_ended"
    assert live.wait_closed(4) == 4403, "and the connection with it, at once"


@pytest.mark.parametrize("example", [p for p in LIVE_FRAMES if p.id not in STORE_NOTHING])
def test_who_has_ended_says_nothing_any_more(stack: Stack, ann: Person, bob: Person, example: Json) -> None:
    """The session is asked for in the transaction that stores, whatever the socket has heard; then it closes. Typing
    and presence.watch store nothing and ask nothing."""
    here = standing_in(example, ann, bob)
    room = ann.conversation_with(bob)
    before = bob.history(room)
    with ann.connect() as live:
        truth.revoke_sessions(stack, ann.id)
        assert live.request(**without_id(here))["error"]["code"] == "session_ended"
        assert (live.wait_closed(), live.connection.close_reason) == (4403, "session_ended")
    assert bob.history(room) == before


KNOWN: dict[str, Json] = {
    "a list": {"known": []},
    "501 conversations": {"known": {new_id(): 1 for _ in range(501)}},
    "a key that is no id": {"known": {"x": 1}},
    "a rev that is no number": {"known": {new_id(): "1"}},
    "a rev of a fraction": {"known": {new_id(): 1.5}},
    "a rev below zero": {"known": {new_id(): -1}},
    "a rev beyond 2^53": {"known": {new_id(): 2**53}},
    "me below zero": {"me": -1},
    "me as text": {"me": "1"},
    "me beyond 2^53": {"me": 2**53},
    "a count below zero": {"known": {}, "known_count": -1},
    "a count beyond 2^53": {"known": {}, "known_count": 2**53},
    "an epoch that is a number": {"epoch": 7},
    "an unknown key": {"unheard_of": 1},
}


@pytest.mark.parametrize("keys", [pytest.param(keys, id=name) for name, keys in KNOWN.items()])
def test_an_auth_of_a_wrong_shape(ann: Person, keys: Json) -> None:
    """A good token does not help."""
    live = Live(ann.stack.url)
    assert live.request("auth", token=ann.token, **keys)["error"]["code"] == "bad_request"
    assert live.wait_closed() == 4400


def test_what_is_not_there_is_known_by_nobody(ann: Person, bob: Person) -> None:
    """500 conversations that never were, and a good one at a revision that it has not reached."""
    room = ann.conversation_with(bob)
    known = {new_id(): 2**53 - 1 for _ in range(499)} | {room: 10**9}
    with ann.connect(epoch=ann.sync().json()["epoch"], me=0, known=known, known_count=2**53 - 1) as live:
        assert live.hello["sync_required"] is True
        gap = live.event("gap", conversation_id=room)
        assert gap["reset"] is True
        live.barrier()


@pytest.mark.parametrize("type_", ["auth", "hello", "session.revoked"])
def test_a_second_auth_is_refused(ann: Person, bob: Person, type_: str) -> None:
    with ann.connect() as live:
        refused = live.request(type_, token=bob.token)
        assert refused["error"]["code"] == "bad_request"
        bob.say(bob, "for bob alone")
        live.barrier()
        assert not [o for o in live.objects if o.get("type") == "message.created"]


def test_bytes_before_auth_do_not_buy_time(make_stack: MakeStack) -> None:
    """Neither pings nor a frame that never ends put it off."""
    stack = make_stack({"limits.auth_ms": "1000"})
    began = time.monotonic()
    with Wire(stack).upgrade() as wire:
        wire.send(b'{"id":1,"type":"au', fin=False)
        for _ in range(8):
            wire.send(b"still here", PING)
            wire.send(b" ", CONTINUATION, fin=False)
        assert wire.end() == 4408
        assert 0.9 < time.monotonic() - began < 5


# -- floods
def test_two_hundred_frames_a_second(make_stack: MakeStack) -> None:
    """First refused, with how long to wait; who goes on for five seconds is closed. The next one is let in as ever."""
    stack = make_stack({"limits.frames_per_second": "20", "limits.frames_burst": "60"})
    ann = Person.new(stack)
    live = ann.connect()
    began, sent = time.monotonic(), 0
    while live.open and time.monotonic() - began < 20:
        due = int((time.monotonic() - began) * 200)
        for _ in range(sent, due):
            live.send_if_open({"id": sent, "type": "ping"})
            sent += 1
        live.wait_a_moment(0.01)
    assert live.wait_closed() == 4029
    assert live.connection.close_reason == "too_many_requests"
    assert 4.5 < time.monotonic() - began < 15, "five seconds of it, after the burst"
    refused = [o["error"] for o in live.objects if o.get("ok") is False]
    assert refused and {error["code"] for error in refused} == {"rate_limited"}
    assert all(error["retryable"] is True and error["retry_after_ms"] > 0 for error in refused)
    assert "wait for retry_after_ms" in refused[0]["detail"]
    accepted = sum(1 for o in live.objects if o.get("type") == "pong")
    assert 100 < accepted < 60 + 20 * 15 + 20, "the sustained rate is served all the while"
    with ann.connect() as again:
        assert again.request("ping")["ok"] is True


# -- upgrades
@pytest.mark.parametrize("direct", [False, True], ids=["lighttpd", "push"])
@pytest.mark.parametrize(
    "origin",
    ["https://127.0.0.1.evil.example", "file://", "chrome-extension://abc", "http://[::1]", "//127.0.0.1", "*",
     "about:blank", "http://user@127.0.0.1", "http://127.0.0.1@evil.example", "x" * 500],
)  # fmt: skip
def test_an_origin_that_is_foreign(stack: Stack, direct: bool, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Live(stack.push_url if direct else stack.url, origin=origin)
    assert refused.value.response.status_code == 403


HANDSHAKES: list[tuple[str, str | None]] = [
    *[("Sec-WebSocket-Version", version) for version in (None, "12", "", "x", "13, 12", "013")],
    *[("Sec-WebSocket-Key", key) for key in (None, "", "x", "x" * 23, "x" * 25, "x" * 200)],
]


@pytest.mark.parametrize(("name", "value"), HANDSHAKES)
@pytest.mark.parametrize("direct", [False, True], ids=["lighttpd", "push"])
def test_a_handshake_that_is_none(stack: Stack, direct: bool, name: str, value: str | None) -> None:
    """It is answered at both doors, and with what would be one (RFC 6455 4.2.2)."""
    headers = [header for header in upgrade_headers() if header[0] != name]
    headers += [] if value is None else [(name, value)]
    answer = exchange(stack.push_port if direct else stack.port, Request(path="/ws", headers=headers))
    assert answer is not None
    problem(answer, 426, "upgrade_required")
    assert (answer.headers["upgrade"], answer.headers["sec-websocket-version"]) == ("websocket", "13")


@pytest.mark.parametrize("protocol", ["stonechat.v1, stonechat.v2", "chat, stonechat.v1", "stonechat.v1,"])
def test_the_subprotocol_among_others(stack: Stack, ann: Person, protocol: str) -> None:
    with Wire(stack) as wire:
        wire.ask_upgrade(Sec_WebSocket_Protocol=protocol)
        assert wire.answer()[0] == 101
        wire.authenticate(ann)


@pytest.mark.parametrize("protocol", ["STONECHAT.V1", "stonechat.v1x", "stonechat", "stonechat.v1;q=1", ",", "x" * 200])
def test_a_subprotocol_that_is_another(stack: Stack, protocol: str) -> None:
    with Wire(stack) as wire:
        wire.ask_upgrade(Sec_WebSocket_Protocol=protocol)
        assert wire.answer()[0] == 400


@pytest.mark.parametrize("offer", ["permessage-deflate", "permessage-deflate; x=y, foo, bar;baz", "x" * 60])
def test_an_extension_is_not_used(stack: Stack, ann: Person, offer: str) -> None:
    """And a frame that is compressed all the same is a broken one."""
    with Wire(stack).upgrade(Sec_WebSocket_Extensions=offer).authenticate(ann) as wire:
        assert wire.ping(7)["ok"] is True
        wire.socket.sendall(raw_frame(FIN | 64 | TEXT, b"\xaaV*\xc8\xccKW\xb2R\x02\x00"))
        assert wire.end() == 1002


# -- the end
def test_after_all_this_it_still_works(stack: Stack, ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    with ann.connect() as mine, bob.connect(direct=True) as theirs, Wire(stack).upgrade().authenticate(bob) as wire:
        message = mine.say("still here", conversation_id=room)["message"]
        assert theirs.created(message["id"])["message"] == message
        wire.send(b'{"id":8,"type":"ping"}'.ljust(FRAME_BYTES))
        assert wire.reply(8)["ok"] is True
    assert stack.push.running
