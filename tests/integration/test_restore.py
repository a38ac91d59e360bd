"""stonechat restore: an older copy of the database is put in place while the programs run, or not.

Who is connected is told within the heads check, everybody sees the old state or the new one, what was in place is kept,
and whatever goes wrong before the commit changes nothing."""

from __future__ import annotations

import os
import re
import resource
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import WebSocketException

from support.client import Api, Person, new_id
from support.copies import (
    change,
    copy,
    database,
    epoch_of,
    kept_by,
    kept_files,
    leftovers,
    messages_of,
    query,
    restore,
    run,
    start_until_stopped,
)
from support.metrics import push_metric
from support.problems import problem
from support.stack import Stack
from support.waiting import wait_until

pytestmark = pytest.mark.sqlite

Json = dict[str, Any]

# A bound of the contract is held with this much patience, for slow machines.
PATIENCE = 3
HEADS_CHECK_S = 5.0


def state(person: Person) -> Json:
    """What a device knows that has just synced: the keys of an auth frame."""
    answer = person.sync().json()
    known = {head["conversation_id"]: head["last_rev"] for head in answer["conversations"]}
    return {"epoch": answer["epoch"], "me": answer["me"]["rev"], "known": known, "known_count": len(known)}


def check_dense(history: list[Json]) -> None:
    assert [m["seq"] for m in history] == list(range(1, len(history) + 1))
    assert len({m["id"] for m in history}) == len(history)
    revs = [m["rev"] for m in history]
    assert revs == list(range(revs[0], revs[0] + len(revs)))


