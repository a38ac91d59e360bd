"""The examples of push/PROTOCOL.md: every line of its fenced blocks that is a JSON object."""

from __future__ import annotations

import json
import re
from typing import Any

from support.stack import ROOT

PATH = ROOT / "push/PROTOCOL.md"

Json = dict[str, Any]


def examples() -> list[Json]:
    """All examples in their order; a line that begins like an object and isn't one fails here."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", PATH.read_text(), re.MULTILINE | re.DOTALL)
    return [json.loads(line) for block in blocks for line in block.splitlines() if line.startswith("{")]


def is_from_client(example: Json) -> bool:
    """Replies have reply_to, events have no id."""
    return "id" in example and "reply_to" not in example


def name_of(frame: Json) -> str:
    """The type of a client's frame, and which of its two forms when it has two."""
    return f"{frame['type']} to a person" if "recipient_id" in frame else str(frame["type"])


def client_frames() -> list[Json]:
    """One example of every frame that a client can send, in each form it has."""
    frames = {name_of(example): example for example in examples() if is_from_client(example)}
    return list(frames.values())


def documented_types() -> set[str]:
    """The types in the headings of "Client frames", and auth, which has its own chapter."""
    chapter = PATH.read_text().partition("\n## Client frames\n")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (.*)$", chapter, re.MULTILINE)
    return {"auth"} | {name for heading in headings for name in heading.split(", ") if name != "Refusals"}
