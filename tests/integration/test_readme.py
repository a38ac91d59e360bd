"""README.md's tour does what it shows (see support/tour.py). The frame shown after wsdump is typed there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shared import MakeStack
from support.stack import ROOT
from support.tour import Tour, blocks
from support.waiting import wait_until


@pytest.fixture
def tour(make_stack: MakeStack, tmp_path: Path) -> Iterator[Tour]:
    tour = Tour(make_stack(), tmp_path)
    yield tour
    for terminal in tour.terminals:
        terminal.close()


def test_the_tour(tour: Tour) -> None:
    shown = blocks(ROOT / "README.md")
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
