#!/usr/bin/env python3
"""Sends per second of 1, 8 and 64 clients at once, on SQLite and on PostgreSQL, beside pgbench doing the two statements
of a send one by one on the same server: advance the conversation, insert the message, in one transaction.

    script/build && cmake --build build --target benches && build/venv/bin/python tests/bench/databases.py

Each client has a conversation of its own, so that nobody waits for a row; all is synced to the disk. In turn, several
rounds:

- `pgbench`: prepared statements, on the unix socket, one thread for all clients. It checks nothing: no log-in, no
  membership, no id that may be there already, and leaves out change_no, which has an index.
- `writer of N`: what commits our sends, by N threads, without HTTP in front (write.c). The same as pgbench does, and
  all checks of log-in, membership, slow mode, blocks and ids.
- `REST, writer of N`: the whole, wrk through lighttpd and the api; push and Redis run too and hear of every message.

Then the processor time of a send, by who used it, and, of 64 clients in a run of their own, what PostgreSQL's sessions
wait for and how often and how long it syncs its log. Needs wrk and PostgreSQL's pgbench."""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("STONECHAT_BUILD", str(ROOT / "build"))

from support.client import Person  # noqa: E402
from support.cpu import cpu_s  # noqa: E402
from support.libpq import Connection, query  # noqa: E402
from support.postgres import Cluster, binaries  # noqa: E402
from support.stack import Stack  # noqa: E402
from support.tokens import claims_of  # noqa: E402

CLIENTS = (1, 8, 64)
WRITERS = (1, 2, 4)  # threads
# As PostgreSQL comes, but for what the tests' clusters leave out.
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "autovacuum_naptime": "1min",
    "track_wal_io_timing": "on",
    "max_connections": "400",  # each api keeps one for each of its threads
}

WRK_SCRIPT = """
local rooms = {{{rooms}}}
local headers = {{["Content-Type"] = "application/json", ["Authorization"] = "Bearer {token}"}}
local body = '{{"content": "a message of a usual length, say one line of text"}}'
local n, failed = 0, 0
function request()
  n = n + 1
  return wrk.format("POST", "/api/v1/conversations/" .. rooms[n % #rooms + 1] .. "/messages", headers, body)
end
function response(status)
  if status ~= 201 then failed = failed + 1 end
  if failed == 1 then io.stderr:write("status " .. status .. "\\n") end
end
"""

PGBENCH_SCRIPT = """
BEGIN;
UPDATE conversations SET last_seq = last_seq + 1, last_rev = last_rev + 1 WHERE id = 'bench' || :client_id
 RETURNING last_seq, last_rev \\gset
INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp) VALUES
 ('bench' || :client_id, :last_seq, :last_rev, gen_random_uuid()::text, '{user}',
  'a message of a usual length, say one line of text', 'abcdefghijklmnopqrstuv', 1760000000000);
COMMIT;
"""
WAITS = (
    "SELECT coalesce(wait_event_type || ' ' || wait_event, 'runs'), count(*) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND state IN ('active', 'idle in transaction') AND pid <> pg_backend_pid()"
    " GROUP BY 1"
)


@dataclass
class Place:
    """A stack with people and conversations."""

    stack: Stack
    person: Person
    rooms: list[str]
    server: int | None  # of PostgreSQL

    @property
    def url(self) -> str:
        return self.stack.settings["database.url"]

    def pids(self) -> dict[str, int]:
        own = {name: process.pid for name, process in self.stack.processes.items()}
        return own | ({"PostgreSQL": self.server} if self.server else {})


@dataclass
class Result:
    per_second: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)  # sends in one
    cpu_us: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))  # of a send


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or "status" in done.stderr or "Non-2xx" in done.stdout:
        raise SystemExit(f"{command[0]}: {done.stderr}{done.stdout}")
    return done.stdout


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1])


def rest(place: Place, clients: int, seconds: int) -> tuple[float, int, int]:
    """Sends a second, sends, batches (0: not known)."""
    rooms = ", ".join(f'"{room}"' for room in place.rooms[:clients])
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_SCRIPT.format(rooms=rooms, token=place.person.token))
        script.flush()
        said = run(["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", script.name, place.stack.url])
    return number(r"Requests/sec:\s+([\d.]+)", said), int(number(r"(\d+) requests in", said)), 0


def writer(place: Place, threads: int, clients: int, seconds: int) -> tuple[float, int, int]:
    program = str(place.stack.build / "tests/bench/bench.write")
    session = claims_of(str(place.person.token))["sid"]
    who = [place.url, place.person.id, session, str(threads), str(seconds)]
    said = json.loads(run([program, *who, *place.rooms[:clients]]))
    return said["per_second"], said["sends"], said["batches"]


def pgbench(place: Place, cluster: Cluster, clients: int, seconds: int) -> tuple[float, int, int]:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH_SCRIPT.format(user=place.person.id))
        script.flush()
        how = ["-n", "-M", "prepared", "-f", script.name, "-c", str(clients), "-j", "1", "-T", f"{seconds}"]
        said = run([str(binaries() / "pgbench"), *how, cluster.socket_url(place.url.rsplit("/", 1)[1])])
    n = int(number(r"transactions actually processed: (\d+)", said))
    return number(r"tps = ([\d.]+)", said), n, n


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(place: Place, what: Callable[[], tuple[float, int, int]], client: str, result: Result) -> None:
    """The processes of the stack and, as `client`, what the measurement itself has run."""
    pids = place.pids()
    before = {name: cpu_s(pid) for name, pid in pids.items()} | {client: children_cpu_s()}
    rate, n, batches = what()
    after = {name: cpu_s(pid) for name, pid in pids.items()} | {client: children_cpu_s()}
    result.per_second.append(rate)
    if batches:
        result.batch.append(n / batches)
    for name in after:
        result.cpu_us[name].append((after[name] - before[name]) / n * 1e6)


