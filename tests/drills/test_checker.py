"""The drills' checker on runs made by hand: a good one has no violation, and each wrong has its verdict."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.good_run import BOB, NEW_ROOM, NOTICE_S, ROOM, World, message
from support.history import CHECKER, checker


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_good_run_has_no_violation(world: World) -> None:
    assert set(WRONGS) == set(checker.KINDS), "each has its wrong"
    report = world.check()
    assert report.violations == []
    assert (report.sent, report.acknowledged) == (9, 9)
    assert report.row()[:9] == ["nothing", "9", "9", "0", "0", "0", "0", "0", "0"]
    assert 0 < report.recover_s < 0.1


# -- each verdict
def not_stored(world: World) -> None:
    """Acknowledged and gone: the last one and never announced, so that nothing else tells of it."""
    world.sql("DELETE FROM messages WHERE seq = 4")
    world.sql("UPDATE conversations SET last_seq = 3, last_rev = 7 WHERE id = 'room'")
    world.shown.pop()
    world.history[-1]["conversations"][ROOM]["known"] = 7
    world.without(lambda frame: frame.get("rev") == 5)
    repair = next(frame for frame in world.frames() if frame.get("next_after_rev") == 8)
    repair |= {"next_after_rev": 7, "last_rev": 7, "messages": repair["messages"][:1]}


def other_content(world: World) -> None:
    world.sql("UPDATE messages SET content = 'number 7' WHERE seq = 1")
    world.shown[0]["content"] = "number 7"


def edit_undone(world: World) -> None:
    world.sql("UPDATE messages SET content = 'number 2' WHERE seq = 2")
    world.shown[1]["content"] = "number 2"


def reaction_gone(world: World) -> None:
    world.sql("DELETE FROM reactions")
    world.shown[2]["reactions"] = []


def deletion_gone(world: World) -> None:
    world.sql("UPDATE messages SET deleted_at = NULL, content = 'number 4' WHERE seq = 4")
    world.shown[3] |= {"deleted": False, "content": "number 4"}


def deleted_by_nobody(world: World) -> None:
    world.sql("UPDATE messages SET deleted_at = 1, content = NULL WHERE seq = 1")
    world.shown[0] |= {"deleted": True, "content": None}


def cursor_gone(world: World) -> None:
    world.sql("UPDATE members SET read_seq = 1 WHERE conversation_id = 'room' AND user_id = 'bob'")
    world.history[-1]["memberships"][ROOM]["read_seq"] = 1


def conversation_gone(world: World) -> None:
    world.sql("DELETE FROM members WHERE conversation_id = 'new-room'")
    world.sql("UPDATE users SET last_rev = 1 WHERE id = 'ann'")
    del world.history[-1]["memberships"][NEW_ROOM], world.history[-1]["conversations"][NEW_ROOM]


def shown_before_it_was_stored(world: World) -> None:
    ghost = message(5, 9, id="ghost")
    world.frame(type="message.created", conversation_id=ROOM, rev=9, message=ghost)


def ghost_in_the_view(world: World) -> None:
    world.shown.append(message(5, 9, id="ghost"))


def stored_twice(world: World) -> None:
    """The same message again under its id; the index that forbids it is what this would break."""
    with closing(sqlite3.connect(world.path)) as database:
        database.execute("DROP INDEX messages_by_id")
    world.store(5, 9, "number 1", id="m1")
    world.sql("UPDATE conversations SET last_seq = 5, last_rev = 9 WHERE id = 'room'")
    world.history[-1]["conversations"][ROOM]["known"] = 9


def stored_under_another_id(world: World) -> None:
    """A retry that was taken for another message."""
    world.store(5, 9, "number 1", id="invented")
    world.sql("UPDATE conversations SET last_seq = 5, last_rev = 9 WHERE id = 'room'")
    world.shown.append(message(5, 9, id="invented", content="number 1"))
    world.history[-1]["conversations"][ROOM]["known"] = 9


def acknowledged_under_another_id(world: World) -> None:
    world.find("answer", call="create 1")["id"] = "m2"


def shown_twice(world: World) -> None:
    world.shown.insert(1, world.shown[0])


def shown_in_another_order(world: World) -> None:
    world.shown.reverse()


def acknowledged_with_another_seq(world: World) -> None:
    world.find("answer", call="create 1")["seq"] = 3


def event_with_another_seq(world: World) -> None:
    next(frame for frame in world.frames() if frame.get("rev") == 2)["message"]["seq"] = 3


def view_with_another_seq(world: World) -> None:
    world.shown[0]["seq"] = 0


def stored_in_another_order(world: World) -> None:
    """The second was sent after the first had been acknowledged, and stands before it."""
    one, two = (world.find("answer", call=f"create {n}") for n in (1, 2))
    first, second = (world.find("invoke", call=f"create {n}") for n in (1, 2))
    first["t"], one["t"] = two["t"] + 0.001, two["t"] + 0.002
    assert second["t"] < two["t"] < first["t"]


def event_lost_and_nothing_said(world: World) -> None:
    """The last change never reached the device."""
    world.without(lambda frame: frame.get("next_after_rev") == 8)
    world.shown[2]["reactions"] = []
    world.shown[3] |= {"deleted": False, "content": "number 4"}
    world.history[-1]["conversations"][ROOM]["known"] = 6


def person_stream_dropped(world: World) -> None:
    world.without(lambda frame: "me" in frame and frame["type"] != "hello")
    world.without(lambda frame: frame.get("conversation_id") == NEW_ROOM)
    view = world.history[-1]
    view["me"] = 1
    view["memberships"] = {ROOM: {"member": True, "read_seq": 0}}
    del view["conversations"][NEW_ROOM]


def told_too_late(world: World) -> None:
    """By the heads check of somebody who has gone to sleep: all is well in the end."""
    changes = next(r for r in world.history if r["kind"] == "frame" and r["frame"].get("next_after_rev") == 8)
    changes["t"] += NOTICE_S + 1
    world.history[-1]["t"] = changes["t"] + 0.1


def told_and_not_repaired(world: World) -> None:
    event_lost_and_nothing_said(world)
    gap = {"type": "gap", "conversation_id": ROOM, "known_rev": 6, "last_rev": 8, "pull_after_ms": 0}
    world.history.insert(-1, {"t": world.history[-1]["t"], "kind": "frame", "reader": "phone", "frame": gap})


def no_view(world: World) -> None:
    world.history.pop()


def old_state(world: World) -> None:
    """The device had all events and shows the message as it was before one of them."""
    world.shown[1] = message(2, 3)


def rows_without_their_revision(world: World) -> None:
    world.history[-1]["conversations"][ROOM]["known"] = 7


def message_missing_in_the_view(world: World) -> None:
    world.shown.pop(0)


def conversation_missing_in_the_view(world: World) -> None:
    world.history[-1]["memberships"][NEW_ROOM]["member"] = False


def cursor_behind_in_the_view(world: World) -> None:
    world.history[-1]["memberships"][ROOM]["read_seq"] = 1


def member_of_what_it_is_not(world: World) -> None:
    world.history[-1]["memberships"]["another"] = {"member": True, "read_seq": 0}


def hole_in_seq(world: World) -> None:
    world.sql("UPDATE messages SET seq = 6 WHERE seq = 4")
    world.sql("UPDATE conversations SET last_seq = 6 WHERE id = 'room'")
    world.shown[3]["seq"] = 6
    world.find("answer", call="create 4")["seq"] = 6
    for frame in world.frames():
        for shown in [frame.get("message", {}), *frame.get("messages", [])]:
            if shown.get("id") == "m4":
                shown["seq"] = 6


def last_seq_ahead(world: World) -> None:
    world.sql("UPDATE conversations SET last_seq = 5 WHERE id = 'room'")


def rev_without_a_row(world: World) -> None:
    world.sql("UPDATE conversations SET last_rev = 9 WHERE id = 'room'")
    world.history[-1]["conversations"][ROOM]["known"] = 9
    view = world.history.pop()
    world.call("later", "unreact", "lost", user=BOB, id="m1", emoji="👍")
    world.history.append(view)


def burnt_number(world: World) -> None:
    """A change that advanced the counter twice: all else is as it should be."""
    world.burn()


def burnt_beside_changes_of_nothing(world: World) -> None:
    """Calls that were acknowledged or refused, each without a change, explain no number."""
    world.burn()
    view = world.history.pop()
    world.call("again", "react", user=BOB, id="m3", emoji="👍", answer={"rev": 7})
    world.call("too late", "edit", "refused", id="m4", content="never")
    world.history.append(view | {"t": world.t + 0.01})


def burnt_by_retries(world: World) -> None:
    """Each of the attempts at a message, of which there is one, advanced the counter."""
    world.burn()
    invoke = world.find("invoke", call="create 1")
    for attempt in (2, 3):
        world.history.append({"kind": "answer", "call": "create 1", "t": invoke["t"] + 0.001, "outcome": "lost"})
        world.history.append(invoke | {"attempt": attempt, "t": invoke["t"] + 0.002})


def two_of_one_rev(world: World) -> None:
    world.sql("UPDATE messages SET rev = 7 WHERE seq = 2")


def hole_in_the_person_stream(world: World) -> None:
    world.sql("UPDATE users SET last_rev = 4 WHERE id = 'bob'")
    world.history[-1]["me"] = 4


WRONGS: dict[str, list[Callable[[World], None]]] = {
    "lost": [not_stored, other_content, edit_undone, reaction_gone, deletion_gone, deleted_by_nobody, cursor_gone,
             conversation_gone, shown_before_it_was_stored, ghost_in_the_view],
    "duplicated": [stored_twice, stored_under_another_id, acknowledged_under_another_id, shown_twice],
    "reordered": [shown_in_another_order, acknowledged_with_another_seq, event_with_another_seq, view_with_another_seq,
                  stored_in_another_order],
    "unnoticed": [event_lost_and_nothing_said, person_stream_dropped, told_too_late],
    "behind": [told_and_not_repaired, no_view, old_state, rows_without_their_revision, message_missing_in_the_view,
               conversation_missing_in_the_view, cursor_behind_in_the_view, member_of_what_it_is_not],
    "holes": [hole_in_seq, last_seq_ahead, rev_without_a_row, burnt_number, burnt_beside_changes_of_nothing,
              burnt_by_retries, two_of_one_rev, hole_in_the_person_stream],
}  # fmt: skip

# What else such a wrong is, whatever is done about it.
ALSO = {not_stored: {"holes"}, stored_twice: {"duplicated", "unnoticed"}}


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [pytest.param(kind, wrong, id=wrong.__name__) for kind, wrongs in WRONGS.items() for wrong in wrongs],
)
def test_each_wrong_has_its_verdict(world: World, kind: str, wrong: Callable[[World], None]) -> None:
    wrong(world)
    report = world.check()
    found = {found for found, _ in report.violations}
    assert kind in found and found <= {kind} | ALSO.get(wrong, set()), report.violations


# -- what is right although it looks wrong
def retried_until_it_was_answered(world: World) -> None:
    """Lost answers, and one that says that nobody knows; then the row as it is."""
    invoke = world.find("invoke", call="create 1")
    for attempt, outcome in enumerate(("lost", "retry"), 2):
        world.history.append({"kind": "answer", "call": "create 1", "t": invoke["t"] + 0.001, "outcome": outcome})
        world.history.append(invoke | {"attempt": attempt, "t": invoke["t"] + 0.002})


def unacknowledged_and_stored(world: World) -> None:
    world.find("answer", call="create 1")["outcome"] = "lost"


def unacknowledged_and_not_stored(world: World) -> None:
    world.call("create 9", "create", "lost", id="m9", content="number 9")
    world.call("edit 9", "edit", "retry", id="m1", content="never")
    world.call("delete 9", "delete", "retry", id="m1")
    world.call("react 9", "react", "lost", id="m1", emoji="👍")


def an_edit_that_may_have_come_last(world: World) -> None:
    world.sql("UPDATE messages SET content = 'late', rev = 9 WHERE seq = 2")
    world.sql("UPDATE conversations SET last_rev = 9 WHERE id = 'room'")
    view = world.history.pop()
    world.call("late edit", "edit", "lost", id="m2", content="late")
    world.history.append(view)
    view["conversations"][ROOM]["known"] = 9
    world.shown[1] |= {"content": "late", "rev": 9}


def an_uncertain_change_that_nobody_saw(world: World) -> None:
    """A reaction that was given, with no answer and no event, before the message changed once more."""
    world.burn()
    invoke = {"kind": "invoke", "call": "never answered", "t": world.find("invoke", call="delete")["t"] - 0.001}
    world.history.append(invoke | {"user": BOB, "op": "react", "conversation": ROOM, "id": "m4", "emoji": "👍"})


def away_while_it_happened(world: World) -> None:
    """The device was offline for longer than the bound, and came back."""
    told_too_late(world)
    world.history += [
        {"kind": "close", "reader": "phone", "t": 0.035},
        {"kind": "frame", "reader": "phone", "t": NOTICE_S + 1, "frame": {"type": "hello", "me": 3}},
    ]


def deaf_while_it_happened(world: World) -> None:
    told_too_late(world)
    world.history += [
        {"kind": "deaf", "reader": "phone", "t": 0.035},
        {"kind": "hearing", "reader": "phone", "t": NOTICE_S + 1},
    ]


def rejected_for_good(world: World) -> None:
    world.call("create 9", "create", "refused", id="m9", content="number 9")


def gone_with_an_older_copy(world: World) -> None:
    """Message 4 and all after it was acknowledged and shown, and then the copy from before it was put in place."""
    world.sql("DELETE FROM messages WHERE seq = 4")
    world.sql("UPDATE messages SET rev = 3, content = 'number 2', edited_at = NULL WHERE seq = 2")
    world.sql("UPDATE messages SET rev = 4 WHERE seq = 3")
    world.sql("DELETE FROM reactions")
    world.sql("DELETE FROM members WHERE conversation_id = 'new-room'")
    world.sql("UPDATE members SET read_seq = 0, user_rev = 1")
    world.sql("UPDATE users SET last_rev = 1")
    world.sql("UPDATE conversations SET last_seq = 3, last_rev = 4 WHERE id = 'room'")
    view = world.history.pop()
    world.add("restore", copied=world.find("invoke", call="create 4")["t"])
    view |= {"t": world.t + 1, "me": 1, "memberships": {ROOM: {"member": True, "read_seq": 0}}}
    view["conversations"] = {ROOM: {"known": 4, "messages": [message(seq, seq + 1) for seq in (1, 2, 3)]}}
    world.history.append(view)


RIGHTS = [
    retried_until_it_was_answered,
    unacknowledged_and_stored,
    unacknowledged_and_not_stored,
    an_edit_that_may_have_come_last,
    an_uncertain_change_that_nobody_saw,
    away_while_it_happened,
    deaf_while_it_happened,
    rejected_for_good,
    gone_with_an_older_copy,
]


@pytest.mark.parametrize("right", [pytest.param(right, id=right.__name__) for right in RIGHTS])
def test_what_may_happen_is_no_violation(world: World, right: Callable[[World], None]) -> None:
    right(world)
    assert world.check().violations == []


def test_it_is_a_program_too(world: World, tmp_path: Path) -> None:
    """Standard library only: -I -S leaves everything else out."""
    history = tmp_path / "history.jsonl"

    def run() -> subprocess.CompletedProcess[str]:
        history.write_text("".join(json.dumps(record) + "\n" for record in world.history))
        command = [sys.executable, "-I", "-S", str(CHECKER), str(history), str(world.path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    good = run()
    assert (good.returncode, good.stderr) == (0, "")
    assert "| nothing | 9 | 9 | 0 | 0 | 0 | 0 | 0 | 0 |" in good.stdout
    shown_twice(world)
    bad = run()
    assert bad.returncode == 1
    assert "| nothing | 9 | 9 | 0 | 1 | 0 | 0 | 0 | 0 |" in bad.stdout
    assert "duplicated: phone shows message m1 2 times\n" in bad.stdout
