"""The database of a stack, written to from outside: for states that no operation leads to, or not yet."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from support.stack import Stack


def write(stack: Stack, statement: str, *values: object) -> int:
    """One statement in a transaction of its own, as short as can be; how many rows it changed."""
    with closing(sqlite3.connect(stack.data / "stonechat.db", timeout=10, isolation_level=None)) as database:
        return database.execute(statement, values).rowcount


def read(stack: Stack, query: str, *values: object) -> list[tuple[object, ...]]:
    """The rows of one query."""
    with closing(sqlite3.connect(stack.data / "stonechat.db", timeout=10, isolation_level=None)) as database:
        return database.execute(query, values).fetchall()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def disable_user(stack: Stack, user_id: str) -> None:
    assert write(stack, "UPDATE users SET disabled_at = ? WHERE id = ?", now_ms(), user_id) == 1


def announce_person(stack: Stack, user_id: str) -> None:
    """Counts a change in the person's stream, as an operation does; no record of it goes over the bus."""
    with closing(sqlite3.connect(stack.data / "stonechat.db", timeout=10, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        (drawn,) = database.execute(
            "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'change_no' RETURNING value"
        ).fetchone()
        changed = database.execute(
            "UPDATE users SET last_rev = last_rev + 1, change_no = ? WHERE id = ?", (int(drawn), user_id)
        )
        assert changed.rowcount == 1
        database.execute("COMMIT")


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
