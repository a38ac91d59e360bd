"""Whatever the tests sent or were given in confidence, and where it must not turn up: in a log.

The clients report it as it passes. Short texts are left out: "hi" is a part of too many words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIDENTIAL = {
    "password", "current_password", "new_password", "token", "access_token", "refresh_token", "content"
}  # fmt: skip
SHORTEST, COMPARED, SHOWN = 12, 60, 40

# Also what nobody has reported: a JWT, and a refresh token (two secrets of 256 bits).
SHAPES = [re.compile(rb"eyJ[\w-]{10,}\.[\w-]{10,}"), re.compile(rb"\b[\w-]{43}\.[\w-]{43}\b")]


def confidential(value: Any) -> Iterator[str]:
    """The texts below one of the confidential keys, at any depth."""
    if isinstance(value, list):
        for one in value:
            yield from confidential(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in CONFIDENTIAL and isinstance(one, str):
                yield one
            else:
                yield from confidential(one)


class Secrets:
    def __init__(self) -> None:
        self._known: set[str] = set()

    def saw(self, body: str | bytes) -> None:
        """A body or frame that passed by; what is no JSON is taken as it stands."""
        try:
            found = list(confidential(json.loads(body)))
        except (ValueError, RecursionError):
            found = [body if isinstance(body, str) else body.decode(errors="replace")]
        # A program that logs a text would escape what is not plain: the plain beginning is looked for.
        beginnings = (re.split(r"[^ !#-\[\]-~]", text[:COMPARED])[0] for text in found)
        self._known |= {text for text in beginnings if len(text) >= SHORTEST and text.strip("x ")}

    def in_files(self, folder: Path) -> list[str]:
        """What was found, and in which file of the folder."""
        wrong = []
        for path in sorted(folder.iterdir()):
            log = path.read_bytes()
            found = {text for text in self._known if text.encode() in log}
            found |= {match.decode() for shape in SHAPES for match in shape.findall(log)}
            wrong += [f"{path.name} holds what nobody should read: {text[:SHOWN]}" for text in sorted(found)[:5]]
        return wrong


SECRETS = Secrets()
