"""stonechat migrate-db where the databases let nobody take long: it takes its time where it reads a lot, and where one
side waits for the other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import moving
from support.libpq import Connection, query
from support.postgres import ROLE, shared_cluster
from support.waiting import wait_until

LIMIT, HELD = "1s", "2s"  # what a database allows, and how long somebody keeps a table that is to be read


class Move:
    """The command, from one PostgreSQL database to another one."""

    def __init__(self, source: str, destination: str, pool: ThreadPoolExecutor) -> None:
        self.cluster, self.source, self.destination, self.pool = shared_cluster(), source, destination, pool
        self.limit(source, lock_timeout="60s")
        self.command: Future[subprocess.CompletedProcess[str]]

    def limit(self, database: str, **limits: str) -> None:
        for name, value in limits.items():
            query(self.cluster.socket_url(), f"ALTER ROLE {ROLE} IN DATABASE {database} SET {name} = '{value}'")

    def start(self) -> None:
        urls = (self.cluster.url(name) for name in (self.source, self.destination))
        self.command = self.pool.submit(moving.command, *("--from", next(urls), "--to", next(urls)))

    def hold(self, table: str) -> Connection:
        """Keeps a table of the source, whoever else has it first, until it is closed."""
        session = Connection(self.cluster.socket_url(self.source))
        session.query("BEGIN")
        session.query(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        return session

    def waits(self, statement: str, at_least: str) -> None:
        """Until one that begins so has waited for a table so long, or the command has ended."""
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'"
            " AND starts_with(query, $2) AND clock_timestamp() - query_start >= $3::interval"
        )
        asked = (self.cluster.socket_url(), waiting, self.source, statement, at_least)
        wait_until(lambda: self.command.done() or query(*asked), f"it waits: {statement}", 30)

    def check_done(self) -> None:
        done = self.command.result()
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Move]:
    cluster = shared_cluster()
    names = [cluster.new_database() for _ in range(2)]
    small = moving.make_source(tmp_path / "small.db", moving.Size(people=5, groups=1, members=3, messages=20))
    done = moving.command("--from", small, "--to", cluster.url(names[0]))
    assert done.returncode == 0, done.stderr
    with ThreadPoolExecutor(2) as pool:
        yield Move(names[0], names[1], pool)
    for name in names:
        cluster.drop_database(name)


def test_counting_may_take_longer_than_a_statement(move: Move) -> None:
    """All rows are counted for the progress; nobody but the operator waits for that."""
    move.limit(move.source, statement_timeout=LIMIT)
    held = move.hold("audit")
    move.start()
    move.waits("SELECT count(*) FROM audit", HELD)
    held.close()
    move.check_done()


def test_the_destination_may_wait_for_the_source(move: Move) -> None:
    """Its transaction is idle while the source is read."""
    move.limit(move.destination, idle_in_transaction_session_timeout=LIMIT)
    with ExitStack() as held:
        first = held.enter_context(move.hold("audit"))
        move.start()
        move.waits("SELECT count(*) FROM audit", "0s")
        second = move.pool.submit(move.hold, "members")  # gets it when all is counted, before anything is copied
        queued = "SELECT 1 FROM pg_locks WHERE relation = 'members'::regclass AND NOT granted"
        wait_until(lambda: query(move.cluster.socket_url(move.source), queued), "it is the next to have it", 30)
        first.close()
        held.enter_context(second.result())
        move.waits("SELECT conversation_id, user_id, role", HELD)
    move.check_done()
