#!/usr/bin/env python3
"""Measures what presence costs in one group of 2,000: half of them stay and watch 200 others each, the other half
come and go within a minute. Prints presence frames a second for each socket that stays, what Redis is asked, and the
CPU of push and Redis.

    STONECHAT_BUILD=build/release build/venv/bin/python tests/bench/presence.py

The budget: fewer than 2 frames a second for each socket.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("STONECHAT_BUILD", str(ROOT / "build"))

from websockets.asyncio.client import ClientConnection, connect  # noqa: E402
from websockets.typing import Subprotocol  # noqa: E402

from support.client import Person  # noqa: E402
from support.crowd import make_group  # noqa: E402
from support.metrics import push_metric  # noqa: E402
from support.presence import redis  # noqa: E402
from support.stack import Stack  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
BUDGET = 2.0
WATCHED = 200


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def redis_commands(stack: Stack) -> int:
    text = redis(stack, "INFO", "stats").decode()
    return int(text.split("total_commands_processed:")[1].split()[0])


class Watcher:
    """One who stays: counts the frames that speak of presence."""

    def __init__(self) -> None:
        self.frames = self.updates = self.items = self.counts = self.bytes = self.offline = 0

    def saw(self, frame: str) -> None:
        if "presence." not in frame:
            return
        self.frames += 1
        self.bytes += len(frame)
        for one in map(json.loads, frame.split("\n")):
            if one.get("type") == "presence.updated":
                self.updates += 1
                self.items += len(one["items"])
                self.offline += sum(item["connection_status"] == "offline" for item in one["items"])
            self.counts += one.get("type") == "presence.count"

    async def read(self, socket: ClientConnection) -> None:
        async for frame in socket:
            self.saw(str(frame))


async def enter(stack: Stack, person: Person) -> ClientConnection:
    socket = await connect(
        stack.push_url.replace("http", "ws", 1) + "/ws",
        subprotocols=[Subprotocol("stonechat.v1")],
        compression=None,
        ping_interval=None,
        proxy=None,
        open_timeout=60,
    )
    await socket.send(json.dumps({"id": 1, "type": "auth", "token": person.token}))
    hello = json.loads(str(await socket.recv()).split("\n")[0])
    assert hello["ok"], hello
    return socket


async def come_and_go(stack: Stack, person: Person, window_s: float) -> None:
    await asyncio.sleep(random.uniform(0, window_s / 2))
    socket = await enter(stack, person)
    await asyncio.sleep(random.uniform(1, window_s / 2 - 1))
    await socket.close()


async def stay(stack: Stack, people: list[Person], everybody: list[Person]) -> list[Watcher]:
    watchers = []
    for start in range(0, len(people), 50):
        sockets = await asyncio.gather(*(enter(stack, one) for one in people[start : start + 50]))
        for socket in sockets:
            watcher = Watcher()
            watchers.append(watcher)
            READERS.append(asyncio.create_task(watcher.read(socket)))
            ids = [one.id for one in random.sample(everybody, min(WATCHED, len(everybody)))]
            await socket.send(json.dumps({"id": 2, "type": "presence.watch", "user_ids": ids}))
    return watchers


READERS: list[asyncio.Task[None]] = []


async def measure(stack: Stack, size: int, window_s: float) -> float:
    founder = Person.new(stack)
    _, crowd = make_group(stack, founder, size)
    staying, passing = crowd[: size // 2], crowd[size // 2 :]
    watchers = await stay(stack, staying, crowd)
    await asyncio.sleep(8)  # all have been told where they begin
    for watcher in watchers:
        watcher.__init__()  # type: ignore[misc]
    before = (cpu_s(stack.push.pid), cpu_s(stack.redis.pid), redis_commands(stack), time.monotonic())
    asked = push_metric(stack, "stonechat_presence_commands_total")
    coming = [asyncio.create_task(come_and_go(stack, one, window_s)) for one in passing]
    await asyncio.sleep(window_s)
    took_s = time.monotonic() - before[3]
    rates = [watcher.frames / took_s for watcher in watchers]
    per_frame = sum(w.items for w in watchers) / sum(w.updates for w in watchers)
    print(f"{size} people, {len(staying)} stay and watch {WATCHED} each, {len(passing)} come and go in {took_s:.0f} s")
    print(
        f"presence frames a second and socket: mean {statistics.mean(rates):.2f}, largest {max(rates):.2f}"
        f" (budget {BUDGET:g}); people in a frame: {per_frame:.1f};"
        f" counts a second and socket: {statistics.mean(w.counts for w in watchers) / took_s:.2f};"
        f" told offline: {sum(w.offline for w in watchers)}"
    )
    print(
        f"Redis: {(redis_commands(stack) - before[2]) / took_s:.0f} commands a second, of presence"
        f" {(push_metric(stack, 'stonechat_presence_commands_total') - asked) / took_s:.1f};"
        f" CPU {100 * (cpu_s(stack.redis.pid) - before[1]) / took_s:.1f} %"
    )
    print(
        f"push: CPU {100 * (cpu_s(stack.push.pid) - before[0]) / took_s:.1f} % with"
        f" {sum(w.bytes for w in watchers) / took_s / 1024:.0f} KiB/s of presence to {len(watchers)} sockets",
        flush=True,
    )
    await asyncio.gather(*coming)
    for reader in READERS:
        reader.cancel()
    return max(rates)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    stack = Stack({"limits.handshakes": "10000"}).start()
    try:
        largest = asyncio.run(measure(stack, options.people, options.seconds))
    finally:
        wrong = stack.stop()
    print(*wrong, sep="\n")
    return int(largest >= BUDGET)


if __name__ == "__main__":
    sys.exit(main())
