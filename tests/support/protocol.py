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
