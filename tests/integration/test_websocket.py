"""The WebSocket by itself: upgrade, auth, hello, frames, close codes; through lighttpd and on the push port."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from websockets.exceptions import InvalidStatus

from support.client import Person, new_id
from support.live import Live
from support.shared import MakePerson, MakeStack
from support.stack import Stack
from support.waiting import wait_until

DOORS = [pytest.param(False, id="lighttpd"), pytest.param(True, id="push")]

# A bound of the contract (a close within N seconds) is held with this much patience, for slow machines.
PATIENCE = 3


def url(stack: Stack, direct: bool) -> str:
    return stack.push_url if direct else stack.url


# -- upgrade
@pytest.mark.parametrize("direct", DOORS)
@pytest.mark.parametrize("protocol", [None, "stonechat.v2", "chat"])
def test_upgrade_needs_the_subprotocol(stack: Stack, direct: bool, protocol: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Live(url(stack, direct), protocol=protocol)
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize("direct", DOORS)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"]
)
def test_upgrade_refuses_a_foreign_origin(stack: Stack, direct: bool, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Live(url(stack, direct), origin=origin)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("direct", DOORS)
def test_upgrade_takes_its_own_origin(ann: Person, direct: bool) -> None:
    where = url(ann.stack, direct)
    with Live(where, origin=where) as live:
        assert live.connection.subprotocol == "stonechat.v1"
        live.authenticate(str(ann.token))


def test_upgrade_takes_an_origin_of_the_settings(make_stack: MakeStack) -> None:
    stack = make_stack({"public.origins": "https://chat.example"})
    Live(stack.url, origin="https://chat.example").close()
    with pytest.raises(InvalidStatus):
        Live(stack.url, origin="https://other.example")


# -- auth and hello
@pytest.mark.parametrize("direct", DOORS)
def test_hello(ann: Person, direct: bool) -> None:
    with ann.connect(direct=direct) as live:
        hello = live.hello
        assert hello["user_id"] == ann.id
        assert hello["connection_id"] and hello["node"] and hello["epoch"]
        assert isinstance(hello["me"], int)
        assert hello["server_time"].endswith("Z")
        assert hello["heartbeat_ms"] == 25000
        assert hello["mode"] == "normal"
        assert 0 < hello["token_expires_in"] <= 600
        assert hello["limits"]["frame_bytes"] == 65536
        assert not hello.get("sync_required")


def test_each_socket_has_its_own_id(ann: Person) -> None:
    with ann.connect() as one, ann.connect() as two:
        assert one.hello["connection_id"] != two.hello["connection_id"]
        assert one.hello["epoch"] == two.hello["epoch"] == ann.sync().json()["epoch"]


def test_auth_comes_in_time_or_not_at_all(stack: Stack) -> None:
    began = time.monotonic()
    live = Live(stack.url)
    assert live.wait_closed(5 * PATIENCE) == 4408
    assert time.monotonic() - began >= 4.5, "five seconds are everybody's"


def test_the_time_for_auth_is_a_setting(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.auth_ms": "300"})
    assert Live(stack.url).wait_closed(0.3 * PATIENCE + 1) == 4408


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 5000])
def test_a_bad_token_ends_it(stack: Stack, token: str) -> None:
    live = Live(stack.url)
    assert live.request("auth", token=token)["error"]["code"] == "token_invalid"
    assert (live.wait_closed(), live.connection.close_reason) == (4401, "token_invalid")


@pytest.mark.parametrize("keys", [{}, {"token": None}, {"token": 7}, {"token": ""}, {"token": "x", "known": []}])
def test_an_auth_frame_of_a_wrong_shape_lets_nobody_in(stack: Stack, keys: dict[str, object]) -> None:
    live = Live(stack.url)
    assert live.request("auth", **keys)["error"]["code"] == "bad_request"
    assert (live.wait_closed(), live.connection.close_reason) == (4400, "bad_frame")


def test_the_token_of_a_session_that_ended(ann: Person) -> None:
    ann.log_out()
    live = Live(ann.stack.url)
    assert live.request("auth", token=ann.token)["error"]["code"] == "session_ended"
    assert (live.wait_closed(), live.connection.close_reason) == (4403, "session_ended")


def test_nothing_else_before_auth(ann: Person, bob: Person) -> None:
    live = Live(ann.stack.url)
    refused = live.request("message.send", recipient_id=bob.id, content="sneaky")
    assert refused["error"]["code"] == "unauthorized"
    assert (live.wait_closed(), live.connection.close_reason) == (4401, "unauthorized")
    assert live.objects == [refused]
    assert bob.conversations() == []


def test_auth_refresh_on_the_open_socket(make_stack: MakeStack) -> None:
    stack = make_stack({"auth.access_token_s": "4"})
    ann = Person.new(stack)
    began = time.monotonic()
    with ann.connect() as kept, ann.connect() as left:
        wait_until(lambda: time.monotonic() - began > 2, "half its time is over")
        fresh = ann.refresh(str(ann.refresh_token)).json()
        reply = kept.request("auth.refresh", token=fresh["access_token"])
        assert reply["ok"] is True
        assert left.wait_closed(4 * PATIENCE) == 4401
        assert kept.request("ping")["ok"] is True, "its new token lives a little longer"
        assert kept.wait_closed(4 * PATIENCE) == 4401


def test_auth_refresh_takes_no_other_persons_token(ann: Person, bob: Person) -> None:
    with ann.connect() as live:
        refused = live.request("auth.refresh", token=bob.token)
        assert (refused["ok"], refused["error"]["code"]) == (False, "other_session")
        bob.say(bob, "only for bob")
        live.barrier()
        assert not [o for o in live.objects if o.get("type") == "message.created"]


# -- messages
@pytest.mark.parametrize("direct", DOORS)
def test_a_message_reaches_every_socket_of_both(ann: Person, bob: Person, direct: bool) -> None:
    room = ann.conversation_with(bob)
    sockets = [ann.connect(direct=direct), ann.connect(), bob.connect(direct=direct), bob.connect()]
    reply = sockets[0].say("hi", conversation_id=room)
    message = reply["message"]
    assert reply["rev"] == message["rev"]
    for live in sockets:
        event = live.created(message["id"])
        assert event["conversation_id"] == room
        assert event["rev"] == message["rev"]
        assert event["message"] == message
        assert "me" not in event
    for live in sockets:
        live.barrier()
        assert len(live.all_created(room)) == 1, "once"
        live.close()
    assert ann.history(room)[-1] == message


def test_a_message_by_rest_reaches_every_socket(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    with ann.connect() as mine, bob.connect() as theirs:
        message = ann.send(room, "by rest").json()
        assert mine.created(message["id"])["message"] == message
        assert theirs.created(message["id"])["message"] == message


def test_strangers_hear_nothing(ann: Person, bob: Person, eve: Person) -> None:
    room = ann.conversation_with(bob)
    with eve.connect() as outside, bob.connect() as inside:
        inside.created(ann.send(room, "private").json()["id"])
        refused = outside.request("message.send", conversation_id=room, content="let me in")
        assert refused["ok"] is False
        assert refused["error"]["code"].endswith("not_found")
        outside.barrier()
        assert not [o for o in outside.objects if "message" in o or "conversation_id" in o]


@pytest.mark.parametrize("first_by", ["rest", "websocket"])
def test_the_first_direct_message_arrives(ann: Person, bob: Person, first_by: str) -> None:
    """Both are connected before there is a conversation: it is announced, and starts by a snapshot."""
    with ann.connect() as mine, bob.connect() as theirs:
        before = theirs.hello["me"]
        message = ann.say(bob, "first") if first_by == "rest" else mine.say("first", recipient_id=bob.id)["message"]
        room = message["conversation_id"]
        for live, person in ((mine, ann), (theirs, bob)):
            announced = live.wait_for(
                lambda o: o.get("type") == "conversation.created" and o["conversation"]["id"] == room,
                "conversation.created",
            )
            assert announced["me"] >= 1
            assert "rev" not in announced
            assert {m["user_id"] for m in announced["conversation"]["members"]} == {ann.id, bob.id}
            snapshot = live.event("changes", conversation_id=room)
            assert snapshot["snapshot"] is True
            assert snapshot["conversation"]["id"] == room
            assert message["id"] in {m["id"] for m in snapshot["messages"]}
            assert snapshot["last_rev"] >= message["rev"]
            assert person.get(f"/conversations/{room}").status_code == 200
        assert theirs.event("conversation.created")["me"] == before + 1
        second = theirs.say("second", conversation_id=room)["message"]
        assert mine.created(second["id"])["rev"] == second["rev"]
        assert theirs.created(second["id"])["rev"] == second["rev"]


def test_the_id_rule_is_the_same_here(ann: Person, bob: Person) -> None:
    chosen = new_id()
    stored = ann.say(bob, "once", id=chosen)
    room = stored["conversation_id"]
    with ann.connect() as live:
        again = live.say("once", conversation_id=room, message_id=chosen)
        assert again["message"] == stored
        refused = live.request("message.send", conversation_id=room, message_id=chosen, content="twice")
        assert refused["error"]["code"] == "id_reused"
        assert refused["error"]["retryable"] is False
        fresh = new_id()
        assert live.say("new", recipient_id=bob.id, message_id=fresh)["message"]["id"] == fresh
    replay = ann.send_direct(bob.id, "new", id=fresh)
    assert (replay.status_code, replay.headers["idempotent-replayed"]) == (200, "true")


def test_replies_come_in_the_order_of_the_requests(ann: Person, bob: Person) -> None:
    """64 in flight: first in, first out, and each event once for everybody."""
    room = ann.conversation_with(bob)
    with ann.connect() as mine, bob.connect() as theirs:
        numbers = [mine.ask("message.send", conversation_id=room, content=f"{n}") for n in range(256)]
        replies = [mine.reply(number) for number in numbers]
        assert all(reply["ok"] for reply in replies)
        got = [o["reply_to"] for o in mine.objects if o.get("reply_to") in set(numbers)]
        assert got == numbers
        assert [r["message"]["seq"] for r in replies] == list(range(2, 258))
        for live in (mine, theirs):
            live.created(replies[-1]["message"]["id"])
            revs = [o["rev"] for o in live.all_created(room)]
            assert revs == [r["rev"] for r in replies]


def test_a_fan_out_to_many_sockets(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    listeners = [bob.connect(direct=n % 2 == 0) for n in range(14)]
    with ann.connect() as mine:
        replies = mine.say_many([f"{n} " + "x" * 3000 for n in range(64)], conversation_id=room)
        ids = [reply["message"]["id"] for reply in replies]
    for live in listeners:
        live.created(ids[-1])
        assert [o["message"]["id"] for o in live.all_created(room)] == ids
        live.close()


def test_objects_are_separated_by_newlines(ann: Person, bob: Person) -> None:
    """A frame holds one or more objects, each on a line of its own; text with newlines stays inside its object."""
    with ann.connect() as live:
        live.say("two\nlines\n\nand more", recipient_id=bob.id)
        for n in range(50):
            live.ask("ping") if n % 2 else live.ask("message.send", recipient_id=bob.id, content=f"{n}\n")
        live.barrier()
        for frame in live.frames:
            for line in frame.removesuffix("\n").split("\n"):
                assert isinstance(json.loads(line), dict)


# -- what is wrong
Send = Callable[[Live], None]
CLOSES: list[tuple[str, Send, int]] = [
    ("not json", lambda live: live.send_raw("hello"), 4400),
    ("empty", lambda live: live.send_raw(""), 4400),
    ("two objects", lambda live: live.send_raw('{"id":1,"type":"ping"}\n{"id":2,"type":"ping"}'), 4400),
    ("an array", lambda live: live.send_raw("[]"), 4400),
    ("no type", lambda live: live.send_raw('{"id":1}'), 4400),
    ("deep", lambda live: live.send_raw('{"type":"ping","id":' + "[" * 5000 + "]" * 5000 + "}"), 4400),
    ("binary", lambda live: live.send_raw(b'{"id":1,"type":"ping"}'), 1003),
    ("too big", lambda live: live.send_raw('{"id":1,"type":"ping","x":"' + "x" * 70000 + '"}'), 4413),
    ("broken utf-8", lambda live: live.send_broken_utf8(), 1007),
]


@pytest.mark.parametrize("direct", DOORS)
@pytest.mark.parametrize(("send", "code"), [pytest.param(send, code, id=name) for name, send, code in CLOSES])
def test_frames_that_end_the_socket(ann: Person, send: Send, code: int, direct: bool) -> None:
    live = ann.connect(direct=direct)
    send(live)
    assert live.wait_closed() == code


@pytest.mark.parametrize(
    "keys",
    [
        {"type": "no.such.type"},
        {"type": "ping", "unknown": 1},
        {"type": "message.send", "content": "to nobody"},
        {"type": "message.send", "recipient_id": "x", "content": 7},
        {"type": "message.send", "recipient_id": new_id(), "conversation_id": new_id(), "content": "both"},
        {"type": "message.send", "conversation_id": new_id(), "content": "x", "seq": 1},
        {"type": "auth.refresh"},
    ],
)
def test_frames_that_get_a_bad_request(ann: Person, keys: dict[str, object]) -> None:
    with ann.connect() as live:
        live.send({"id": 77} | keys)
        reply = live.reply(77)
        assert reply["ok"] is False
        assert reply["error"]["code"] == "bad_request", reply
        assert reply["error"]["retryable"] is False
        assert live.request("ping")["ok"] is True, "the socket stays"


def test_errors_of_a_send(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    with ann.connect() as live:
        for content in ("", "x" * 4001, "bell\a"):
            refused = live.request("message.send", conversation_id=room, content=content)
            assert refused["ok"] is False
        nobody = live.request("message.send", recipient_id=new_id(), content="x")
        nowhere = live.request("message.send", conversation_id=new_id(), content="x")
        assert nobody["error"]["code"].endswith("not_found")
        assert nowhere["error"]["code"].endswith("not_found")
        assert live.say("well", conversation_id=room)["message"]["seq"] == 2


def test_too_many_frames(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.frames_per_second": "20", "limits.frames_burst": "60"})
    ann = Person.new(stack)
    live = ann.connect()
    numbers = [live.ask("ping") for _ in range(120)]
    replies = [live.reply(number) for number in numbers]
    refused = [reply for reply in replies if not reply["ok"]]
    assert all(reply["ok"] for reply in replies[:50])
    assert 20 <= len(refused) <= 61
    assert refused[0]["error"]["code"] == "rate_limited"
    assert refused[0]["error"]["retryable"] is True
    assert refused[0]["error"]["retry_after_ms"] > 0
    live.close()


def test_too_many_sockets(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.sockets_per_user": "3"})
    ann, bob = Person.new(stack), Person.new(stack)
    sockets = [ann.connect() for _ in range(3)]
    one_more = Live(stack.url)
    assert one_more.request("auth", token=ann.token)["error"]["code"] == "too_many_connections"
    assert one_more.wait_closed() == 4430
    bob.connect().close()
    sockets[0].close()

    def gets_in() -> Live | None:
        live = Live(stack.url)
        return live if live.request("auth", token=ann.token)["ok"] else None

    assert wait_until(gets_in, "a place is free again")


# -- liveness and revocation
def test_the_server_pings(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.heartbeat_ms": "300"})
    ann = Person.new(stack)
    with ann.connect() as live, ann.connect(direct=True) as direct:
        assert live.hello["heartbeat_ms"] == 300
        wait_until(lambda: live.pings >= 3 and direct.pings >= 3, "pings from the server")
        assert live.request("ping")["ok"] is True


@pytest.mark.parametrize("direct", DOORS)
def test_log_out_closes_its_sockets_within_a_second(ann: Person, direct: bool) -> None:
    other = ann.another_device()
    with other.connect() as stays:
        sockets = [ann.connect(direct=direct), ann.connect(direct=direct)]
        ann.log_out()
        for live in sockets:
            assert live.wait_closed(1.0 * PATIENCE) == 4403
            assert live.connection.close_reason
            assert [o for o in live.objects if o.get("type") == "session.revoked"]
        stays.barrier()
        assert stays.open


def test_push_ends_gracefully_with_open_sockets(own_stack: Stack) -> None:
    ann = Person.new(own_stack)
    live = ann.connect()
    status, took_s = own_stack.push.end()
    assert status == 0
    assert took_s < 5
    assert live.wait_closed() in (1001, 4001)
    own_stack.push.killed = True


def test_two_people_type_at_once(person: MakePerson) -> None:
    """A whole conversation over the wire; both see one order."""
    one, two = person(), person()
    room = one.conversation_with(two)
    with one.connect() as first, two.connect(direct=True) as second:
        asked = [(live, live.ask("message.send", conversation_id=room, content="x")) for live in (first, second) * 15]
        assert all(live.reply(number)["ok"] for live, number in asked)
        history = one.history(room)
        assert len(history) == 31
        for live in (first, second):
            live.created(history[-1]["id"])
            assert [o["message"] for o in live.all_created(room)] == history[1:]
