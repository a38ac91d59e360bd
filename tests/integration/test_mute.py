"""Muting a conversation: a setting of one person, on all their devices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from support.client import Json, Person
from support.problems import problem
from support.shared import MakePerson
from support.stack import Stack
from support.streams import Conversation

HEADS_CHECK_S = 5.0
PATIENCE = 3
FOR_EVER = "9999-12-31T23:59:59.999Z"
LATER = "2099-01-31T23:59:59.123Z"


def mute(person: Person, room: str, **body: object) -> Json:
    answer = person.request("PUT", f"/conversations/{room}/mute", json=body)
    assert answer.status_code == 200, answer.text
    membership: Json = answer.json()
    return membership


def unmute(person: Person, room: str) -> Json:
    answer = person.request("DELETE", f"/conversations/{room}/mute")
    assert answer.status_code == 200, answer.text
    membership: Json = answer.json()
    return membership


def seen(person: Person, room: str) -> list[object]:
    """Wherever a person can read it."""
    [row] = [row for row in person.sync().json()["me"]["memberships"] if row["conversation_id"] == room]
    [item] = [item for item in person.conversations() if item["id"] == room]
    return [row["muted_until"], item["muted_until"], person.get(f"/conversations/{room}").json()["muted_until"]]


def test_muted_until_a_time_for_ever_and_not_any_more(person: MakePerson) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    assert seen(ann, room) == [None] * 3
    first = mute(ann, room, until=LATER)
    assert seen(ann, room) == [LATER] * 3
    assert mute(ann, room, until=LATER) == first, "it was so already: no rev was used"
    assert mute(ann, room)["muted_until"] == FOR_EVER == mute(ann, room, until=None)["muted_until"]
    assert seen(bob, room) == [None] * 3, "it is Ann's alone"
    assert bob.say(ann, "hello?")["seq"] == 2
    assert ann.get(f"/conversations/{room}").json()["unread_count"] == 1, "it counts as before"
    assert unmute(ann, room)["me"] == first["me"] + 2
    assert unmute(ann, room)["me"] == first["me"] + 2
    assert seen(ann, room) == [None] * 3


@pytest.mark.parametrize(
    "until",
    [
        "",
        "tomorrow",
        "2099-02-30T00:00:00.000Z",
        "2099-01-31T23:59:59Z",
        "2099-01-31t23:59:59.123z",
        "2099-01-31T23:59:59.123+00:00",
        "2099-01-31T24:00:00.000Z",
        "2O99-01-31T23:59:59.123Z",
        "99999-01-31T23:59:59.12Z",
        (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    ],
)
def test_until_is_a_time_to_come(ann: Person, bob: Person, until: str) -> None:
    room = ann.conversation_with(bob)
    body = problem(ann.request("PUT", f"/conversations/{room}/mute", json={"until": until}), 422, "time_invalid")
    assert [error["field"] for error in body["errors"]] == ["until"]
    assert seen(ann, room) == [None] * 3


def test_the_persons_devices_hear_of_it(person: MakePerson) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    with ann.connect() as phone, ann.connect(direct=True) as laptop, bob.connect() as theirs:
        mute(ann, room, until=LATER)
        for live in (phone, laptop):
            assert live.event("conversation.settings", conversation_id=room)["muted_until"] == LATER
        unmute(ann, room)
        for live in (phone, laptop):
            live.event("conversation.settings", conversation_id=room, muted_until=None)
        theirs.barrier()
        assert not [o for o in theirs.objects if o.get("type") == "conversation.settings"]


def test_a_lost_record_is_repaired(own_stack: Stack) -> None:
    if b"STONECHAT_FAULT_WRITER" not in (own_stack.build / "stonechat-api").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    own_stack.api.kill()
    own_stack.api.env = own_stack.env | {"STONECHAT_FAULT_WRITER": "skip_publish"}
    own_stack.restart("api")
    with ann.connect() as live:
        mute(ann, room, until=LATER)
        frame = live.wait_for(
            lambda o: o.get("type") == "changes" and o.get("memberships"), "the repair", HEADS_CHECK_S * PATIENCE
        )
        assert [(row["conversation_id"], row["muted_until"]) for row in frame["memberships"]] == [(room, LATER)]


def test_a_client_takes_the_newest_setting() -> None:
    one = Conversation("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001")
    one.apply_settings({"me": 5, "muted_until": LATER})
    one.apply_settings({"me": 6, "muted_until": None})
    one.apply_settings({"me": 5, "muted_until": LATER})
    assert one.muted_until is None
