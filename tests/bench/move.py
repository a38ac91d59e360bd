"""How fast `stonechat migrate-db` copies, and how long nobody can write: 1 M messages, 100,000 members and accounts.

    STONECHAT_BUILD=build/release build/venv/bin/python tests/bench/move.py [--messages N] [--members N] [--groups N]
        [--back] [--writers]

From SQLite to a private PostgreSQL, and with --back from there to SQLite again. With --writers a server runs, and a
program in C sends over one WebSocket as fast as it is answered (the target bench.ws_send must have been built)."""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import moving
from support.client import Person
from support.postgres import shared_cluster
from support.stack import Stack

WINDOW = 64


@contextmanager
def written_to(database: str) -> Iterator[None]:
    """A server on it, and somebody who writes without a pause."""
    stack = Stack({"database.url": database}).start()
    ann, bob = Person.new(stack), Person.new(stack)
    room = ann.conversation_with(bob)
    before = moving.count(database, "messages")
    began = time.monotonic()
    program = [str(stack.build / "tests/bench/bench.ws_send"), "127.0.0.1", str(stack.push_port)]
    writer = subprocess.Popen([*program, str(ann.token), room, "100000000", str(WINDOW)])
    try:
        yield
    finally:
        took_s, written = time.monotonic() - began, moving.count(database, "messages") - before
        print(f"{written} messages were written meanwhile, {written / took_s:.0f} a second")
        writer.kill()
        writer.wait()
        stack.stop()


def move(source: str, destination: str) -> None:
    began = time.monotonic()
    done = moving.command("--from", source, "--to", destination)
    took_s = time.monotonic() - began
    print(done.stderr, done.stdout, sep="", end="")
    assert done.returncode == 0
    rows = sum(int(moving.count(destination, table)) for table in moving.TABLES)
    print(f"{rows} rows in {took_s:.1f} s: {rows / took_s:.0f} rows/s, comparing included\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--back", action="store_true")
    parser.add_argument("--writers", action="store_true")
    given = parser.parse_args()
    size = moving.Size(
        people=given.members,
        groups=given.groups,
        members=given.members // given.groups,
        messages=given.messages // given.groups,
        sessions=given.members,
        sign_up="open",
    )
    with tempfile.TemporaryDirectory(prefix="stonechat-move-") as folder:
        cluster = shared_cluster()
        places = [moving.make_source(Path(folder) / "source.db", size), cluster.url(cluster.new_database())]
        if given.back:
            places.append(f"sqlite:{folder}/back.db")
        for source, destination in itertools.pairwise(places):
            if given.writers:
                with written_to(source):
                    move(source, destination)
            else:
                move(source, destination)


if __name__ == "__main__":
    main()
