"""The database of a stack, written to from outside: for states that no operation leads to, or not yet."""

from __future__ import annotations

import time
from typing import Any

from support.stack import Stack


def write(stack: Stack, statement: str, *values: object) -> int:
    """One statement in a transaction of its own, as short as can be; how many rows it changed."""
    with stack.database() as database:
        return len(database.query(statement + " RETURNING 1", *values))


def read(stack: Stack, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one query."""
    with stack.database() as database:
        return database.query(query, *values)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def disable_user(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE users SET disabled_at = ? WHERE id = ?", now_ms(), user_id) == 1


def announce_person(stack: Stack, user_id: str) -> None:
    """Counts a change in the person's stream, as an operation does; no record of it goes over the bus."""
    with stack.database() as database:
        database.begin()
        changed = database.query(
            "UPDATE users SET last_rev = last_rev + 1, change_no = ? WHERE id = ? RETURNING 1",
            database.change_no(), user_id,
        )  # fmt: skip
        assert len(changed) == 1
        database.commit()


def delete_user(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE users SET deleted_at = ? WHERE id = ?", now_ms(), user_id) == 1


def revoke_sessions(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE sessions SET revoked_at = ? WHERE user_id = ?", now_ms(), user_id) >= 1


def expire_sessions(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE sessions SET expires_at = ? WHERE user_id = ?", now_ms() - 1, user_id) >= 1


def make_admin(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE users SET role = 'admin' WHERE id = ?", user_id) == 1


def enable_user(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE users SET disabled_at = NULL WHERE id = ?", user_id) == 1


def revoke_session(stack: Stack, session_id: str) -> None:
    assert write(stack, "UPDATE sessions SET revoked_at = ? WHERE id = ?", now_ms(), session_id) == 1
