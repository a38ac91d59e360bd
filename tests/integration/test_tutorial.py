"""docs/tutorial.md does what it shows, and its client misses nothing when the push daemon is killed under it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shared import MakeStack
from support.stack import ROOT, Stack
from support.tour import Tour, blocks
from support.waiting import wait_until

PAGE = blocks(ROOT / "docs/tutorial.md")


class Listener:
    """The tutorial's client as Grace, with what it has printed."""

    def __init__(self, client: Path, stack: Stack) -> None:
        self.printed = client.with_suffix(".out")
        command = [sys.executable, str(client), stack.url, "grace", "correct horse"]
        self.child = subprocess.Popen(command, stdout=self.printed.open("w"))

    def lines(self) -> list[str]:
        return self.printed.read_text().splitlines()

    def end(self) -> None:
        self.child.terminate()
        self.child.wait(10)


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    return make_stack()


@pytest.fixture
def client(tmp_path: Path) -> Path:
    path = tmp_path / "client.py"
    path.write_text(PAGE["client"])
    return path


@pytest.fixture
def tour(stack: Stack, tmp_path: Path) -> Tour:
    tour = Tour(stack, tmp_path)
    tour.type(PAGE["first"])
    return tour


@pytest.fixture
def listener(tour: Tour, client: Path, stack: Stack) -> Iterator[Listener]:
    listener = Listener(client, stack)
    yield listener
    listener.end()


def answers(tour: Tour, name: str) -> None:
    """What the block prints is what the comments of its lines promise; 204 has nothing to print."""
    promised = re.findall(r"  # (\S.*)$", PAGE[name], re.MULTILINE)
    assert promised, name
    printed = tour.type(PAGE[name]).splitlines()
    assert printed == [line for line in promised if line != "204" or "%{http_code}" in PAGE[name]], name


def test_the_blocks(tour: Tour) -> None:
    changed = tour.type(PAGE["change"])
    assert '"content":"Hello"' in changed and "\N{WAVING HAND SIGN}" in changed
    missed = tour.type(PAGE["missed"])
    assert missed.count('"seq":1,') == 1 and '"has_more":false' in missed
    for name in ("read", "group", "token", "less", "sessions"):
        answers(tour, name)
    exported = tour.type(PAGE["leave"])
    assert "1 profile" in exported and "2 membership" in exported and exported.endswith('["ada","deleted user"]\n')


def test_the_client_misses_nothing(tour: Tour, client: Path, listener: Listener, stack: Stack) -> None:
    def say(text: str) -> None:
        command = [sys.executable, str(client), stack.url, "ada", "correct horse", tour.variable("GRACE"), text]
        subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL)

    wait_until(lambda: listener.lines() == ["1 Helo"], "the history")
    say("live")
    wait_until(lambda: listener.lines() == ["1 Helo", "2 live"], "a live message")
    push = stack.processes["push"]
    push.kill()
    say("while it was away")
    push.start()
    say("and back")
    expected = ["1 Helo", "2 live", "3 while it was away", "4 and back"]
    wait_until(lambda: len(listener.lines()) >= len(expected), f"{expected}, not {listener.lines()}", 20.0)
    assert listener.lines() == expected


def test_the_client_is_short() -> None:
    code = [line for line in PAGE["client"].splitlines() if line.strip()]
    assert len(code) <= 60, len(code)
