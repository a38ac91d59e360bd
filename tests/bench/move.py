"""How fast `stonechat migrate-db` copies, and how long nobody can write: 1 M messages, 100,000 members and accounts.

    STONECHAT_BUILD=build/release build/venv/bin/python tests/bench/move.py [--messages N] [--members N] [--back]

From SQLite to a private PostgreSQL, and with --back from there to SQLite again. Nobody writes meanwhile: what writers
add is in tests/drills/test_moving.py."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import moving
from support.postgres import shared_cluster


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
    given = parser.parse_args()
    size = moving.Size(
        people=given.members,
        groups=given.groups,
        members=given.members // given.groups,
        messages=given.messages // given.groups,
        sessions=given.members,
    )
    with tempfile.TemporaryDirectory(prefix="stonechat-move-") as folder:
        source = moving.make_source(Path(folder) / "source.db", size)
        cluster = shared_cluster()
        destination = cluster.url(cluster.new_database())
        move(source, destination)
        if given.back:
            move(destination, f"sqlite:{folder}/back.db")


if __name__ == "__main__":
    main()
