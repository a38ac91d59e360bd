"""`stonechat admin`, as an operator runs it beside the servers."""

from __future__ import annotations

import json
import subprocess

from support.client import Json
from support.stack import Stack


def run(stack: Stack, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [str(stack.build / "stonechat"), "admin", *argv]
    return subprocess.run(command, env=stack.env, capture_output=True, text=True, timeout=30)


def did(stack: Stack, *argv: str) -> list[Json]:
    """What it printed with --json."""
    done = run(stack, argv[0], "--json", *argv[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
