"""README.md's tour does what it shows: its marked blocks are run as they stand, against a fresh stack.

A block is marked by `<!-- test: NAME -->` on the line before its ```sh. Blocks run in order and share their variables,
as in one terminal; the one with wsdump gets a real terminal, in which the frame that the README shows next is typed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shared import MakeStack
from support.stack import ROOT, Stack
from support.waiting import wait_until

BLOCK = re.compile(r"^<!-- test: (?P<name>[\w-]+) -->\n+```sh\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
PORT = "8080"


def blocks() -> dict[str, str]:
    """The marked blocks by name, in the order of the page."""
    return {found["name"]: found["text"] for found in BLOCK.finditer((ROOT / "README.md").read_text())}


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
    """Somebody who types the README's blocks."""

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


@pytest.fixture
def tour(make_stack: MakeStack, tmp_path: Path) -> Iterator[Tour]:
    tour = Tour(make_stack(), tmp_path)
    yield tour
    for terminal in tour.terminals:
        terminal.close()


def test_the_tour(tour: Tour) -> None:
    shown = blocks()
    printed = {name: tour.type(text) for name, text in shown.items() if "wsdump" not in text}
    for refused in ('"retryable"', "null\n"):
        assert refused not in "".join(printed.values()), printed
    assert printed["sign-up"].count('"access_token"') == 2
    assert '"content":"Hello, Grace"' in printed["send"].replace('": "', '":"')
    assert printed["send-again"].split() == ["201", "200"]
    assert printed["read"].count('"items"') == 3

    terminal = tour.listen(shown["websocket"])
    terminal.type(
        frame_shown().replace('"conversation_id":"…"', f'"conversation_id":"{tour.variable("CONVERSATION")}"')
    )
    wait_until(lambda: re.search(r'"reply_to": ?2, ?"ok": ?true', terminal.screen), f"the reply in:\n{terminal.screen}")
    wait_until(lambda: re.search(r'"type": ?"message.created"', terminal.screen), f"the event in:\n{terminal.screen}")


def frame_shown() -> str:
    """The frame that the README's reader is told to type."""
    found = re.search(r'^\{"id":2,"type":"message.send".*\}$', (ROOT / "README.md").read_text(), re.MULTILINE)
    assert found
    return found[0]
