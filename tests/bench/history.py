#!/usr/bin/env python3
"""Measures what the cache brings to history, side by side in one run: tables for each database.

    cmake --build build/release --target all benches
    STONECHAT_BUILD=build/release build/venv/bin/python tests/bench/history.py

Two api processes with the same database differ in their cache alone. `same`: everybody asks for the newest page of one
conversation, which after the first request is kept; `other`: no page is asked for twice, so that keeping it is in vain;
`held`: the client has the page and says so; `list`: the newest conversations, with nothing kept. Then crowds: each
page is asked for by so many people, in turn at one of so many processes. The ratios count. Needs wrk and PostgreSQL.

PostgreSQL is --distance-ms away, there and back (support/delay.c).
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("STONECHAT_BUILD", str(ROOT / "build"))

import httpx  # noqa: E402

from support.client import BASE, Person, new_id  # noqa: E402
from support.cpu import cpu_s  # noqa: E402
from support.delay import Delay  # noqa: E402
from support.libpq import query  # noqa: E402
from support.ports import free_block  # noqa: E402
from support.postgres import Cluster  # noqa: E402
from support.process import Process  # noqa: E402
from support.stack import LIGHTTPD, Stack  # noqa: E402
from support.waiting import wait_until  # noqa: E402

ROOMS, MESSAGES, PAGE = 20, 1000, 50
PAGES = ROOMS * (MESSAGES - PAGE)  # that differ, at one size
MODES = {"none": {"cache.memory_bytes": "0"}, "memory": {"cache.memory_bytes": "33554432"}}
# The n-th page that nobody has asked for yet, or one and the same. Of a crowd, each server gets its part.
WRK_SCRIPT = """
local rooms = {{ {rooms} }}
local n, tag = {begin}, "{tag}"
local headers = {{ ["Authorization"] = "Bearer {token}" }}
if tag ~= "" then headers["If-None-Match"] = tag:gsub("'", '"') end
function request()
  local path
  if {is_other} then
    local nth = {first} + math.floor(n / {times})
    local room, at, size = rooms[nth % #rooms + 1], math.floor(nth / #rooms), {page}
    local before, limit = size + 1 + at % {span}, size - math.floor(at / {span})
    path = "/" .. room .. "/messages?before_seq=" .. before .. "&limit=" .. limit
    n = n + {step}
  else
    path = "{path}"
  end
  return wrk.format("GET", "{base}/conversations" .. path, headers)
end
function response(status)
  if status ~= {status} then io.stderr:write("status " .. status .. "\\n") wrk.thread:stop() end
end
"""


# A stack, what runs SQL in its database, and the processes of that.
Place = tuple[Stack, Callable[[str], object], list[int]]


@dataclass
class Server:
    """One api process with its lighttpd."""

    mode: str
    url: str
    api: Process
    lighttpd: Process


@dataclass
class Result:
    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    api_us: list[float] = field(default_factory=list)  # CPU a request
    others_us: list[float] = field(default_factory=list)  # of the database


def start_server(stack: Stack, mode: str, threads: int = 32) -> Server:
    port = free_block()
    env = stack.env | {
        "STONECHAT_PORT": str(port),
        "STONECHAT_API_SOCKET": str(stack.run / f"api-{port}.sock"),
        "STONECHAT_METRICS_PORT": str(port + 1),
        "STONECHAT_API_THREADS": str(threads),
    }
    env |= {"STONECHAT_" + name.replace(".", "_").upper(): value for name, value in MODES[mode].items()}
    api = Process(mode, [str(stack.build / "stonechat-api")], ROOT, env, stack.log / f"api-{port}.log")
    lighttpd = Process(f"lighttpd-{mode}", LIGHTTPD, ROOT, env, stack.log / f"lighttpd-{port}.log")
    api.start()
    lighttpd.start()
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: serves(url), f"the api with {mode} serves", 20.0)
    return Server(mode, url, api, lighttpd)


def serves(url: str) -> bool:
    try:
        return httpx.get(url + "/readyz", timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False


def fill(run: Callable[[str], object], person: Person) -> list[str]:
    """ROOMS groups of MESSAGES messages, written by SQL; their ids."""
    rooms = [person.make_group(f"room {n}") for n in range(ROOMS)]
    for room in rooms:
        rows = [
            f"('{room}', {seq}, {seq + 1}, '{new_id()}', '{person.id}', 'Message {seq}: a line of a usual length', 'x',"
            f" {1760000000000 + seq})"
            for seq in range(1, MESSAGES + 1)
        ]
        columns = "conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp"
        run(f"INSERT INTO messages ({columns}) VALUES {', '.join(rows)}")  # noqa: S608
        run(f"UPDATE conversations SET last_seq = {MESSAGES}, last_rev = {MESSAGES + 1} WHERE id = '{room}'")  # noqa: S608
    return rooms


def wrk(url: str, script: str, connections: int, seconds: int) -> tuple[float, float, int]:
    """Requests a second, median latency in ms, requests."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", file.name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "status" in done.stderr or "Socket errors" in done.stdout:
        raise SystemExit(f"a request was refused: {done.stderr[:300]}{done.stdout}")
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", done.stdout)
    rate, total = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout), re.search(r"(\d+) requests in", done.stdout)
    assert found and rate and total, done.stdout
    return float(rate[1]), float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[found[2]], int(total[1])


