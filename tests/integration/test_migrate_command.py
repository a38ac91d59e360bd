"""stonechat migrate: it shows what is pending, brings each earlier version to the newest one while others try the same,
and refuses a database that is newer than itself."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import libpq
from support.postgres import shared_cluster
from support.schemas import bring_to, migrations, run
from support.stack import build_folder
from support.waiting import wait_until

SCHEMA_LOCK = 0x53746F6E  # which migrations take on PostgreSQL (shared/db/driver_postgres.c)
MakeDatabase = Callable[[int], str]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=["sqlite", "postgres"])
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeDatabase]:
    """Makes one of an earlier version (0: empty); its url."""
    made: list[str] = []

    def make(version: int) -> str:
        if request.param == "postgres":
            made.append(shared_cluster().new_database())
            url = shared_cluster().url(made[-1])
        else:
            url = f"sqlite:{tmp_path}/{version}.db"
        bring_to(url, version)
        return url

    yield make
    for name in made:
        shared_cluster().drop_database(name)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts the command, all of one data folder."""

    def start_one(url: str, *arguments: str) -> subprocess.Popen[str]:
        env = {"PATH": os.environ["PATH"], "STONECHAT_DATABASE_URL": url, "STONECHAT_DATA": str(tmp_path / "data")}
        return subprocess.Popen(
            [str(build_folder() / "stonechat"), "migrate", *arguments],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start_one


def printed(command: subprocess.Popen[str], status: int = 0) -> list[str]:
    """Its lines, when it has ended, without those of the folders that it made."""
    out, error = command.communicate(timeout=60)
    assert command.returncode == status, out + error
    return [line for line in (error if status else out).splitlines() if not line.startswith("made ")]


def version_of(url: str) -> int:
    ((version,),) = run(url, "SELECT count(*) FROM migrations")
    return int(str(version))


def test_what_is_pending_is_shown_and_applied(make_database: MakeDatabase, start: Start) -> None:
    """From empty and from each earlier version, whose data stays."""
    newest = len(migrations(make_database(0)))
    for version in range(1, newest):
        url = make_database(version)
        names = [name for name, _ in migrations(url)[version:]]
        shown = printed(start(url, "--dry-run"))
        assert shown == [f"pending {name}" for name in names]
        assert version_of(url) == version, "it was only to be shown"
        done = printed(start(url))
        assert done == [*(f"applying {name}" for name in names), f"Applied: {len(names)}. The database is up to date."]
        assert run(url, "SELECT username, (SELECT count(*) FROM sessions) FROM users") == [("Ada", 1)]
        assert run(url, "SELECT value FROM meta WHERE key IN ('epoch', 'schema') ORDER BY key") == [
            ("e",),
            (str(newest),),
        ]
        for arguments in ((), ("--dry-run",)):
            assert printed(start(url, *arguments)) == ["The database is up to date."]
    empty = make_database(0)
    assert len(printed(start(empty, "--dry-run"))) == newest
    assert len(printed(start(empty))) == newest + 1


def test_a_newer_database_is_refused(make_database: MakeDatabase, start: Start) -> None:
    url = make_database(0)
    printed(start(url))
    run(url, "INSERT INTO migrations VALUES (9999, 'later', 'x', 0)")
    for arguments in ((), ("--dry-run",)):
        (said,) = printed(start(url, *arguments), status=1)
        assert "the database has schema 9999" in said and "install a newer version" in said
    assert "Nothing but --dry-run may follow" in printed(start(url, "--fast"), status=2)[0]


def waiting(url: str) -> int:
    """How many sessions wait for the lock on the schema."""
    ((n,),) = run(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return int(str(n))


def test_several_at_once_take_turns(make_database: MakeDatabase, start: Start) -> None:
    """On PostgreSQL each is known to wait for the lock; on SQLite they come when they come."""
    url = make_database(1)
    if url.startswith("sqlite:"):
        commands = [start(url) for _ in range(3)]
    else:
        with libpq.Connection(url) as session:
            session.query(f"BEGIN; SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
            commands = [start(url) for _ in range(3)]
            wait_until(lambda: waiting(url) == 3, "all wait for the lock", 9)
    lines = [line for command in commands for line in printed(command)]
    applied = sorted(line for line in lines if line.startswith("applying"))
    assert applied == [f"applying {name}" for name, _ in migrations(url)[1:]]
    assert sum(line.endswith("up to date.") for line in lines) == 3


def test_who_waits_in_vain_is_told_why(make_database: MakeDatabase, start: Start) -> None:
    """Another command takes long, or stands still."""
    url = make_database(1)
    if url.startswith("sqlite:"):
        with Path(url.removeprefix("sqlite:") + ".write").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            (said,) = printed(start(url), status=1)
    else:
        with libpq.Connection(url) as session:
            session.query(f"BEGIN; SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
            (said,) = printed(start(url), status=1)
    assert "another program holds the database" in said and "run this again" in said, said
    assert version_of(url) == 1
