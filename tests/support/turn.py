"""SQLite's turn to write (shared/db/turnstile.c): taken by the test, so that the programs' writers wait for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.stack import Stack
from support.waiting import wait_until


@contextmanager
def database_held(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """Another process has the turn to write, until it is killed."""
    hold = f"exec 9<>{stack.data}/stonechat.db.write; flock 9; echo held; exec sleep 60"
    holder = subprocess.Popen(["bash", "-c", hold], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()


def wait_for_writer(stack: Stack) -> None:
    """Until a writer waits for its turn."""
    turn = (stack.data / "stonechat.db.next").stat().st_ino
    wait_until(lambda: f":{turn} " in Path("/proc/locks").read_text(), "a writer waits for its turn")
