"""What a page of messages must be: made from the rows of the database, by rules written down here once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from support.stack import Stack

Json = dict[str, Any]

MESSAGE_KEYS = [
    *("id", "conversation_id", "seq", "rev", "sender_id", "recipient_id", "content", "timestamp", "reply_to_id"),
    *("edited_at", "deleted_at"),
]


@dataclass
class State:
    """A conversation at one revision."""

    last_rev: int
    messages: list[Json]

    @property
    def last_seq(self) -> int:
        return len(self.messages)

    def page(self, *, before_seq: int | None = None, after_seq: int | None = None, around_seq: int | None = None,
             limit: int = 50) -> Json:  # fmt: skip
        """The answer of list_messages to these parameters."""
        last_seq = self.last_seq
        if before_seq is not None:
            end = min(before_seq - 1, last_seq)
            first = end - limit + 1
        elif after_seq is not None:
            first = min(after_seq, last_seq) + 1
            end = first + limit - 1
        elif around_seq is not None:
            first = max(1, min(min(around_seq, last_seq) - limit // 2, last_seq - limit + 1))
            end = first + limit - 1
        else:
            first, end = last_seq - limit + 1, last_seq
        first, end = max(first, 1), min(end, last_seq)
        return {
            "items": self.messages[first - 1 : end] if first <= end else [],
            "has_more_before": first > 1,
            "has_more_after": end < last_seq,
            "last_seq": last_seq,
            "last_rev": self.last_rev,
        }


def time_of(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message_of(row: tuple[Any, ...], reactions: list[Json]) -> Json:
    message = dict(zip(MESSAGE_KEYS, row, strict=True))
    deleted = message.pop("deleted_at") is not None
    for key in ("timestamp", "edited_at"):
        message[key] = time_of(message[key])
    return message | {"deleted": deleted, "content": None if deleted else message["content"], "reactions": reactions}


def reactions_of(rows: list[tuple[Any, ...]]) -> list[Json]:
    """Of (emoji, user_id) in the order in which they were given."""
    people: dict[str, list[str]] = {}
    for emoji, user_id in rows:
        people.setdefault(emoji, []).append(user_id)
    return [{"emoji": emoji, "count": len(ids), "user_ids": ids[:20]} for emoji, ids in people.items()]


def read_state(stack: Stack, conversation_id: str) -> State:
    """One snapshot of the database."""
    with stack.database() as database:
        database.begin_snapshot()
        ((last_seq, last_rev),) = database.query(
            "SELECT last_seq, last_rev FROM conversations WHERE id = ?", conversation_id
        )
        rows = database.query(
            f"SELECT {', '.join(MESSAGE_KEYS)} FROM messages WHERE conversation_id = ? ORDER BY seq",  # noqa: S608
            conversation_id,
        )
        given = database.query(
            "SELECT seq, emoji, user_id FROM reactions WHERE conversation_id = ?"
            " ORDER BY seq, created_at, emoji, user_id",
            conversation_id,
        )
        database.commit()
    messages = [message_of(row, reactions_of([(e, u) for seq, e, u in given if seq == row[2]])) for row in rows]
    assert [m["seq"] for m in messages] == list(range(1, last_seq + 1))
    return State(last_rev, messages)