@contextmanager
def place_on(url: str | None, writers: int, server: int | None) -> Iterator[Place]:
    """`url` None: SQLite. `writers`: threads of the api."""
    settings = {"auth.access_token_s": "3600", "api.threads": "64", "log.level": "warn", "writer.threads": str(writers)}
    if url:
        settings["database.url"] = url
    stack = Stack(settings, database="sqlite").start()
    try:
        ann = Person.new(stack, "ann")
        yield Place(stack, ann, [ann.make_group(f"Room {n}") for n in range(max(CLIENTS))], server)
    finally:
        print("\n".join(stack.stop()), end="")


def make_rooms_of_pgbench(cluster: Cluster, place: Place) -> None:
    query(
        cluster.socket_url(place.url.rsplit("/", 1)[1]),
        "INSERT INTO conversations (id, kind, rev, last_rev, created_by, created_at)"
        " SELECT 'bench' || n, 'group', 1, 1, $2, 1 FROM generate_series(0, $1::bigint - 1) n",
        max(CLIENTS),
        place.person.id,
    )


Works = dict[str, tuple[Place, str, Callable[[int, int], tuple[float, int, int]]]]


def all_works(cluster: Cluster, postgres: dict[int, Place], sqlite: Place) -> Works:
    first = postgres[WRITERS[0]]
    works: Works = {"pgbench": (first, "pgbench", lambda clients, s: pgbench(first, cluster, clients, s))}
    for n, place in postgres.items():
        works[f"writer of {n}, PostgreSQL"] = (
            place, "writer", lambda clients, s, n=n, place=place: writer(place, n, clients, s)
        )  # fmt: skip
    for n, place in postgres.items():
        works[f"REST, writer of {n}, PostgreSQL"] = (
            place, "wrk", lambda clients, s, place=place: rest(place, clients, s)
        )  # fmt: skip
    works["writer of 1, SQLite"] = (sqlite, "writer", lambda clients, s: writer(sqlite, 1, clients, s))
    works["REST, SQLite"] = (sqlite, "wrk", lambda clients, s: rest(sqlite, clients, s))
    return works


Results = dict[tuple[str, int], Result]


def spread(values: list[float], form: str = ",.0f") -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def show(works: Works, results: Results) -> None:
    print("\n| clients | | sends/s | beside pgbench | sends a batch | processor time of a send, µs |")
    print("|---|---|---|---|---|---|")
    for clients in sorted({clients for _, clients in results}):
        for name in works:
            result, base = results[name, clients], results["pgbench", clients]
            ratios = [a / b for a, b in zip(result.per_second, base.per_second, strict=True)]
            cpu = {who: statistics.median(used) for who, used in result.cpu_us.items()}
            parts = ", ".join(f"{who} {us:.0f}" for who, us in cpu.items() if us >= 1)
            batch = f"{statistics.median(result.batch):.1f}" if result.batch else ""
            print(
                f"| {clients} | {name} | {spread(result.per_second)} | {spread(ratios, '.2f')} | {batch}"
                f" | {sum(cpu.values()):.0f}: {parts} |"
            )


def sample(url: str, seen: collections.Counter[str], end: threading.Event) -> None:
    with Connection(url) as connection:
        while not end.wait(0.01):
            for what, n in connection.query(WAITS):
                seen[what] += int(n)


def syncs(cluster: Cluster) -> tuple[int, float]:
    ((n, took_ms),) = query(cluster.socket_url(), "SELECT wal_sync, wal_sync_time::text FROM pg_stat_wal")
    return int(n), float(took_ms)


def show_waits(cluster: Cluster, works: Works, seconds: int) -> None:
    print("\n| 64 clients | sends a sync | a sync, ms | PostgreSQL's sessions in a transaction |\n|---|---|---|---|")
    for name, (place, _, work) in works.items():
        if not place.server:
            continue
        seen: collections.Counter[str] = collections.Counter()
        end = threading.Event()
        thread = threading.Thread(target=sample, args=(cluster.socket_url(), seen, end))
        before = syncs(cluster)
        thread.start()
        _, n_sends, _ = work(64, seconds)
        end.set()
        thread.join()
        n, took_ms = (after - since for after, since in zip(syncs(cluster), before, strict=True))
        parts = ", ".join(f"{what} {100 * count / (seen.total() or 1):.0f} %" for what, count in seen.most_common(5))
        print(f"| {name} | {n_sends / (n or 1):.1f} | {took_ms / (n or 1):.2f} | {parts} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, choices=range(1, max(CLIENTS) + 1))
    options = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="stonechat-bench-"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "cluster", SETTINGS).create().start().make_role()
    try:
        with ExitStack() as places:
            postgres = {
                n: places.enter_context(place_on(cluster.url(cluster.new_database()), n, cluster.pid)) for n in WRITERS
            }
            sqlite = places.enter_context(place_on(None, 1, None))
            make_rooms_of_pgbench(cluster, postgres[WRITERS[0]])
            works, results = all_works(cluster, postgres, sqlite), collections.defaultdict(Result)
            for _ in range(options.rounds):
                for clients in options.clients:
                    for name, (place, client, work) in works.items():
                        measure(place, lambda: work(clients, options.seconds), client, results[name, clients])  # noqa: B023
            show(works, results)
            show_waits(cluster, works, max(options.seconds, 4))  # a session tells its share once a second
    finally:
        cluster.remove()
        folder.rmdir()


if __name__ == "__main__":
    main()
