"""Coming back: what a device that was away is told at hello, and that what it is told leads to the whole."""

from __future__ import annotations

from typing import Any

import pytest

from support.client import Person, new_id
from support.shared import MakePerson

Json = dict[str, Any]


def state(person: Person) -> Json:
    """What a device knows that has just synced: the keys of an auth frame."""
    answer = person.sync().json()
    assert answer["next_cursor"] is None
    known = {head["conversation_id"]: head["last_rev"] for head in answer["conversations"]}
    return {
        "epoch": answer["epoch"],
        "me": answer["me"]["rev"],
        "known": known,
        "known_count": len(known),
    }


def test_nothing_missed_nothing_told(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    with ann.connect(**state(ann)) as live:
        assert not live.hello.get("sync_required")
        message = bob.say(ann, "news")
        live.created(message["id"])
        assert [o["type"] for o in live.objects[1:]] == ["message.created"]
        assert message["conversation_id"] == room


def test_a_gap_says_where_to_pull(ann: Person, bob: Person, eve: Person) -> None:
    room, quiet = ann.conversation_with(bob), ann.conversation_with(eve)
    before = state(ann)
    missed = [bob.say(ann, f"missed {n}") for n in range(3)]
    with ann.connect(**before) as live:
        gap = live.event("gap", conversation_id=room)
        assert gap["known_rev"] == before["known"][room]
        assert gap["last_rev"] == missed[-1]["rev"]
        assert gap["pull_after_ms"] >= 0
        assert not gap.get("reset")
        pulled = ann.changes(room, after_rev=gap["known_rev"]).json()
        assert pulled["messages"] == missed
        assert pulled["next_after_rev"] == gap["last_rev"]
        after = bob.say(ann, "live again")
        live.created(after["id"])
        assert not [o for o in live.objects if o.get("conversation_id") == quiet]


def test_many_pulls_are_lined_up(person: MakePerson, ann: Person) -> None:
    """After a restart all come at once, and each has missed something: no herd."""
    friends = [person(f"friend{n}") for n in range(8)]
    rooms = [ann.conversation_with(friend) for friend in friends]
    before = state(ann)
    for friend in friends:
        friend.say(ann, "missed")
    with ann.connect(**before) as live:
        delays = [live.event("gap", conversation_id=room)["pull_after_ms"] for room in rooms]
    assert len(set(delays)) == len(delays), "one after the other"
    assert max(delays) <= 10_000


def test_without_known_it_starts_at_the_present(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    bob.say(ann, "before")
    with ann.connect() as live:
        message = bob.say(ann, "after")
        live.created(message["id"])
        assert [o["type"] for o in live.objects[1:]] == ["message.created"]
        assert live.objects[1]["conversation_id"] == room


def test_a_conversation_that_was_not_listed(ann: Person, bob: Person, eve: Person) -> None:
    listed = ann.conversation_with(bob)
    before = state(ann)
    unlisted = ann.conversation_with(eve)
    with ann.connect(**before) as live:
        gap = live.event("gap", conversation_id=unlisted)
        assert gap["known_rev"] is None
        live.barrier()
        assert not [o for o in live.objects if o.get("conversation_id") == listed]


def test_what_the_person_missed(ann: Person, bob: Person) -> None:
    """The person's stream: missed changes come as one frame, or as a gap without a conversation."""
    before = state(ann)
    room = bob.conversation_with(ann)
    with ann.connect(**before) as live:
        told = live.wait_for(
            lambda o: o.get("type") in ("changes", "gap") and not o.get("conversation_id"), "the person's stream"
        )
        if told["type"] == "changes":
            assert told["after_rev"] <= before["me"] < told["next_after_rev"]
            assert [(m["conversation_id"], m["member"]) for m in told["memberships"]] == [(room, True)]
        else:
            assert told["last_rev"] > before["me"]
        assert live.hello["me"] > before["me"]


def test_a_conversation_one_is_not_in(ann: Person, bob: Person, eve: Person) -> None:
    theirs = ann.conversation_with(bob)
    before = state(eve)
    nowhere = new_id()
    known = {theirs: 1, nowhere: 1}
    with eve.connect(**before | {"known": known, "known_count": 2}) as live:
        # Alike: nobody learns which of the two exists.
        for room in known:
            live.event("conversation.removed", conversation_id=room)


def test_a_known_rev_above_the_head(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    before = state(ann)
    before["known"][room] += 1000
    with ann.connect(**before) as live:
        assert live.event("gap", conversation_id=room)["reset"] is True


@pytest.mark.parametrize("change", [{"known_count": 501}, {"epoch": "another"}])
def test_when_a_sync_is_needed(ann: Person, bob: Person, change: Json) -> None:
    room = ann.conversation_with(bob)
    with ann.connect(**state(ann) | change) as live:
        assert live.hello["sync_required"] is True
        message = bob.say(ann, "live all the same")
        live.created(message["id"])
        assert message["conversation_id"] == room


def test_at_most_500_are_listed(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    start = state(ann)
    start["known"] |= {new_id(): 1 for _ in range(499)}
    missed = bob.say(ann, "missed")
    with ann.connect(**start | {"known_count": 500}) as live:
        assert not live.hello.get("sync_required")
        assert live.event("gap", conversation_id=room)["last_rev"] == missed["rev"]


def test_nothing_is_lost_between_two_sockets(ann: Person, person: MakePerson) -> None:
    """A device that comes and goes while others write ends with exactly what the database holds."""
    others = [person() for _ in range(3)]
    rooms = [ann.conversation_with(other) for other in others]
    held: dict[str, dict[str, Json]] = {room: {m["id"]: m for m in ann.history(room)} for room in rooms}
    knows = state(ann)
    for turn in range(8):
        with ann.connect(**knows) as live:
            sent = [other.say(ann, f"{turn}") for other in others]
            for message in sent:
                live.told_of(message, timeout=10)
            live.barrier()
            arrived = list(live.objects)
        for other in others:
            other.say(ann, f"{turn}, nobody listens")
        for o in arrived:
            if o.get("type") == "gap":
                apply_pull(ann, o["conversation_id"], knows, held)
            elif o.get("type") == "message.created":
                held[o["conversation_id"]][o["message"]["id"]] = o["message"]
                if o["rev"] == knows["known"][o["conversation_id"]] + 1:
                    knows["known"][o["conversation_id"]] = o["rev"]
    for room in rooms:
        apply_pull(ann, room, knows, held)
        assert sorted(held[room].values(), key=lambda m: m["seq"]) == ann.history(room)


def apply_pull(person: Person, room: str, knows: Json, held: dict[str, dict[str, Json]]) -> None:
    """A pull to the end, as the client's rule 3 asks."""
    while True:
        body = person.changes(room, after_rev=knows["known"][room]).json()
        held[room] |= {m["id"]: m for m in body["messages"]}
        knows["known"][room] = body["next_after_rev"]
        if not body["has_more"]:
            return