def test_running_programs_notice(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    chosen = new_id()
    told = ann.say(bob, "before the copy", id=chosen)
    before = ann.history(room)
    file = copy(own_stack)
    bob.say(ann, "after the copy")
    late_device, late_person = bob.another_device(), Person.new(own_stack)
    rotated = bob.refresh(str(bob.refresh_token)).json()["refresh_token"]
    knows = state(ann)
    # The hub has seen change numbers that the copy goes back behind.
    n_checks = push_metric(own_stack, "stonechat_heads_checks_total")
    wait_until(lambda: push_metric(own_stack, "stonechat_heads_checks_total") > n_checks + 1, "two heads checks", 30)
    with ann.connect(**knows) as of_ann, late_device.connect() as of_bob, late_person.connect() as of_late:
        printed = restore(own_stack, file)
        began = time.monotonic()
        for live in (of_ann, of_bob, of_late):
            assert live.wait_closed(PATIENCE * HEADS_CHECK_S) == 4001
            assert live.connection.close_reason == "epoch_changed"
        print(
            f"sockets closed within {time.monotonic() - began:.1f} s of the restore (the bound is {HEADS_CHECK_S:g} s)"
        )
    epoch = epoch_of(database(own_stack))
    assert f"in epoch {epoch}" in printed and epoch != knows["epoch"]
    assert "people: 2, conversations: 1, messages: 2, the newest of " + told["timestamp"] in printed

    # Who did not exist yet does not, and a log-in made since is over.
    problem(late_device.sync(), 401)
    problem(late_person.sync(), 401)
    problem(Api(own_stack).log_in(late_person.username), 401)
    problem(bob.refresh(rotated), 401)
    bob = bob.another_device()
    with ann.connect(**knows) as live:
        assert live.hello["sync_required"] is True and live.hello["epoch"] == epoch
        assert ann.history(room) == before
        assert ann.sync(**{k: knows[k] for k in ("epoch", "me", "known")}).json()["conversations"]
        replayed = ann.send_direct(bob.id, "before the copy", id=chosen)
        assert replayed.status_code == 200 and replayed.json() == told
        # The record carries the new epoch: the hub takes it, and no heads check has to find it.
        message = bob.say(ann, "and on")
        live.created(message["id"], timeout=HEADS_CHECK_S / 2)
        said = live.say("by the socket", conversation_id=room)["message"]
    assert ann.history(room) == [*before, message, said]
    check_dense(ann.history(room))


def test_a_tag_of_the_old_history_is_not_of_the_new(own_stack: Stack) -> None:
    """Though the new one has come to the same revision."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    file = copy(own_stack)
    old = bob.say(ann, "one", id=new_id())
    tag = ann.messages(room).headers["etag"]
    path = f"/conversations/{room}/messages"
    for _ in range(20):
        assert ann.request("GET", path, headers={"If-None-Match": tag}).status_code == 304
    restore(own_stack, file)
    new = bob.say(ann, "another")
    assert (new["rev"], new["seq"]) == (old["rev"], old["seq"])
    for _ in range(20):
        answer = ann.request("GET", path, headers={"If-None-Match": tag})
        assert answer.status_code == 200
        assert answer.json()["items"][-1] == new


def test_what_was_kept_brings_everything_back(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    file = copy(own_stack)
    later = [bob.say(ann, f"later {n}") for n in range(300)]
    late = Person.new(own_stack)
    everything = ann.history(room)
    epochs = {epoch_of(database(own_stack))}
    kept = kept_by(restore(own_stack, file))
    assert len(ann.history(room)) == len(everything) - len(later)
    assert kept.stat().st_mode & 0o777 == 0o600
    epochs.add(epoch_of(database(own_stack)))
    restore(own_stack, kept)
    assert ann.history(room) == everything
    assert late.sync().status_code == 200
    epochs.add(epoch_of(database(own_stack)))
    assert len(epochs) == 3
    assert len(kept_files(own_stack)) == 2


@pytest.fixture
def filled(own_stack: Stack) -> tuple[Stack, Person, str, Path]:
    """Some hundreds of pages, and a copy that lacks the last messages."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    with ann.connect() as live:
        live.say_many(["x" * 1000 + str(n) for n in range(600)], conversation_id=room)
        file = copy(own_stack)
        live.say_many([f"after {n}" for n in range(20)], conversation_id=room)
    return own_stack, ann, room, file


@pytest.mark.parametrize("point", ["stop_in_keeping", "stop_in_replacing"])
def test_killed_in_the_middle(filled: tuple[Stack, Person, str, Path], point: str) -> None:
    stack, ann, room, file = filled
    epoch, everything = epoch_of(database(stack)), ann.history(room)
    child = start_until_stopped(stack, file, point)
    try:
        assert ann.history(room) == everything  # readers go on, and see the old state
        chosen = new_id()
        refused = problem(ann.send(room, "meanwhile", id=chosen), 503, "database_unavailable")
        assert refused["retryable"] is True
        another = run(stack, file)
        assert another.returncode == 1 and "Another restore is at work" in another.stderr
    finally:
        child.kill()
        child.communicate()
    assert leftovers(stack)
    assert ann.send(room, "meanwhile", id=chosen).status_code == 201
    after = ann.history(room)
    assert after[:-1] == everything
    check_dense(after)
    assert epoch_of(database(stack)) == epoch
    assert query(database(stack), "PRAGMA integrity_check") == [("ok",)]
    restore(stack, file)
    assert len(ann.history(room)) == len(everything) - 20


def test_stopped_and_continued(filled: tuple[Stack, Person, str, Path]) -> None:
    """It goes on where it stood; a terminal is told how far it is."""
    stack, ann, room, file = filled
    n_before = len(ann.history(room))
    began = time.monotonic()
    terminal, of_child = os.openpty()
    child = start_until_stopped(stack, file, "stop_in_replacing", of_child)
    wait_until(lambda: time.monotonic() > began + 0.3, "it is time to tell")
    child.send_signal(signal.SIGCONT)
    printed, _ = child.communicate(timeout=30)
    os.close(of_child)
    told = ""
    with suppress(OSError):  # the end of a terminal that was told nothing
        told = os.read(terminal, 4096).decode()
    os.close(terminal)
    assert child.returncode == 0
    assert re.search(r"\rputting the copy in place: \d+ %", told.replace("\x1b[K", "")), told
    assert len(ann.history(room)) == n_before - 20
    assert len(messages_of(kept_by(printed), room)) == n_before


def test_killed_after_the_commit(filled: tuple[Stack, Person, str, Path]) -> None:
    """All is in place; only the files of the run are left, for the next one to remove."""
    stack, ann, room, file = filled
    epoch, n_before = epoch_of(database(stack)), len(ann.history(room))
    child = start_until_stopped(stack, file, "stop_after_commit")
    child.kill()
    child.communicate()
    assert epoch_of(database(stack)) != epoch
    assert len(ann.history(room)) == n_before - 20
    (kept,) = kept_files(stack)
    assert leftovers(stack)
    restore(stack, kept)
    assert len(ann.history(room)) == n_before


class Writers:
    """Several people who write as fast as they are let; each message has an id and is sent until it is answered."""

    def __init__(self, stack: Stack, people: list[Person], room: str) -> None:
        self.stack, self.room = stack, room
        self.acknowledged: list[tuple[float, Json]] = []  # when it was first asked for
        self.unexpected: list[str] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._by_rest, args=(person,)) for person in people]
        self.threads += [threading.Thread(target=self._by_socket, args=(person,)) for person in people]
        for thread in self.threads:
            thread.start()

    def _by_rest(self, person: Person) -> None:
        device = Person(self.stack, {"access_token": person.token, "user": person.user})
        while not self.over.is_set():
            chosen, asked_at = new_id(), time.monotonic()
            while not self.over.is_set():
                with suppress(httpx.HTTPError):
                    answer = device.send(self.room, "by rest", id=chosen)
                    if answer.status_code in (200, 201):
                        self.acknowledged.append((asked_at, answer.json()))
                        break
                    if answer.status_code != 503:
                        self.unexpected.append(answer.text)
                        return
        device.close()

    def _by_socket(self, person: Person) -> None:
        while not self.over.is_set():
            with suppress(AssertionError, WebSocketException, OSError), person.connect() as live:
                while not self.over.is_set() and live.open:
                    asked_at = time.monotonic()
                    asked = [
                        live.ask("message.send", conversation_id=self.room, message_id=new_id(), content="by socket")
                        for _ in range(16)
                    ]
                    for number in asked:
                        reply = live.reply_or_close(number)
                        if reply and reply["ok"]:
                            self.acknowledged.append((asked_at, reply["message"]))

    def stop(self) -> list[tuple[float, Json]]:
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        return self.acknowledged


