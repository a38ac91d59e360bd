"""Numbers that the programs tell of themselves (GET /metrics on the loopback)."""

from __future__ import annotations

import httpx

from support.stack import Stack


def read(stack: Stack, offset: int, name: str) -> float:
    lines = httpx.get(f"http://127.0.0.1:{stack.port + 10 + offset}/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def api_metric(stack: Stack, name: str) -> float:
    """A counter or gauge of stonechat-api; 0 when it was never touched."""
    return read(stack, 0, name)


def push_metric(stack: Stack, name: str) -> float:
    """The same of stonechat-push."""
    return read(stack, 1, name)
