#!/usr/bin/env python3
"""Whether a page of history takes longer when there are many messages: two stacks side by side in one run, one with
10,000 messages, one with 5 million, on each database.

    script/build && build/venv/bin/python tests/bench/history_sizes.py

20 conversations that were written to in turn, so that what one says lies apart on a disk: 500 messages each, or
250,000. One client asks, through lighttpd, for pages of 50: `newest` of one conversation after the other, or `old`,
before a message chosen at random, so that no page is asked for twice but by chance. An api process of each stack keeps
pages (`memory`), another does not (`none`). In turn, several rounds; a ratio is 5 million beside 10,000 in one round.

Nothing is read from a disk: the operating system has it all in memory. The rows are written by SQL, as the server
writes them, in the order of time. Needs wrk, PostgreSQL and 8 GB in the folder for temporary files."""

from __future__ import annotations

import argparse
import re
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from history import MODES, Server, end_all, start_server

from support.client import BASE, Person
from support.cpu import cpu_s
from support.libpq import Connection
from support.postgres import Cluster
from support.stack import Stack

ROOMS, PAGE = 20, 50
TEXT = "A line of a usual length, which says what people say to each other all day. " * 3
# Fills 8 GB without a sync; otherwise as PostgreSQL comes.
SETTINGS = {"max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": "0"}

# The i-th message, from 0 on: what both databases say alike. Ids are UUIDv7 of its time.
COLUMNS = "conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp"
SQLITE_FILL = f"""
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :messages)
INSERT INTO messages ({COLUMNS})
SELECT r.id, i / {ROOMS} + 1, i / {ROOMS} + 2,
 printf('%08x-%04x-7%03x-8%03x-%012x', (1760000000000 + i * 10) >> 16, (1760000000000 + i * 10) & 65535,
 abs(random()) % 4096, abs(random()) % 4096, i), :sender, substr(:text, 1, 20 + i * 7919 % 160),
 'abcdefghijklmnopqrstuv', 1760000000000 + i * 10
FROM n CROSS JOIN rooms r ON r.n = i % {ROOMS}
"""  # noqa: S608
POSTGRES_FILL = f"""
INSERT INTO messages ({COLUMNS})
SELECT ($2::text[])[i % {ROOMS} + 1], i / {ROOMS} + 1, i / {ROOMS} + 2,
 lpad(to_hex((1760000000000 + i * 10) >> 16), 8, '0') || '-' || lpad(to_hex((1760000000000 + i * 10) & 65535), 4, '0')
 || '-7' || lpad(to_hex((random() * 4095)::bigint), 3, '0') || '-8' || lpad(to_hex((random() * 4095)::bigint), 3, '0')
 || '-' || lpad(to_hex(i), 12, '0'), $3, substr($4, 1, (20 + i * 7919 % 160)::integer),
 'abcdefghijklmnopqrstuv', 1760000000000 + i * 10
FROM generate_series(0, $1::bigint - 1) i
"""  # noqa: S608
COUNT_ON = "UPDATE conversations SET last_seq = {n}, last_rev = {n} + 1 WHERE id IN ({rooms})"

WRK_SCRIPT = """
local rooms = {{ {rooms} }}
local headers = {{ ["Authorization"] = "Bearer {token}" }}
local n = 0
math.randomseed({seed})
function request()
  n = n + 1
  local path = "{base}/conversations/" .. rooms[n % #rooms + 1] .. "/messages?limit={page}"
  if {is_old} then path = path .. "&before_seq=" .. math.random({page} + 1, {last}) end
  return wrk.format("GET", path, headers)
end
function response(status)
  if status ~= 200 then io.stderr:write("status " .. status .. "\\n") wrk.thread:stop() end
end
"""


@dataclass
class Place:
    """A stack with so many messages, and its servers by how they keep pages."""

    messages: int
    stack: Stack
    person: Person
    rooms: list[str]
    database: int | None  # the process of PostgreSQL
    servers: dict[str, Server] = field(default_factory=dict)


@dataclass
class Result:
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    api_us: list[float] = field(default_factory=list)  # CPU a request
    database_us: list[float] = field(default_factory=list)


Fill = Callable[[Stack, list[str], Person, int], None]


