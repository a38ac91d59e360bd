"""Free TCP ports for one stack.

The ports of a stack have fixed distances (push = port + 1, metrics = port + 10 and up), so a whole block is looked for,
below the range from which the kernel gives out ports by itself."""

from __future__ import annotations

import random
import socket

BLOCK = 16
LOWEST, HIGHEST = 12000, 32000


def is_free(port: int) -> bool:
    """Can somebody listen on this port of the loopback now?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_block() -> int:
    """The first of BLOCK free ports in a row."""
    for _ in range(200):
        first = random.randrange(LOWEST, HIGHEST, BLOCK)
        if all(is_free(first + n) for n in range(BLOCK)):
            return first
    raise AssertionError("no block of free ports on 127.0.0.1")
