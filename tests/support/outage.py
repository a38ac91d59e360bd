"""What is done to a PostgreSQL server: its processes are stopped, its connections taken, and a replica follows it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.libpq import Connection, PostgresError, query
from support.postgres import ROLE, Cluster, binaries, run_as_owner
from support.waiting import wait_until

OURS = f"usename = '{ROLE}'"  # in pg_stat_activity


def children(pid: int) -> list[int]:
    """The processes that this one has started and that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def processes(cluster: Cluster, condition: str) -> list[int]:
    """Those of the server of which this is true in pg_stat_activity."""
    rows = query(cluster.socket_url(), " ".join(("SELECT pid FROM pg_stat_activity WHERE", condition)))
    return [pid for (pid,) in rows]


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """They stand still meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Hog:
    """Somebody else who takes every connection that there is, those of ours too, and gives all back in the end."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.held: list[Connection] = []

    def __enter__(self) -> Hog:
        first = Connection(self.cluster.socket_url())
        self.held.append(first)
        ended = " ".join(("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE", OURS))
        wait_until(lambda: self._all_taken() and first.query(ended) == [(0,)], "there is no connection left", 20)
        return self

    def _all_taken(self) -> bool:
        try:
            while True:
                self.held.append(Connection(self.cluster.socket_url()))
        except PostgresError as error:
            assert "too many clients" in str(error), error
            return True

    def __exit__(self, *_: object) -> None:
        for connection in self.held:
            connection.close()


def list_url(clusters: list[Cluster], database: str) -> str:
    """One url for whichever of them takes writes."""
    hosts = ",".join(f"127.0.0.1:{cluster.port}" for cluster in clusters)
    return f"postgres://{ROLE}:{clusters[0].password}@{hosts}/{database}?target_session_attrs=read-write"


class Replica(Cluster):
    """A server that follows another one until it is promoted."""

    def __init__(self, primary: Cluster, folder: Path, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        self.primary, self.password = primary, primary.password

    def create(self) -> Replica:
        self._make_folder()
        run_as_owner([str(binaries() / "pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "-c", "fast",
                      "--no-sync", "-d", self.primary.socket_url() + "&application_name=replica"])  # fmt: skip
        return self

    def wait_streaming(self, *, synchronous: bool) -> Replica:
        """It has all that there is, and, if synchronous, no commit returns before it is here."""
        url = self.primary.socket_url()
        if synchronous:
            query(url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
            query(url, "SELECT pg_reload_conf()")
        state = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
        wanted = "sync" if synchronous else "async"
        wait_until(lambda: query(url, state) == [(wanted,)], f"the replica streams: {wanted}", 20)
        return self

    def hold_back(self) -> None:
        """It has everything that was committed before this was called, and hears of nothing that is committed after it
        has returned."""
        ((here,),) = query(self.primary.socket_url(), "SELECT pg_current_wal_flush_lsn()")
        received = "SELECT pg_last_wal_receive_lsn() >= $1::pg_lsn"
        wait_until(lambda: query(self.socket_url(), received, here) == [(True,)], "the replica has it", 20)
        query(self.socket_url(), "ALTER SYSTEM SET primary_conninfo = ''")
        query(self.socket_url(), "SELECT pg_reload_conf()")
        following = "SELECT count(*) FROM pg_stat_replication"
        wait_until(lambda: query(self.primary.socket_url(), following) == [(0,)], "the replica hears of nothing", 20)

    def promote(self) -> None:
        assert query(self.socket_url(), "SELECT pg_promote(true, 30)") == [(True,)], self.tail()