def fill_sqlite(stack: Stack, rooms: list[str], sender: Person, messages: int) -> None:
    for process in (stack.push, stack.api):  # nobody else has the file open
        process.end()
    path = stack.data / "stonechat.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for name, value in (("journal_mode", "OFF"), ("synchronous", "OFF"), ("cache_size", "-262144")):
            database.execute(f"PRAGMA {name} = {value}")
        database.execute("CREATE TEMP TABLE rooms (n INTEGER PRIMARY KEY, id TEXT)")
        database.executemany("INSERT INTO rooms VALUES (?, ?)", enumerate(rooms))
        database.execute("BEGIN")
        database.execute(SQLITE_FILL, {"messages": messages, "sender": sender.id, "text": TEXT})
        database.execute(COUNT_ON.format(n=messages // ROOMS, rooms=", ".join(map(repr, rooms))))
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")
    for name in ("push", "api"):
        stack.processes[name].start()
    stack.wait_ready()


def fill_postgres(url: str, rooms: list[str], sender: Person, messages: int) -> None:
    with Connection(url) as database:
        database.query("SET session_replication_role = replica")  # looks up no foreign keys
        database.query(POSTGRES_FILL, messages, "{" + ",".join(rooms) + "}", sender.id, TEXT)
        database.query(COUNT_ON.format(n=messages // ROOMS, rooms=", ".join(map(repr, rooms))))
        database.query("VACUUM (ANALYZE) messages")  # as autovacuum does


@contextmanager
def place_with(messages: int, url: str | None, fill: Fill, database: int | None) -> Iterator[Place]:
    own = {"database.url": url} if url else {}
    stack = Stack({"log.level": "warn", "auth.access_token_s": "3600"} | own, database="sqlite").start()
    servers: dict[str, Server] = {}
    try:
        person = Person.new(stack)
        rooms = [person.make_group(f"room {n}") for n in range(ROOMS)]
        began = time.monotonic()
        fill(stack, rooms, person, messages)
        print(f"{messages:,} messages in {time.monotonic() - began:.0f} s", flush=True)
        servers |= {mode: start_server(stack, mode, 4) for mode in MODES}
        yield Place(messages, stack, person, rooms, database, servers)
    finally:
        end_all(list(servers.values()))
        print("\n".join(stack.stop()), end="")


@contextmanager
def sqlite_places(sizes: list[int]) -> Iterator[list[Place]]:
    with ExitStack() as all_places:
        yield [all_places.enter_context(place_with(size, None, fill_sqlite, None)) for size in sizes]


@contextmanager
def postgres_places(sizes: list[int], shared_buffers: str) -> Iterator[list[Place]]:
    """Two databases of one server."""
    folder = Path(tempfile.mkdtemp(prefix="stonechat-bench-"))
    folder.chmod(0o755)
    settings = SETTINGS | {"shared_buffers": shared_buffers}
    cluster = Cluster(folder / "cluster", settings).create().start().make_role()
    try:
        with ExitStack() as all_places:
            places = []
            for size in sizes:
                name = cluster.new_database()

                def fill(_: Stack, *more: object, name: str = name) -> None:
                    fill_postgres(cluster.socket_url(name), *more)  # type: ignore[arg-type]

                places.append(all_places.enter_context(place_with(size, cluster.url(name), fill, cluster.pid)))
            yield places
    finally:
        cluster.remove()
        folder.rmdir()


def percentile_ms(percent: int, said: str) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)
    assert found, said
    return float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[found[2]]


def measure(place: Place, mode: str, work: str, options: argparse.Namespace, result: Result) -> None:
    server = place.servers[mode]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(
            WRK_SCRIPT.format(
                rooms=", ".join(f'"{room}"' for room in place.rooms),
                token=place.person.token,
                seed=time.monotonic_ns() % 2**31,
                base=BASE,
                page=PAGE,
                is_old=str(work == "old").lower(),
                last=place.messages // ROOMS,
            )
        )
        file.flush()
        before = [cpu_s(server.api.pid), cpu_s(place.database) if place.database else 0]
        command = ["wrk", "-t1", "-c1", f"-d{options.seconds}s", "--latency", "-s", file.name, server.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        after = [cpu_s(server.api.pid), cpu_s(place.database) if place.database else 0]
    if "status" in done.stderr or "Socket errors" in done.stdout:
        raise SystemExit(f"a request was refused: {done.stderr[:300]}{done.stdout}")
    n = int(re.findall(r"(\d+) requests in", done.stdout)[0])
    result.p50_ms.append(percentile_ms(50, done.stdout))
    result.p99_ms.append(percentile_ms(99, done.stdout))
    result.api_us.append((after[0] - before[0]) / n * 1e6)
    result.database_us.append((after[1] - before[1]) / n * 1e6)


Results = dict[tuple[str, str, int], Result]


def ratio(many: list[float], few: list[float]) -> str:
    ratios = [a / b for a, b in zip(many, few, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def show(title: str, sizes: list[int], results: Results) -> None:
    print(f"\n{title}\n")
    print("| page | cache | messages | p50, ms | beside the fewest | p99, ms | beside | CPU: api, µs | database, µs |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (work, mode, size), result in results.items():
        few = results[work, mode, sizes[0]]
        p50, p99, api, database = map(
            statistics.median, (result.p50_ms, result.p99_ms, result.api_us, result.database_us)
        )
        print(
            f"| {work} | {mode} | {size:,} | {p50:.2f} | {ratio(result.p50_ms, few.p50_ms)} | {p99:.2f}"
            f" | {ratio(result.p99_ms, few.p99_ms)} | {api:.0f} | {database:.0f} |",
            flush=True,
        )


def measure_all(title: str, places: list[Place], options: argparse.Namespace) -> None:
    results: Results = defaultdict(Result)
    for one_round in range(-1, options.rounds):  # the first one only warms all up
        into = results if one_round >= 0 else defaultdict(Result)
        for work in ("newest", "old"):
            for mode in MODES:
                for place in places:
                    measure(place, mode, work, options, into[work, mode, place.messages])
    show(title, options.messages, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--messages", type=int, nargs="+", default=[10_000, 5_000_000])
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--shared-buffers", default="128MB", help="of PostgreSQL, which comes with 128MB")
    options = parser.parse_args()
    if options.database != "postgres":
        with sqlite_places(options.messages) as places:
            measure_all("SQLite", places, options)
    if options.database != "sqlite":
        with postgres_places(options.messages, options.shared_buffers) as places:
            measure_all(f"PostgreSQL, shared_buffers = {options.shared_buffers}", places, options)


if __name__ == "__main__":
    main()