class Bench:
    def __init__(self, stack: Stack, person: Person, rooms: list[str], others: list[int]) -> None:
        self.stack, self.person, self.rooms, self.others = stack, person, rooms, others
        self.fresh = itertools.count()
        self.results: dict[tuple[str, str, int], Result] = {}
        self.crowds: dict[tuple[int, int, str], Result] = {}

    def script(self, work: str, tag: str = "", first: int = 0, crowd: tuple[int, int, int] = (1, 0, 1)) -> str:
        """`crowd`: how many ask for a page, which of the servers this is, and how many there are."""
        times, begin, step = crowd
        return WRK_SCRIPT.format(
            rooms=", ".join(f'"{room}"' for room in self.rooms),
            first=first,
            times=times,
            begin=begin,
            step=step,
            token=self.person.token,
            page=PAGE,
            span=MESSAGES - PAGE,
            base=BASE,
            is_other=str(work == "other").lower(),
            path="" if work == "list" else f"/{self.rooms[0]}/messages",
            tag=tag.replace('"', "'"),
            status=304 if tag else 200,
        )

    def measure(self, server: Server, work: str, connections: int, seconds: int) -> None:
        path = f"{server.url}{BASE}/conversations/{self.rooms[0]}/messages"
        headers = {"Authorization": f"Bearer {self.person.token}"}
        tag = httpx.get(path, headers=headers).headers["ETag"]
        # A quarter of all pages each time, so that none is asked for twice of one server.
        first = next(self.fresh) * PAGES // 4
        script = self.script(work, tag if work == "held" else "", first)
        before = [cpu_s(server.api.pid), sum(cpu_s(pid) for pid in self.others)]
        rate, p50, n = wrk(server.url, script, connections, seconds)
        after = [cpu_s(server.api.pid), sum(cpu_s(pid) for pid in self.others)]
        result = self.results.setdefault((server.mode, work, connections), Result())
        result.per_second.append(rate)
        result.p50_ms.append(p50)
        result.api_us.append((after[0] - before[0]) / n * 1e6)
        result.others_us.append((after[1] - before[1]) / n * 1e6)

    def all_cpu_s(self, servers: list[Server]) -> list[float]:
        return [sum(cpu_s(server.api.pid) for server in servers), sum(cpu_s(pid) for pid in self.others)]

    def measure_crowd(self, servers: list[Server], times: int, seconds: int) -> None:
        first = next(self.fresh) * PAGES // 4
        before = self.all_cpu_s(servers)
        with ThreadPoolExecutor(len(servers)) as pool:
            jobs = [
                pool.submit(
                    wrk, server.url, self.script("other", first=first, crowd=(times, n, len(servers))), 4, seconds
                )
                for n, server in enumerate(servers)
            ]
            found = [job.result() for job in jobs]
        after = self.all_cpu_s(servers)
        n_requests = sum(n for _, _, n in found)
        result = self.crowds.setdefault((len(servers), times, servers[0].mode), Result())
        result.per_second.append(sum(rate for rate, _, _ in found))
        result.p50_ms.append(statistics.median(p50 for _, p50, _ in found))
        result.api_us.append((after[0] - before[0]) / n_requests * 1e6)
        result.others_us.append((after[1] - before[1]) / n_requests * 1e6)

    def show_crowds(self, title: str) -> None:
        print(f"\n{title}\n")
        print("| processes | people a page | cache | p50, ms | CPU: api, µs | database, µs | all, beside none |")
        print("|---|---|---|---|---|---|---|")
        for (n, times, mode), result in self.crowds.items():
            none = self.crowds[n, times, "none"]
            ratios = [
                (a + b) / (c + d)
                for a, b, c, d in zip(result.api_us, result.others_us, none.api_us, none.others_us, strict=False)
            ]
            p50, api, others = map(statistics.median, (result.p50_ms, result.api_us, result.others_us))
            print(
                f"| {n} | {times} | {mode} | {p50:.2f} | {api:.0f} | {others:.0f} | {statistics.median(ratios):.2f}"
                f" ({min(ratios):.2f} to {max(ratios):.2f}) |",
                flush=True,
            )

    def show(self, title: str) -> None:
        print(f"\n{title}\n")
        print("| asked | cache | 1 client: p50, ms | 16 clients: /s | beside none | CPU: api, µs | database, µs |")
        print("|---|---|---|---|---|---|---|")
        for (mode, work, connections), many in self.results.items():
            if connections != 16:
                continue
            one, none = self.results[mode, work, 1], self.results["none", work, connections]
            ratios = [a / b for a, b in zip(many.per_second, none.per_second, strict=False)]
            p50, rate, api, others = (
                statistics.median(values) for values in (one.p50_ms, many.per_second, many.api_us, many.others_us)
            )
            print(
                f"| {work} | {mode} | {p50:.2f} | {rate:,.0f} | {statistics.median(ratios):.2f}"
                f" ({min(ratios):.2f} to {max(ratios):.2f}) | {api:.0f} | {others:.0f} |",
                flush=True,
            )


