"""A way of some length between two processes: a TCP proxy (support/delay.c) through which everything arrives later."""

from __future__ import annotations

import socket
from pathlib import Path

from support.ports import free_block
from support.process import Process
from support.stack import ROOT, build_folder
from support.waiting import wait_until


class Delay:
    """Between whoever connects to `port` and the target (a port here, or a unix socket): `ms` there and back."""

    def __init__(self, target: int | Path, ms: float, log: Path) -> None:
        self.port = free_block()
        argv = [str(build_folder() / "tests/bench/bench.delay"), str(self.port), str(target), str(int(ms * 500))]
        self.process = Process("delay", argv, ROOT, {}, log)

    def start(self) -> Delay:
        self.process.start()
        wait_until(self._listens, "the delaying proxy listens", 10.0)
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self.process.kill()
