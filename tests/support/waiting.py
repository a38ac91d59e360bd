"""Waiting for a condition: the only way a test lets time pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

POLL_S = 0.02


def wait_until(ask: Callable[[], Answer], what: str, timeout: float = 10.0) -> Answer:
    """Asks until the answer is truthy and returns it; fails with `what` when `timeout` seconds have passed."""
    pause = threading.Event()
    end = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        pause.wait(POLL_S)
