#!/usr/bin/env python3
"""Measures what ETags and the cache bring to conversations and people, side by side in one run.

    cmake --build build/release --target all benches
    STONECHAT_BUILD=build/release build/venv/bin/python tests/bench/heads.py

Somebody in --rooms groups of --members people asks for the list of 50, for one of the groups, for a person and for
themselves: a table for each database. `none`: nothing is kept and nothing is held; `held`: the client has the answer
and says so; `kept`: it is in the process, where that kind is kept at all; `in vain`: it is looked for and never found.
The ratios count. Needs wrk and PostgreSQL, which is --distance-ms away, there and back (support/delay.c).
"""

from __future__ import annotations

import argparse
import statistics

import httpx
from history import (
    BASE,
    MODES,
    Place,
    Result,
    Server,
    cpu_s,
    end_all,
    postgres_stack,
    sqlite_stack,
    start_server,
    wrk,
)

from support.client import Person

# A budget in which there is no room for anything: all that is looked for is looked for in vain.
MODES |= {"in vain": {"cache.memory_bytes": "16"}}
WRK_SCRIPT = """
local headers = {{ ["Authorization"] = "Bearer {token}", ["If-None-Match"] = {tag} }}
function request() return wrk.format("GET", "{path}", headers) end
function response(status)
  if status ~= {status} then io.stderr:write("status " .. status .. "\\n") wrk.thread:stop() end
end
"""
WAYS = {"none": "none", "held": "none", "kept": "memory", "in vain": "in vain"}  # with which server


def fill(stack: object, rooms: int, members: int) -> tuple[Person, dict[str, str]]:
    """Who asks, and for what."""
    ann, *others = (Person.new(stack) for _ in range(members))  # type: ignore[arg-type]
    made = [ann.make_group(f"room {n}", *others) for n in range(rooms)]
    for room in made:
        assert others[0].send(room, "a line of a usual length").status_code == 201
    paths = {"list": "/conversations", "conversation": f"/conversations/{made[0]}"}
    return ann, paths | {"person": f"/users/{others[0].id}", "me": "/users/me"}


class Bench:
    def __init__(self, person: Person, paths: dict[str, str], others: list[int]) -> None:
        self.person, self.paths, self.others = person, paths, others
        self.results: dict[tuple[str, str, int], Result] = {}

    def cpu(self, server: Server) -> tuple[float, float]:
        return cpu_s(server.api.pid), sum(cpu_s(pid) for pid in self.others)

    def measure(self, server: Server, work: str, way: str, connections: int, seconds: int) -> None:
        path = BASE + self.paths[work]
        tag = httpx.get(server.url + path, headers={"Authorization": f"Bearer {self.person.token}"}).headers["ETag"]
        held = way == "held"
        script = WRK_SCRIPT.format(
            token=self.person.token, path=path, tag=f"'{tag}'" if held else "nil", status=304 if held else 200
        )
        before = self.cpu(server)
        rate, p50, n = wrk(server.url, script, connections, seconds)
        after = self.cpu(server)
        result = self.results.setdefault((work, way, connections), Result())
        result.per_second.append(rate)
        result.p50_ms.append(p50)
        result.api_us.append((after[0] - before[0]) / n * 1e6)
        result.others_us.append((after[1] - before[1]) / n * 1e6)

    def run(self, rounds: int, seconds: int) -> None:
        servers = {mode: start_server(self.person.stack, mode) for mode in MODES}
        try:
            for server in servers.values():  # each of its threads makes its connection
                self.measure(server, "me", "none", 64, 1)
            for _ in range(rounds):
                self.person = self.person.another_device()
                for work in self.paths:
                    for connections in (1, 16):
                        for way, mode in WAYS.items():
                            self.measure(servers[mode], work, way, connections, seconds)
        finally:
            end_all(list(servers.values()))

    def show(self, title: str) -> None:
        print(f"\n{title}\n")
        print(
            "| asked | | 1 client: p50, ms | beside none | 16 clients: /s | beside none | CPU: api, µs | database, µs |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for work in self.paths:
            for way in WAYS:
                one, many = self.results[work, way, 1], self.results[work, way, 16]
                later = ratios(one.p50_ms, self.results[work, "none", 1].p50_ms)
                more = ratios(many.per_second, self.results[work, "none", 16].per_second)
                p50, rate, api, database = map(
                    statistics.median, (one.p50_ms, many.per_second, many.api_us, many.others_us)
                )
                print(f"| {work} | {way} | {p50:.2f} | {later} | {rate:,.0f} | {more} | {api:.0f} | {database:.0f} |")


def ratios(these: list[float], those: list[float]) -> str:
    """Of each round, the middle one first."""
    found = [a / b for a, b in zip(these, those, strict=False)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def measure_all(title: str, place: Place, options: argparse.Namespace) -> None:
    stack, _, others = place
    bench = Bench(*fill(stack, options.rooms, options.members), others)
    bench.run(options.rounds, options.seconds)
    bench.show(title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rooms", type=int, default=50)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--distance-ms", type=float, default=1.0)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    options = parser.parse_args()
    if options.database != "postgres":
        with sqlite_stack() as place:
            measure_all("SQLite", place, options)
    if options.database != "sqlite":
        with postgres_stack(options.distance_ms) as place:
            measure_all(f"PostgreSQL, {options.distance_ms:g} ms away", place, options)


if __name__ == "__main__":
    main()
