"""How much processor time a process has used, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_s(pid: int) -> float:
    """Of a process and its children, those included that it has seen end."""
    while True:
        children, total = _children(pid), 0.0
        try:
            total = sum(cpu_s(child) for child in children)
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            if not Path(f"/proc/{pid}").exists():
                raise
            continue  # a child has just ended, and is its parent's from now on
        if _children(pid) == children:
            return total + sum(int(field) for field in fields[11:15]) / TICKS
