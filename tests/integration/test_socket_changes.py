"""Changes of messages and read cursors over the WebSocket: two people with several sockets, mixed frames,
retries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from support.client import Json, Person, new_id
from support.live import Live
from support.waiting import wait_until

WAVE = "👋"


class Room:
    """Ann with two sockets, Bob with two devices, and a message by Ann."""

    def __init__(self, ann: Person, bob: Person, stack: ExitStack) -> None:
        self.ann, self.bob = ann, bob
        self.message = ann.say(bob, "Helo")
        self.id: str = self.message["conversation_id"]
        self.mine, self.mine_too = stack.enter_context(ann.connect()), stack.enter_context(ann.connect(direct=True))
        self.theirs = stack.enter_context(bob.connect())
        self.theirs_too = stack.enter_context(bob.another_device().connect(direct=True))
        self.sockets = [self.mine, self.mine_too, self.theirs, self.theirs_too]
        self.where = {"conversation_id": self.id, "message_id": self.message["id"]}

    def stream(self, live: Live, last_rev: int) -> list[Json]:
        """All events of the conversation that a socket has got, once it has the one of `last_rev`."""
        live.wait_for(lambda o: "type" in o and o.get("rev") == last_rev, f"the event of rev {last_rev}")
        live.barrier()
        return [o for o in live.objects if "type" in o and "rev" in o and o.get("conversation_id") == self.id]


@pytest.fixture
def room(ann: Person, bob: Person) -> Iterator[Room]:
    with ExitStack() as stack:
        yield Room(ann, bob, stack)


def test_every_socket_gets_every_change_once_and_in_order(room: Room) -> None:
    begin = room.message["rev"]
    room.theirs.request("reaction.add", **room.where, emoji=WAVE)
    room.mine.request("message.edit", **room.where, content="Hello")
    room.mine_too.say("more", conversation_id=room.id)
    room.theirs_too.request("reaction.remove", **room.where, emoji=WAVE)
    last = room.mine.request("message.delete", **room.where)
    expected = ["reaction.updated", "message.updated", "message.created", "reaction.updated", "message.deleted"]
    streams = [room.stream(live, last["rev"]) for live in room.sockets]
    assert [o["type"] for o in streams[0]] == expected
    assert [o["rev"] for o in streams[0]] == list(range(begin + 1, begin + 6))
    assert all(stream == streams[0] for stream in streams)


def test_replies_to_mixed_frames_keep_their_order(room: Room) -> None:
    """What is refused at once, refused by the database, unchanged or done: each is answered in its turn."""
    frames: list[tuple[str, Json, str | None]] = [
        ("message.send", {"conversation_id": room.id, "content": "x"}, None),
        ("message.edit", room.where | {"content": ""}, "bad_request"),
        ("message.edit", room.where | {"content": "Hello"}, None),
        ("reaction.add", room.where | {"emoji": WAVE}, None),
        ("reaction.add", room.where | {"message_id": new_id(), "emoji": WAVE}, "message_not_found"),
        ("message.edit", room.where | {"message_id": "x", "content": "x"}, "message_not_found"),
        ("reaction.remove", room.where | {"emoji": WAVE}, None),
    ]
    numbers = [room.mine.ask(type_, **keys) for _ in range(5) for type_, keys, _ in frames]
    for number, (_, _, code) in zip(numbers, frames * 5, strict=True):
        reply = room.mine.reply(number)
        assert reply["ok"] is (code is None), reply
        assert code is None or reply["error"]["code"] == code
    assert [o["reply_to"] for o in room.mine.objects if o.get("reply_to") in set(numbers)] == numbers


def test_a_frame_whose_reply_was_lost_is_sent_again(room: Room) -> None:
    """On another socket, as after a reconnect: answered as before, and nothing is announced twice."""
    for type_, keys in (
        ("message.edit", {"content": "Hello"}),
        ("reaction.add", {"emoji": WAVE}),
        ("reaction.remove", {"emoji": WAVE}),
        ("message.delete", {}),
    ):
        first = room.mine.request(type_, **room.where, **keys)
        again = room.mine_too.request(type_, **room.where, **keys)
        assert (first["ok"], again["ok"], again["unchanged"]) == (True, True, True), again
        assert again["message"] == first["message"] and again["rev"] == first["rev"]
    assert len(room.stream(room.theirs, first["rev"])) == 4


@pytest.mark.parametrize("case", ["edit", "delete", "stranger", "deleted", "react"])
def test_a_refusal_has_the_same_code_at_both_doors(room: Room, eve: Person, case: str) -> None:
    who = {"edit": room.bob, "delete": room.bob, "stranger": eve}.get(case, room.ann)
    if case in ("deleted", "react"):
        assert room.mine.request("message.delete", **room.where)["ok"]
    path = f"/conversations/{room.id}/messages/{room.message['id']}"
    if case == "delete":
        type_, keys, answer = "message.delete", {}, who.request("DELETE", path)
    elif case == "react":
        answer = who.request("PUT", f"{path}/reactions/{quote(WAVE)}")
        type_, keys = "reaction.add", {"emoji": WAVE}
    else:
        type_, keys = "message.edit", {"content": "mine"}
        answer = who.request("PATCH", path, json=keys)
    with who.connect() as live:
        reply = live.request(type_, **room.where, **keys)
    assert answer.status_code >= 400 and not reply["ok"]
    assert reply["error"]["code"] == answer.json()["code"]


@pytest.mark.parametrize("chosen_by", ["id", "Idempotency-Key"])
def test_a_send_refused_at_both_doors_names_what_each_was_given(room: Room, chosen_by: str) -> None:
    """The same code; the field is the key or header that the request has, never one that it has not."""
    taken = room.message["id"]
    body = {"content": "another"} | ({"id": taken} if chosen_by == "id" else {})
    headers = {} if chosen_by == "id" else {chosen_by: taken}
    answer = room.ann.request("POST", f"/conversations/{room.id}/messages", json=body, headers=headers)
    error = room.mine.request("message.send", conversation_id=room.id, message_id=taken, content="another")["error"]
    assert (answer.status_code, answer.json()["code"], error["code"]) == (409, "id_reused", "id_reused")
    assert [one["field"] for one in answer.json()["errors"]] == [chosen_by]
    assert (error["field"], error["detail"]) == ("message_id", answer.json()["detail"])


SENDS: list[tuple[str, Json, Json]] = [
    ("an empty text", {"content": ""}, {"content": ""}),
    ("a text that is none", {"content": 7}, {"content": 7}),
    ("no text", {}, {}),
    ("an id that is none", {"content": "x", "id": "x"}, {"content": "x", "message_id": "x"}),
    ("a reply to what is no id", {"content": "x", "reply_to_id": "x"}, {"content": "x", "reply_to_id": "x"}),
    ("a reply to nothing", {"content": "x", "reply_to_id": new_id()}, {"content": "x", "reply_to_id": new_id()}),
    ("an unknown key", {"content": "x", "colour": 1}, {"content": "x", "colour": 1}),
]


@pytest.mark.parametrize(("body", "keys"), [pytest.param(body, keys, id=name) for name, body, keys in SENDS])
def test_a_send_of_a_wrong_shape_is_refused_alike(room: Room, body: Json, keys: Json) -> None:
    answer = room.ann.request("POST", f"/conversations/{room.id}/messages", json=body)
    error = room.mine.request("message.send", conversation_id=room.id, **keys)["error"]
    assert (answer.status_code in (400, 422), error["code"]) == (True, "bad_request")
    [named] = answer.json()["errors"]
    in_a_body = [error[key].replace("message_id", "id") for key in ("field", "detail")]
    assert in_a_body == [named["field"], named["detail"]]


@pytest.mark.parametrize("nowhere", ["x", "", "stranger's", "nobody's"])
def test_a_send_to_nowhere_is_refused_alike(room: Room, eve: Person, nowhere: str) -> None:
    """What cannot be an id names no conversation, as an id of nobody's; of people, a door tells the two apart."""
    where = {"stranger's": eve.conversation_with(eve), "nobody's": new_id()}.get(nowhere, nowhere)
    answer = room.ann.request("POST", f"/conversations/{where or '%20'}/messages", json={"content": "x"})
    error = room.mine.request("message.send", conversation_id=where, content="x")["error"]
    assert (answer.status_code, answer.json()["code"], error["code"]) == (404, *["conversation_not_found"] * 2)
    assert "field" not in error and "errors" not in answer.json()
    whom = {"stranger's": new_id(), "nobody's": new_id()}.get(nowhere, nowhere)
    answer = room.ann.send_direct(whom, "x")
    error = room.mine.request("message.send", recipient_id=whom, content="x")["error"]
    assert error["field"] == answer.json()["errors"][0]["field"] == "recipient_id"
    assert (error["code"] == "user_not_found") is (answer.status_code == 404)
    assert (error["code"] == "bad_request") is (answer.status_code == 422)


