"""A person who is disabled or deleted while their sockets are open: nothing of theirs is accepted from that moment on,
and the sockets end, also when no record tells of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support import truth
from support.client import Json, Person
from support.problems import problem
from support.shared import MakePerson
from support.stack import Stack

PATIENCE = 3
HEADS_CHECK_S = 5.0
WAVE = "👋"
ENDS = pytest.mark.parametrize("end", [truth.disable_user, truth.delete_user], ids=lambda f: f.__name__)


@ENDS
def test_their_sockets_end_without_a_record(
    stack: Stack, person: MakePerson, end: Callable[[Stack, str], None]
) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    phone, laptop = ann.connect(), ann.another_device().connect(direct=True)
    with bob.connect() as other:
        end(stack, ann.id)
        truth.announce_person(stack, ann.id)
        for live in (phone, laptop):
            assert live.wait_closed(HEADS_CHECK_S * PATIENCE) == 4403
            live.close()
        refused = other.request("message.send", conversation_id=room, content="are you there?")
        assert refused["error"]["code"] == "user_not_found", "as one is told who is blocked"
        assert other.say("still here", recipient_id=bob.id)["ok"], "nobody else is concerned"
        assert other.open
    problem(ann.get("/users/me"), 401, "session_ended")


@ENDS
@pytest.mark.parametrize(
    ("type_", "keys"),
    [
        ("message.send", {"content": "too late"}),
        ("message.edit", {"content": "too late"}),
        ("message.delete", {}),
        ("reaction.add", {"emoji": WAVE}),
        ("reaction.remove", {"emoji": WAVE}),
        ("read.update", {"seq": 1}),
    ],
)
def test_what_they_ask_for_is_refused_at_once(
    stack: Stack, person: MakePerson, end: Callable[[Stack, str], None], type_: str, keys: Json
) -> None:
    """In the transaction that would make the change, before the socket has heard of anything."""
    ann, bob = person(), person()
    said = ann.say(bob, "hello")
    room = said["conversation_id"]
    assert bob.say(ann, "you too")["seq"] == 2
    with ann.connect() as live:
        if type_ == "reaction.remove":
            assert live.request("reaction.add", conversation_id=room, message_id=said["id"], emoji=WAVE)["ok"]
        before = state(bob, room)
        end(stack, ann.id)
        where = {"conversation_id": room} | (
            {"message_id": said["id"]} if type_.startswith(("message.", "react")) else {}
        )
        if type_ == "message.send":
            del where["message_id"]
        reply = live.request(type_, **where, **keys)
        assert reply["ok"] is False
        assert (reply["error"]["code"], reply["error"]["retryable"]) == ("session_ended", False)
    assert state(bob, room) == before


def state(reader: Person, room: str) -> Json:
    """All that a member can see of the conversation."""
    answer = reader.get(f"/conversations/{room}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json() | {"history": reader.history(room)}
    return found
