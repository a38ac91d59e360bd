"""One child of the stack: started with a log file, and stopped, killed or frozen by its id when a test says so."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from support.waiting import wait_until

END_WITHIN_S = 15.0  # three times what is promised: these machines are shared


class Process:
    """A program that can be started again with the same arguments after it ended."""

    def __init__(self, name: str, argv: list[str], folder: Path, env: dict[str, str], log: Path) -> None:
        self.name, self.argv, self.folder, self.env, self.log = name, argv, folder, env, log
        self.child: subprocess.Popen[bytes] | None = None
        self.killed = False

    @property
    def pid(self) -> int:
        assert self.child, f"{self.name} was never started"
        return self.child.pid

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        assert not self.running, f"{self.name} runs already"
        self.killed = False
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                # It goes when the tests go, also when they are killed.
                ["setpriv", "--pdeathsig", "KILL", *self.argv],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9: no chance to say anything."""
        assert self.child
        self.killed = True
        self.child.kill()
        self.child.wait(END_WITHIN_S)

    def freeze(self) -> None:
        """Stops it where it stands and returns when the kernel says so of each of its threads."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(self._stands_still, f"{self.name} is stopped")

    def _stands_still(self) -> bool:
        states = [path.read_text().rsplit(") ", 1)[1][0] for path in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        return set(states) == {"T"}

    def locks(self, *paths: Path) -> bool:
        """It has a lock on one of these files, as proc(5) says of its descriptors. Only of who stands still it is
        still true when it is answered."""
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if fd.readlink() in paths and "\nlock:" in (fd.parents[1] / "fdinfo" / fd.name).read_text():
                    return True
        return False

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> tuple[int | None, float]:
        """SIGTERM; the exit status (None: it had to be killed) and how many seconds it took.

        One that a test has frozen is thawed before, never after: LeakSanitizer stops the process at its end by
        PTRACE_ATTACH, and a SIGCONT in that moment takes the SIGSTOP away for which it waits for ever."""
        assert self.child
        began = time.monotonic()
        self.child.send_signal(signal.SIGCONT)
        self.child.send_signal(signal.SIGTERM)
        try:
            status: int | None = self.child.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            status = None
        return status, time.monotonic() - began

    def count_descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def tail(self, lines: int = 30) -> str:
        """The end of its log, for the message of a failure."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
