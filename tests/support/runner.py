"""script/run as a person uses it: started in a process group of its own, read line by line, stopped by signals.

Its children are found by their data folder, so that nobody else's are ever touched."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from support.ports import free_block, is_free
from support.stack import ROOT
from support.waiting import wait_until

READY_WITHIN_S = 40.0


def children(data: Path) -> dict[int, str]:
    """Ids and program names of all processes that were started for this data folder.

    Redis writes its title over its environment; there the path of its socket tells."""
    mark, socket_path = f"STONECHAT_DATA={data}".encode(), f"{data}/run/redis.sock".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            if mark in environment.split(b"\0") or socket_path in command:
                found[int(entry.name)] = (entry / "comm").read_text().strip()
        except OSError:
            continue
    return found


class Run:
    """One script/run on a port and a data folder."""

    def __init__(self, data: Path | None = None, port: int | None = None) -> None:
        self.data = data or Path(tempfile.mkdtemp(prefix="stonechat-pytest-run-"))
        self._own_data = data is None
        self.port = port or free_block()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child: subprocess.Popen[str] | None = None
        self.output_path = Path(tempfile.mkstemp(prefix="stonechat-pytest-output-")[1])

    def start(self, *arguments: str, **env: str) -> Run:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STONECHAT_")}
        settings = {"STONECHAT_DATA": str(self.data), "STONECHAT_PORT": str(self.port)}
        with self.output_path.open("w") as output:
            self.child = subprocess.Popen(
                [ROOT / "script/run", *arguments],
                cwd=ROOT,
                env=inherited | settings | env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        return self

    @property
    def output(self) -> str:
        return self.output_path.read_text(errors="replace")

    def wait_ready(self) -> float:
        """Waits for the line that says so; how many seconds it took."""
        assert self.child
        began = time.monotonic()
        line = f"Stonechat is ready: {self.url}\n"

        def said() -> bool:
            assert self.child and self.child.poll() is None, f"it ended:\n{self.output}"
            return line in self.output

        wait_until(said, f"{line!r} in:\n{self.output}", READY_WITHIN_S)
        return time.monotonic() - began

    def healthy(self) -> bool:
        """Is everything there, now?"""
        try:
            return httpx.get(self.url + "/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def pid_of(self, program: str) -> int | None:
        """The id of the running program with this name."""
        # The kernel keeps 15 characters of a name.
        return next((pid for pid, name in children(self.data).items() if name == program[:15]), None)

    def wait(self, timeout: float = 20.0) -> int:
        """Waits until it has ended; its status."""
        assert self.child
        return self.child.wait(timeout)

    def stop(self, how: signal.Signals = signal.SIGINT, group: bool = False) -> int:
        """Sends the signal to the script, or to its whole process group as a terminal does; its status."""
        assert self.child
        if group:
            os.killpg(self.child.pid, how)
        else:
            self.child.send_signal(how)
        return self.wait()

    def leftovers(self) -> list[str]:
        """Processes and sockets that are still there after the end."""
        left = [f"process {pid} {name}" for pid, name in children(self.data).items()]
        left += [f"socket {path}" for path in self.data.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
        left += [f"port {port}" for port in (self.port, self.port + 1, self.port + 10) if not is_free(port)]
        return left

    def clean_up(self) -> None:
        """After a test, also one that failed: ends what is left, by its ids."""
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
        for pid in children(self.data):
            os.kill(pid, signal.SIGKILL)
        self.output_path.unlink(missing_ok=True)
        if self._own_data:
            shutil.rmtree(self.data, ignore_errors=True)