@contextmanager
def sqlite_stack() -> Iterator[Place]:
    stack = Stack({"log.level": "warn"}).start()

    def run(sql: str) -> None:
        with closing(sqlite3.connect(stack.data / "stonechat.db", timeout=10, isolation_level=None)) as database:
            database.execute(sql)

    try:
        yield stack, run, []
    finally:
        stack.stop()


@contextmanager
def postgres_stack(distance_ms: float) -> Iterator[Place]:
    """PostgreSQL behind a proxy."""
    folder = Path(tempfile.mkdtemp(prefix="stonechat-bench-"))
    cluster = Cluster(folder / "cluster")
    folder.chmod(0o755)
    cluster.create().start().make_role()
    name = cluster.new_database()
    delay = Delay(cluster.port, distance_ms, folder / "delay.log").start()
    url = cluster.url(name).replace(f":{cluster.port}/", f":{delay.port}/")
    stack = Stack({"log.level": "warn", "database.url": url}).start()
    try:
        yield stack, lambda sql: query(cluster.socket_url(name), sql), [cluster.pid]
    finally:
        stack.stop()
        delay.stop()
        cluster.remove()


def end_all(servers: list[Server]) -> None:
    for server in servers:
        server.lighttpd.end()
        server.api.end()


def measure_tiers(bench: Bench, options: argparse.Namespace) -> None:
    servers = [start_server(bench.stack, mode) for mode in MODES]
    try:
        for server in servers:  # each of its threads makes its connection
            bench.measure(server, "same", 64, 1)
        for _ in range(options.rounds):
            bench.person = bench.person.another_device()
            for work in ("same", "other", "held", "list"):
                for connections in (1, 16):
                    for server in servers if work in ("same", "other") else servers[:1]:
                        bench.measure(server, work, connections, options.seconds)
    finally:
        end_all(servers)


def measure_crowds(bench: Bench, options: argparse.Namespace) -> None:
    groups = {mode: [start_server(bench.stack, mode, 4) for _ in range(4)] for mode in MODES}
    try:
        for servers in groups.values():
            for server in servers:
                bench.measure(server, "same", 8, 1)
        for _ in range(options.rounds):
            bench.person = bench.person.another_device()
            for n in (2, 4):
                for times in (1, 2, 4, 16):
                    for servers in groups.values():
                        bench.measure_crowd(servers[:n], times, options.seconds)
    finally:
        end_all([server for servers in groups.values() for server in servers])


def measure_all(title: str, place: Place, options: argparse.Namespace) -> None:
    stack, run, others = place
    person = Person.new(stack)
    bench = Bench(stack, person, fill(run, person), others)
    if options.what != "crowds":
        measure_tiers(bench, options)
        bench.show(title)
    if options.what != "tiers":
        measure_crowds(bench, options)
        bench.show_crowds(title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--distance-ms", type=float, default=1.0)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--what", choices=["tiers", "crowds", "both"], default="both")
    options = parser.parse_args()
    if options.database != "postgres":
        with sqlite_stack() as place:
            measure_all("SQLite", place, options)
    if options.database != "sqlite":
        with postgres_stack(options.distance_ms) as place:
            measure_all(f"PostgreSQL, {options.distance_ms:g} ms away", place, options)


if __name__ == "__main__":
    main()
