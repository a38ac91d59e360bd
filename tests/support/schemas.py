"""Databases as earlier versions have left them: the first migrations, applied past the programs."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing

from support import libpq
from support.stack import ROOT


def migrations(url: str) -> list[tuple[str, str]]:
    """Of the database's kind: `0001 initial` and its text, in their order."""
    other = ".postgres.sql" if url.startswith("sqlite:") else ".sqlite.sql"
    paths = [path for path in sorted((ROOT / "migrations").glob("*.sql")) if not path.name.endswith(other)]
    return [(path.name.split(".")[0].replace("_", " ", 1), path.read_text()) for path in paths]


def run(url: str, sql: str) -> list[tuple[object, ...]]:
    """Past the programs: one statement with rows, or several without."""
    if not url.startswith("sqlite:"):
        return libpq.query(url, sql)
    with closing(sqlite3.connect(url.removeprefix("sqlite:"), timeout=20, isolation_level=None)) as database:
        return database.execute(sql).fetchall() if sql.startswith("SELECT") else list(database.executescript(sql))


# What the first version leaves in an empty database, and what somebody has stored by it.
EMPTY = "; INSERT INTO meta VALUES ('epoch', 'e'), ('timeline', '1')"
STORED = (
    EMPTY
    + """;
INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role, created_at)
 VALUES ('u1', 'Ada', 'ada', 'Ada', 'ada', 'h', 'admin', 1);
INSERT INTO sessions (id, user_id, family_hash, refresh_hash, created_at, last_used_at, expires_at)
 VALUES ('s1', 'u1', 'f', 'r', 1, 2, 3)
"""
)


def bring_to(url: str, version: int, stored: str = STORED) -> None:
    """What programs of that version have made of an empty database."""
    if url.startswith("sqlite:"):
        run(url, "PRAGMA journal_mode = WAL")
    if version > 0:
        run(url, "CREATE TABLE migrations (version BIGINT PRIMARY KEY, name TEXT, checksum TEXT, applied_at BIGINT)")
    for n, (name, text) in enumerate(migrations(url)[:version], 1):
        checksum = hashlib.sha256(text.encode()).hexdigest()
        run(url, text)
        run(url, f"INSERT INTO migrations VALUES ({n}, '{name[5:]}', '{checksum}', 0)")  # noqa: S608
        run(url, f"UPDATE meta SET value = '{n}' WHERE key = 'schema'{stored if n == 1 else ''}")  # noqa: S608
