"""The processes of one program on one host: who they are, by what they tell of themselves."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import httpx

from support.client import Person
from support.live import Live
from support.process import Process
from support.stack import Stack
from support.waiting import wait_until


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


def connect_to_each(stack: Stack, person: Person, n: int) -> dict[str, list[Live]]:
    """Opens WebSockets until somebody is at n nodes; the sockets by node. The kernel deals them out by chance."""
    found: dict[str, list[Live]] = {}
    for _ in range(100):
        live = person.connect(direct=True)
        found.setdefault(str(live.hello["node"]), []).append(live)
        if len(found) == n:
            return found
    raise AssertionError(f"of 100 sockets, {Counter({node: len(lives) for node, lives in found.items()})}")
