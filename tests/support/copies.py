"""Copies of a stack's database, and `stonechat restore`."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from support.stack import Stack
from support.waiting import wait_until

Json = dict[str, Any]


def database(stack: Stack) -> Path:
    return stack.data / "stonechat.db"


def run(stack: Stack, file: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [str(stack.build / "stonechat"), "restore", str(file)]
    return subprocess.run(command, env=stack.env, capture_output=True, text=True, timeout=60, **more)


def restore(stack: Stack, file: Path) -> str:
    """A restore that must succeed and leave nothing behind; what it printed."""
    done = run(stack, file)
    assert done.returncode == 0 and without_progress(done.stderr) == "", done.stdout + done.stderr
    assert leftovers(stack) == []
    return done.stdout


def without_progress(stderr: str) -> str:
    """What is said beside how far it is, which a slow machine is told."""
    return re.sub(r"^[a-z ]+: (\d+ %|\.\.\.)\n", "", stderr, flags=re.MULTILINE)


def kept_by(printed: str) -> Path:
    found = re.search(r"kept as (\S+)", printed)
    assert found, printed
    return Path(found[1])


def leftovers(stack: Stack) -> list[str]:
    return sorted(path.name for path in stack.data.glob("stonechat.db.restore*"))


def kept_files(stack: Stack) -> list[Path]:
    return sorted(path for path in stack.data.glob("stonechat.db.before-restore-*"))


def copy(stack: Stack, name: str = "copy.db") -> Path:
    """A copy as SQLite's shell makes one with .backup."""
    path = stack.data / name
    with closing(sqlite3.connect(database(stack))) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return path


def query(path: Path, statement: str) -> list[Any]:
    """On a file that nobody else has open, or on a database in use."""
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        return connection.execute(statement).fetchall()


def change(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)


def messages_of(path: Path, room: str) -> list[Json]:
    """id, seq and rev of all that a file holds of a conversation."""
    rows = query(path, "SELECT id, seq, rev, conversation_id FROM messages ORDER BY seq")
    return [{"id": id_, "seq": seq, "rev": rev} for id_, seq, rev, where in rows if where == room]


def epoch_of(path: Path) -> str:
    ((epoch,),) = query(path, "SELECT value FROM meta WHERE key = 'epoch'")
    return str(epoch)


def start_until_stopped(stack: Stack, file: Path, point: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """A restore that stands still at a point in its middle."""
    child = subprocess.Popen(
        [str(stack.build / "stonechat"), "restore", str(file)],
        env=stack.env | {"STONECHAT_FAULT_RESTORE": point},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )

    def stopped() -> bool:
        assert child.poll() is None, child.communicate()
        return Path(f"/proc/{child.pid}/stat").read_text().rsplit(") ", 1)[1][0] == "T"

    wait_until(stopped, f"the restore stands still {point}", 30)
    return child
