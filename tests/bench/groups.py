"""A group filled to its 10,000 members by adds of 100, while two others talk; what each step takes, printed.

    STONECHAT_BUILD=build/release build/venv/bin/python tests/bench/groups.py

Nothing is asserted but that it worked: bodies stay bounded, and nobody else waits for a large group."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx

from support.client import Person
from support.stack import Stack

MEMBERS, STEP = 10_000, 100
USER = (
    "INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role, created_at)"
    " VALUES (?, ?, ?, ?, ?, 'x', 'member', 1)"
)


def make_people(stack: Stack) -> list[str]:
    """Accounts past the API, which would hash a password for each."""
    ids = [str(uuid.uuid4()) for _ in range(MEMBERS)]
    with closing(sqlite3.connect(stack.data / "stonechat.db", timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(USER, [(id_, *[f"u{n:05}"] * 4) for n, id_ in enumerate(ids)])
        database.execute("COMMIT")
    return ids


def timed(work: Callable[[], httpx.Response], took_ms: list[float]) -> httpx.Response:
    began = time.monotonic()
    answer = work()
    took_ms.append((time.monotonic() - began) * 1000)
    assert answer.is_success, answer.text
    return answer


def show(what: str, took_ms: list[float], size: int = 0) -> None:
    took_ms = sorted(took_ms)
    p99 = took_ms[int(len(took_ms) * 0.99)]
    print(
        f"{what:28} n {len(took_ms):4}  median {took_ms[len(took_ms) // 2]:6.1f} ms  p99 {p99:6.1f}"
        f"  max {took_ms[-1]:6.1f}  {size or '':>6}{' bytes' if size else ''}"
    )


def measure(stack: Stack) -> None:
    ann, bob, eve = (Person.new(stack, name) for name in ("ann", "bob", "eve"))
    direct = bob.conversation_with(eve)
    ids = make_people(stack)[: MEMBERS - 1]
    group_id = ann.make_group("Big")
    here = f"/conversations/{group_id}"
    adds: list[float] = []
    others: list[float] = []
    full = threading.Event()

    def talk() -> None:
        while not full.is_set():
            timed(lambda: bob.send(direct, "hello"), others)

    talker = threading.Thread(target=talk)
    talker.start()
    largest = 0
    for at in range(0, len(ids), STEP):
        answer = timed(lambda at=at: ann.post(f"{here}/members", {"user_ids": ids[at : at + STEP]}), adds)
        largest = max(largest, len(answer.content))
    full.set()
    talker.join()
    show("add 100", adds, largest)
    show("the first ten of them", adds[:10])
    show("the last ten of them", adds[-10:])
    show("others' sends meanwhile", others)
    for what, path in (
        ("its item", here),
        ("the list", "/conversations"),
        ("200 members", f"{here}/members?limit=200"),
    ):
        took: list[float] = []
        answer = timed(lambda path=path: ann.get(path), took)
        show(what, took, len(answer.content))
    took = []
    timed(lambda: ann.request("DELETE", here), took)
    show("delete", took)


def main() -> None:
    stack = Stack().start()
    try:
        measure(stack)
    finally:
        wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    main()
