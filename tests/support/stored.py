"""What a stack has stored, read past it, whichever database it is in; and the file that the drills' checker reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from support.libpq import Connection
from support.stack import Stack

# What the checker knows of.
TABLES = ("users", "sessions", "conversations", "members", "messages", "reactions")


def file_of(stack: Stack) -> Path:
    """The file of a SQLite database."""
    return Path(stack.settings["database.url"].removeprefix("sqlite:"))


def on_postgres(stack: Stack) -> bool:
    return stack.settings["database.url"].startswith("postgres")


def read_all(stack: Stack, *queries: str) -> list[list[tuple[Any, ...]]]:
    """The rows of each, all as of one moment."""
    if on_postgres(stack):
        with Connection(stack.settings["database.url"]) as session:
            session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return [session.query(query) for query in queries]
    with closing(sqlite3.connect(f"file:{file_of(stack)}?mode=ro", uri=True, isolation_level=None)) as database:
        database.execute("BEGIN")
        return [database.execute(query).fetchall() for query in queries]


def columns_of(stack: Stack) -> dict[str, list[str]]:
    rows = read_all(
        stack,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " ORDER BY table_name, ordinal_position",
    )[0]
    return {table: [column for of, column in rows if of == table] for table in TABLES}


def for_checker(stack: Stack, copy: Path) -> Path:
    """A SQLite file with all that is stored: its own, or a copy of what PostgreSQL has, made there."""
    if not on_postgres(stack):
        return file_of(stack)
    columns = columns_of(stack)
    everything = read_all(stack, *(f"TABLE {table}" for table in TABLES))
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as database:
        for table, rows in zip(TABLES, everything, strict=True):
            database.execute(f"CREATE TABLE {table} ({', '.join(columns[table])})")
            places = ", ".join("?" * len(columns[table]))
            database.executemany(" ".join(("INSERT INTO", table, "VALUES (", places, ")")), rows)
        database.commit()
    return copy
