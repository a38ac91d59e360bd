"""Mounts that nobody else sees: a thread leaves the others' mount namespace, and what it starts is there with it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")

CLONE_NEWNS = 0x00020000


class NotAllowedError(Exception):
    """This machine does not let us mount; the reason."""


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise NotAllowedError(done.stderr.strip())


def on_a_small_disk(size_kb: int, work: Callable[[Path], Answer]) -> Answer:
    """Runs `work` with a folder that holds so much, in a thread of its own."""

    def run() -> Answer:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise NotAllowedError(f"unshare: {os.strerror(ctypes.get_errno())}")
        _mount("--make-rprivate", "/")
        folder = Path(tempfile.mkdtemp(prefix="stonechat-pytest-disk-"))
        try:
            _mount("-t", "tmpfs", "-o", f"size={size_kb}k", "stonechat", str(folder))
            return work(folder)
        finally:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)

    with ThreadPoolExecutor(1) as alone:
        return alone.submit(run).result()
