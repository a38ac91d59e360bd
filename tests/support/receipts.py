"""What the others in a conversation do besides writing, as a client holds it: how far they have received and read, and
who types. Best effort (push/PROTOCOL.md): frames that pass, rows of members, and what they say."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TYPING_EXPIRE_MS = 6_000


def _raise(cursors: dict[str, int], user_id: str, seq: int) -> None:
    if seq > cursors.get(user_id, 0):
        cursors[user_id] = seq


class Receipts:
    def __init__(self) -> None:
        self.read: dict[str, int] = {}
        self.delivered: dict[str, int] = {}
        self._typing: dict[str, float] = {}  # until when

    def passes(self, frame: Json, now: float) -> None:
        """An event without a revision."""
        kind, user_id = frame["type"], frame.get("user_id")
        if user_id is None:
            return
        if kind == "read.updated":
            self.has_read(user_id, frame["seq"])
        elif kind == "delivered.updated":
            _raise(self.delivered, user_id, frame["seq"])
        elif kind == "typing.started":
            self._typing[user_id] = now + TYPING_EXPIRE_MS

    def has_read(self, user_id: str, seq: int) -> None:
        _raise(self.read, user_id, seq)
        _raise(self.delivered, user_id, seq)

    def said(self, user_id: str, seq: int, *, newest: bool) -> None:
        """It has read all before it; the newest message ends typing."""
        self.has_read(user_id, seq)
        if newest:
            self._typing.pop(user_id, None)

    def apply_member(self, row: Json) -> None:
        self.has_read(row["user_id"], row.get("read_seq") or 0)
        _raise(self.delivered, row["user_id"], row.get("delivered_seq") or 0)

    def typing(self, now: float) -> list[str]:
        return sorted(user_id for user_id, until in self._typing.items() if until > now)
