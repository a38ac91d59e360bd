"""A page of the documents as somebody types it: marked blocks are run as they stand, against a fresh stack.

A block is marked by `<!-- test: NAME -->` on the line before its fence. Blocks run in order and share their variables,
as in one terminal; one with wsdump gets a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import threading
from pathlib import Path

from support.stack import Stack
from support.waiting import wait_until

BLOCK = re.compile(r"^<!-- test: (?P<name>[\w-]+) -->\n+```(?:sh|python)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
PORT = "8080"


def blocks(page: Path) -> dict[str, str]:
    """The marked blocks by name, in the order of the page."""
    return {found["name"]: found["text"] for found in BLOCK.finditer(page.read_text())}


class Terminal:
    """A command on a terminal, with what it has printed."""

    def __init__(self, script: str, env: dict[str, str]) -> None:
        self.screen = ""
        self._ours, theirs = pty.openpty()
        self.child = subprocess.Popen(
            ["bash", "-c", script], env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while select.select([self._ours], [], [])[0]:
            try:
                part = os.read(self._ours, 65536)
            except OSError:
                return
            self.screen += part.decode(errors="replace")

    def type(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\n")

    def close(self) -> None:
        self.child.kill()
        self.child.wait(10)
        self._reader.join(10)
        os.close(self._ours)


class Tour:
    """Somebody who types the page's blocks."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.variables = stack, folder / "variables"
        self.variables.touch()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "dumb"}
        self.terminals: list[Terminal] = []

    def _script(self, text: str) -> str:
        text = text.replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{self.stack.port}")
        text = text.replace(f"localhost:{PORT}", f"127.0.0.1:{self.stack.port}")
        assert PORT not in text, "a port this test does not know how to replace"
        return f"set -euo pipefail\n. {self.variables} 2>/dev/null || :\n{text}"

    def type(self, text: str) -> str:
        """Runs a block to its end; what it printed."""
        keep = f"\ndeclare -p | grep -v '^declare -[^ ]*[rA]' >{self.variables}\n"
        done = subprocess.run(
            ["bash", "-c", self._script(text) + keep], env=self.env, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def variable(self, name: str) -> str:
        """A variable that a block has set."""
        found = re.search(rf'^declare -[^ ]* {name}="(.*)"$', self.variables.read_text(), re.MULTILINE)
        assert found, f"no block has set {name}"
        return found[1]

    def listen(self, text: str) -> Terminal:
        """Runs a block with wsdump, which stays; returns when it has said hello."""
        terminal = Terminal(self._script(text), self.env)
        self.terminals.append(terminal)
        wait_until(lambda: re.search(r'"type": ?"hello"', terminal.screen), f"hello in:\n{terminal.screen}")
        return terminal
