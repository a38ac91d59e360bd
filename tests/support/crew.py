"""The processes of one program on one host: who they are, by what they tell of themselves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx

from support.live import Live
from support.process import Process
from support.waiting import wait_until

SOCKETS_MAX = 100  # of one person: limits.sockets_per_user must allow it


def members(process: Process) -> list[int]:
    """The ids of the processes that this parent has now."""
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(map(int, pids))


def metrics_of(port: int) -> dict[str, float]:
    """The numbers that have no labels, of the process on this port; {} when nobody answers."""
    try:
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=2.0).text.splitlines()
    except httpx.HTTPError:
        return {}
    pairs = [line.split() for line in lines if line and not line.startswith("#") and "{" not in line]
    return {name: float(value) for name, value in pairs}


def pid_at(port: int) -> int:
    """Whose metrics are on this port; 0 when nobody's."""
    return int(metrics_of(port).get("stonechat_process_id", 0))


def kill(pid: int) -> None:
    """kill -9, and waits until its parent has noticed: before that a thread of it may still take a connection along."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"{pid} is gone")


def connect_to_each(connect: Callable[[], Live], n: int) -> dict[str, Live]:
    """A WebSocket at each of n nodes, by the node's name. The kernel deals a host's sockets out to its processes by
    chance: of three with SOCKETS_MAX sockets one gets none once in 10 ** 17 times, of two that get every other one once
    in 10 ** 14.

    Who comes to where there is somebody already is closed at the end: a balancer counts who is there."""
    found: dict[str, Live] = {}
    with ExitStack() as surplus:
        for _ in range(SOCKETS_MAX):
            live = connect()
            if found.setdefault(str(live.hello["node"]), live) is not live:
                surplus.enter_context(live)
            if len(found) == n:
                return found
    raise AssertionError(f"{SOCKETS_MAX} sockets came to {sorted(found)} alone")