def test_while_others_write(filled: tuple[Stack, Person, str, Path]) -> None:
    stack, ann, _, _ = filled
    bob = Person.new(stack)
    room = ann.conversation_with(bob)
    file = copy(stack)
    writers = Writers(stack, [ann, bob], room)
    try:
        wait_until(lambda: len(writers.acknowledged) > 300, "they write", 30)
        copied = [message["id"] for message in messages_of(file, room)]
        printed = restore(stack, file)
        ended_at, n_then = time.monotonic(), len(writers.acknowledged)
        wait_until(lambda: len(writers.acknowledged) > n_then + 600, "they write on", 60)
    finally:
        acknowledged = writers.stop()
    assert writers.unexpected == []
    history = ann.history(room)
    check_dense(history)
    now = {m["id"]: m for m in history}
    then = {message["id"]: message for message in messages_of(kept_by(printed), room)}
    assert [m["id"] for m in history[: len(copied)]] == copied

    def stored(message: Json) -> bool:
        at = then.get(message["id"], {})
        return now.get(message["id"]) == message or (at.get("seq"), at.get("rev")) == (message["seq"], message["rev"])

    lost = [m for _, m in acknowledged if not stored(m)]
    assert not lost, f"{len(lost)} of {len(acknowledged)} are neither in place nor in what was kept: {lost[:3]}"
    after = [m for asked_at, m in acknowledged if asked_at > ended_at]
    assert after and all(now.get(m["id"]) == m for m in after)
    # What the new history has of the old one beyond the copy was sent again, and is acknowledged as it stands now.
    assert len(then) > len(copied)
    again = {m["id"] for _, m in acknowledged if now.get(m["id"]) == m}
    assert (set(then) & set(now)) - set(copied) <= again
    assert query(database(stack), "PRAGMA integrity_check") == [("ok",)]
    assert query(database(stack), "PRAGMA foreign_key_check") == []


# Six megabytes, more than SQLite holds in memory before it writes.
FILLING = """CREATE TABLE filling AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
    SELECT randomblob(4000) AS bytes FROM n"""


def test_writing_fails_on_the_way(filled: tuple[Stack, Person, str, Path]) -> None:
    """As a full disk makes it: at the copy of the copy, at what is kept, in the transaction."""
    stack, ann, room, file = filled
    change(file, FILLING)
    everything, epoch = ann.history(room), epoch_of(database(stack))
    size = file.stat().st_size
    said = []
    for limit in (size // 4, database(stack).stat().st_size // 2, size + 4096):
        failed = run(
            stack,
            file,
            restore_signals=False,  # SIGXFSZ stays ignored: an error, as ENOSPC is
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        assert failed.returncode == 1, failed.stdout
        assert failed.stderr.rstrip().endswith("The database was not changed.")
        said.append(failed.stderr)
        assert leftovers(stack) == [] and kept_files(stack) == []
        assert epoch_of(database(stack)) == epoch
        assert ann.history(room) == everything
    assert "cannot be copied" in said[0] and "cannot be put in place" in said[2]
    assert ann.send(room, "and on").status_code == 201
    restore(stack, file)
