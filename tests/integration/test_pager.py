"""Pulls that race with writers: whatever is written while somebody pages, nothing is missed, and every pull ends.

A new course each run; STONECHAT_SEED=N repeats one."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.client import Json, Person
from support.shared import MakePerson

SEED = int(os.environ.get("STONECHAT_SEED", random.randrange(1 << 30)))
WRITES = 400
EMOJI = ["%F0%9F%91%8D", "%E2%9D%A4", "%F0%9F%8E%89"]


@pytest.fixture
def chance() -> random.Random:
    print(f"STONECHAT_SEED={SEED}")
    return random.Random(SEED)


def change_something(person: Person, room: str, ids: list[str], chance: random.Random) -> None:
    """One operation of a person, among them many on few messages: those move through the pages of whoever reads."""
    what = chance.random()
    if not ids or what < 0.4:
        ids.append(person.send(room, f"message {len(ids)}").json()["id"])
        return
    path = f"/conversations/{room}/messages/{chance.choice(ids[-12:] if what < 0.8 else ids)}"
    if what < 0.6:
        person.request("PATCH", path, json={"content": f"edited {chance.random()}"})
    elif what < 0.75:
        person.request("PUT", f"{path}/reactions/{chance.choice(EMOJI)}")
    elif what < 0.9:
        person.request("DELETE", f"{path}/reactions/{chance.choice(EMOJI)}")
    else:
        person.request("DELETE", path)


@contextmanager
def writers(people: list[Person], room: str, chance: random.Random) -> Iterator[threading.Event]:
    """All of them write at once; the event is set when all have ended."""
    ended = threading.Event()

    def write(person: Person, seed: float) -> None:
        own, ids = random.Random(seed), []  # type: random.Random, list[str]
        for _ in range(WRITES // len(people)):
            change_something(person, room, ids, own)

    threads = [threading.Thread(target=write, args=(person, chance.random())) for person in people]
    watcher = threading.Thread(target=lambda: ([thread.join() for thread in threads], ended.set()))
    for thread in (*threads, watcher):
        thread.start()
    yield ended
    watcher.join(60)


def check_page(page: Json, after_rev: int, limit: int) -> None:
    """What the document says of every page."""
    revs = [row["rev"] for row in page["messages"]] + [row["rev"] for row in page["members"]]
    assert all(after_rev < rev <= page["next_after_rev"] for rev in revs), "nothing beyond what is said to be included"
    assert after_rev <= page["next_after_rev"] <= page["last_rev"]
    assert page["has_more"] == (page["next_after_rev"] < page["last_rev"])
    assert page["has_more"] <= (page["next_after_rev"] > after_rev), "a page with more behind it gets further"
    # One revision may be several rows, but is never split.
    assert len(revs) <= limit or len({*revs}) == 1


def pull(person: Person, room: str, rows: dict[str, Json], known: int, limit: int) -> tuple[int, int]:
    """One pull to its end: pages until has_more is false. What is known then, and how many pages it took."""
    pages, head_at_start = 0, None
    while True:
        page = person.changes(room, after_rev=known, limit=limit).json()
        check_page(page, known, limit)
        head_at_start = head_at_start or page["last_rev"]
        for row in page["messages"]:
            if row["rev"] > rows.get(row["id"], {"rev": 0})["rev"]:
                rows[row["id"]] = row
        known = page["next_after_rev"]
        pages += 1
        if not page["has_more"]:
            assert known >= head_at_start, "all that was there when it began"
            return known, pages


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_a_pull_misses_nothing_and_ends(ann: Person, bob: Person, chance: random.Random, limit: int) -> None:
    room = ann.conversation_with(bob)
    people = [ann.another_device(), ann.another_device(), bob.another_device(), bob.another_device()]
    rows: dict[str, Json] = {}
    known, pages = 0, 0
    with writers(people, room, chance) as ended:
        while not ended.is_set():
            known, more = pull(bob, room, rows, known, limit)
            pages += more
            # What is held is, for each message, a state that it had: none is newer than what is known.
            assert all(row["rev"] <= known for row in rows.values())
    known, _ = pull(bob, room, rows, known, limit)
    assert pages > 3, "it read while others wrote"
    assert known == ann.get(f"/conversations/{room}").json()["last_rev"]
    assert sorted(rows.values(), key=lambda row: int(row["seq"])) == ann.history(room)


def test_a_sync_in_pages_misses_no_conversation(person: MakePerson, bob: Person, chance: random.Random) -> None:
    """New conversations and messages while the list of heads is paged: after one more sync all heads are known."""
    others = [person(f"other{n}") for n in range(12)]
    known: dict[str, int] = {}
    epoch: str | None = None
    me = 0

    def write(part: list[Person], seed: float) -> None:
        own = random.Random(seed)
        for n in range(60):
            own.choice(part).say(bob, f"message {n}")

    def sync() -> None:
        nonlocal epoch, me
        body: Json = {"known": known, "me": me, "limit": 3} | ({"epoch": epoch} if epoch else {})
        heads: dict[str, int] = {}
        cursor: str | None = None
        rev: int | None = None
        for _ in range(1000):
            answer = bob.sync(**body, **({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            page = answer.json()
            rev = page["me"]["rev"] if rev is None else rev
            assert page["me"]["rev"] == rev, "all pages of one sync say the same"
            heads |= {head["conversation_id"]: head["last_rev"] for head in page["conversations"]}
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert cursor is None, "it ended"
        known.update(heads)
        epoch, me = page["epoch"], rev or 0

    threads = [threading.Thread(target=write, args=(others[n::3], chance.random())) for n in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sync()
    sync()
    assert known == {item["id"]: item["last_rev"] for item in bob.conversations()}
