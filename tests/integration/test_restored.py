"""stonechat restored: after an older state was put in place past us, everybody's devices begin anew. On both databases;
how PostgreSQL's tools put one in place is a drill (tests/drills/test_dump.py)."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from support.client import Person
from support.problems import problem
from support.stack import Stack
from support.stored import read_all

# A bound of the contract is held with this much patience, for slow machines.
PATIENCE = 3
HEADS_CHECK_S = 5.0


def restored(stack: Stack, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(stack.build / "stonechat"), "restored", *arguments],
        env=stack.env | env, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def knows(person: Person) -> dict[str, Any]:
    """The keys of an auth frame of a device that has just synced."""
    answer = person.sync().json()
    heads = {head["conversation_id"]: head["last_rev"] for head in answer["conversations"]}
    return {"epoch": answer["epoch"], "me": answer["me"]["rev"], "known": heads, "known_count": len(heads)}


def take_back(stack: Stack, room: str, seq: int) -> None:
    """The conversation as it was before this message."""
    with stack.database() as session:
        session.begin()
        session.query("DELETE FROM messages WHERE conversation_id = ? AND seq >= ?", room, seq)
        session.query("UPDATE conversations SET last_seq = ?, last_rev = ? WHERE id = ?", seq - 1, seq, room)
        session.commit()


def test_devices_begin_anew(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    before = ann.history(room)
    assert before[-1]["rev"] == before[-1]["seq"] + 1
    lost = bob.say(ann, "is taken back")
    known = knows(ann)
    with ann.connect(**known) as live:
        take_back(own_stack, room, lost["seq"])
        done = restored(own_stack)
        began = time.monotonic()
        assert done.returncode == 0, done.stderr
        assert live.wait_closed(PATIENCE * HEADS_CHECK_S) == 4001
        assert live.connection.close_reason == "epoch_changed"
        print(f"closed after {time.monotonic() - began:.1f} s (the bound is {HEADS_CHECK_S:g} s)")
    epoch = ann.sync().json()["epoch"]
    assert epoch != known["epoch"]
    assert "people: 2, conversations: 1, messages: 1 " in done.stdout and f"now in epoch {epoch}." in done.stdout
    for table in ("users", "conversations"):
        assert read_all(own_stack, f"SELECT DISTINCT change_no FROM {table}") == [[(0,)]], table  # noqa: S608
    with ann.connect(**known) as live:
        assert live.hello["sync_required"] is True and live.hello["epoch"] == epoch
        assert ann.history(room) == before
        # Of the same seq and rev as what was taken back, and no device takes one for the other.
        message = bob.say(ann, "in its place")
        assert (message["seq"], message["rev"]) == (lost["seq"], lost["rev"])
        live.created(message["id"], timeout=PATIENCE * HEADS_CHECK_S)
    assert ann.history(room) == [*before, message]


def test_what_is_no_database_of_ours_is_refused(own_stack: Stack, tmp_path: Path) -> None:
    bob = Person.new(own_stack)
    epoch = bob.sync().json()["epoch"]
    wrong = restored(own_stack, "monday.dump")
    assert wrong.returncode == 2 and "Nothing may follow" in wrong.stderr
    empty = restored(own_stack, STONECHAT_DATABASE_URL=f"sqlite:{tmp_path}/empty.db")
    assert empty.returncode == 1 and "run `stonechat migrate`" in empty.stderr
    with own_stack.database() as session:
        ((before,),) = session.query("SELECT value FROM meta WHERE key = 'compatible_from'")
        session.query("UPDATE meta SET value = '9999' WHERE key = 'compatible_from'")
        newer = restored(own_stack)
        session.query("UPDATE meta SET value = ? WHERE key = 'compatible_from'", before)
    assert newer.returncode == 1 and "install a newer version" in newer.stderr
    with own_stack.database() as session:
        session.query("UPDATE meta SET value = 'moved' WHERE key = 'state'")
        moved = restored(own_stack)
        problem(bob.sync(), 503)
        session.query("UPDATE meta SET value = 'serving' WHERE key = 'state'")
    assert moved.returncode == 1 and "set database.url" in moved.stderr
    own_stack.wait_ready()
    assert bob.sync().json()["epoch"] == epoch