def test_a_cursor_moves_on_all_sockets_of_its_person(room: Room) -> None:
    reply = room.theirs.request("read.update", conversation_id=room.id, seq=1)
    for live in (room.theirs, room.theirs_too):
        event = live.event("read.updated", me=reply["me"])
        assert (event["conversation_id"], event["seq"], event["user_id"]) == (room.id, 1, room.bob.id)
    said = room.mine.say("still here", conversation_id=room.id)["message"]
    for live in room.sockets:
        assert live.created(said["id"]), "the streams go on"
    told = [o for o in room.mine.objects if o.get("type") == "read.updated"]
    assert not [o for o in told if "me" in o], "it is no change of the other's stream"
    lower = room.theirs_too.request("read.update", conversation_id=room.id, seq=0)
    assert (lower["read_seq"], lower["me"]) == (1, reply["me"])
    refused = room.theirs.request("read.update", conversation_id="x", seq=1)
    assert refused["error"]["code"] == "conversation_not_found"


def test_a_cursor_without_an_id_gets_no_reply_whatever_becomes_of_it(room: Room) -> None:
    here = {"type": "read.update", "conversation_id": room.id}
    for frame in (
        here | {"seq": 1},
        here | {"seq": 99},
        here | {"seq": 1, "id": None},
        here | {"seq": "1"},
        here | {"seq": 1, "conversation_id": "x"},
        here,
    ):
        room.theirs.send(frame)
    assert room.theirs.request("read.update", conversation_id=room.id, seq=1)["read_seq"] == 1
    room.theirs.barrier()
    replies = [o["reply_to"] for o in room.theirs.objects if "reply_to" in o]
    assert None not in replies and len(replies) == 3, "hello, the one with an id, the pong"
    wait_until(lambda: room.bob.conversations()[0]["unread_count"] == 0, "it has moved")
