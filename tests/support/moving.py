"""Databases to be moved: made past the API, row by row, and compared by all columns; and the command for it."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from support import libpq
from support.stack import build_folder

# What belongs to the database that holds it, not to what it holds.
OWN_META = ("schema", "compatible_from", "timeline", "state", "change_no", "moved_to", "move_run")
TABLES = ("users", "conversations", "messages", "reactions", "members", "sessions", "blocks", "connections", "invites",
          "audit")  # fmt: skip


def command(*arguments: str, fault: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """`stonechat migrate-db ...`; `fault`: where it is to end by SIGKILL."""
    own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=1"} | env
    if fault:
        own["STONECHAT_FAULT_MOVE"] = fault
    return subprocess.run(
        [str(build_folder() / "stonechat"), "migrate-db", *arguments],
        env=own, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


@dataclass
class Size:
    people: int = 50
    groups: int = 3
    members: int = 40  # of each group
    messages: int = 2000  # of each group
    sessions: int = 20
    sign_up: str = "invite"
    dense: bool = False  # every revision is that of a row: nothing was changed, nobody is blocked


def _id(n: int) -> str:
    return str(uuid.UUID(int=(7 << 76) | (2 << 62) | n))


def make_source(path: Path, size: Size, seed: int = 1) -> str:
    """A database with rows in every table; its url. The counters are what the rows say."""
    url = f"sqlite:{path}"
    subprocess.run(
        [str(build_folder() / "stonechat"), "migrate"],
        env={"PATH": os.environ["PATH"], "STONECHAT_DATABASE_URL": url, "STONECHAT_DATA": str(path.parent)},
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    rng = random.Random(seed)
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        _people(database, size)
        for group in range(size.groups):
            _group(database, group, size, rng)
        database.execute("UPDATE meta SET value = '5' WHERE key = 'change_no'")
        database.execute("UPDATE meta SET value = ? WHERE key = 'sign_up'", [size.sign_up])
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return url


def _people(database: sqlite3.Connection, size: Size) -> None:
    database.executemany(
        "INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role, last_rev,"
        " change_no, must_change_password, created_at) VALUES (?, ?, ?, ?, ?, 'x', 'member', ?, 2, ?, 1)",
        [
            (_id(n), *[f"u{n:06}"] * 2, f"Ü\t{n}\\", f"ü {n}", size.groups * (n < size.members), n % 7 == 0)
            for n in range(size.people)
        ],
    )
    database.executemany(
        "INSERT INTO sessions (id, user_id, family_hash, refresh_hash, user_agent, created_at, last_used_at,"
        " expires_at) VALUES (?, ?, ?, 'r', ?, 1, 2, 3)",
        [(_id(10**9 + n), _id(n % size.people), f"f{n}", "a\nb" if n % 2 else None) for n in range(size.sessions)],
    )
    database.executemany(
        "INSERT INTO connections VALUES (?, 'offline', ?)", [(_id(n), n) for n in range(0, size.people, 2)]
    )
    database.executemany(
        "INSERT INTO blocks (user_id, blocked_user_id, user_rev, created_at) VALUES (?, ?, 1, 1)",
        [(_id(n), _id(n + 1)) for n in range(0, 0 if size.dense else min(size.people, 100) - 1, 5)],
    )
    database.execute(
        "INSERT INTO invites (id, code_hash, created_by, created_at, expires_at) VALUES ('i', 'h', 'a', 1, 2)"
    )
    database.execute("INSERT INTO audit VALUES ('x', 1, 'operator:root', 'user.disable', NULL, NULL, NULL, '{}')")


def _group(database: sqlite3.Connection, group: int, size: Size, rng: random.Random) -> None:
    id_, n = _id(2 * 10**9 + group), size.messages
    n_edited = 0 if size.dense else n // 10
    database.execute(
        "INSERT INTO conversations (id, kind, title, rev, last_seq, last_rev, change_no, created_by, created_at,"
        " member_count) VALUES (?, 'group', ?, 1, ?, ?, 3, ?, 1, ?)",
        (id_, f"group {group}", n, n + n_edited + 1, _id(0), size.members),
    )
    database.executemany(
        "INSERT INTO members (conversation_id, user_id, role, rev, user_rev, joined_at, read_seq)"
        " VALUES (?, ?, 'member', 1, ?, 1, ?)",
        [(id_, _id(m), group + 1, m % (n + 1)) for m in range(size.members)],
    )
    edited = {seq: n + 2 + i for i, seq in enumerate(sorted(rng.sample(range(1, n + 1), n_edited)))}
    database.executemany(
        "INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp, edited_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'd', ?, ?)",
        [
            (id_, seq, edited.get(seq, seq + 1), _id(10**10 + group * 10**8 + seq), _id(seq % size.members),
             f"message {seq} of {group}: " + "wörter\n" * (seq % 9), seq, 5 if seq in edited else None)
            for seq in range(1, n + 1)
        ],
    )  # fmt: skip
    database.executemany(
        "INSERT INTO reactions VALUES (?, ?, ?, ?, 1)",
        [(id_, seq, "👍", _id(seq % size.members)) for seq in edited],
    )


# What a server does between two runs: somebody new says something, an edit, a reaction and a block taken back, cursors.
_GONE_ON = """
UPDATE meta SET value = :change WHERE key = 'change_no';
INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role, created_at)
 VALUES (:person, :person, :person, 'N', 'n', 'x', 'member', 9);
UPDATE conversations SET last_rev = last_rev + 2, last_seq = last_seq + 1, change_no = :change WHERE id = :room;
INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp)
 SELECT id, last_seq, last_rev, :person, :person, 'since', 'd', 9 FROM conversations WHERE id = :room;
UPDATE messages SET content = 'edited', rev = (SELECT last_rev - 1 FROM conversations WHERE id = :room)
 WHERE conversation_id = :room AND seq = (SELECT min(seq) FROM reactions WHERE conversation_id = :room);
DELETE FROM reactions WHERE conversation_id = :room
 AND seq = (SELECT min(seq) FROM reactions WHERE conversation_id = :room);
UPDATE members SET delivered_seq = delivered_seq + 1 WHERE conversation_id = :room;
DELETE FROM blocks WHERE user_id = (SELECT min(user_id) FROM blocks)
"""


def go_on(url: str, room: str, n: int) -> None:
    """Changes of each kind, each `n` another one."""
    values = {"change": 10 + n, "person": f"new-{n}", "room": room}
    with closing(sqlite3.connect(url.removeprefix("sqlite:"), timeout=30, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        for statement in _GONE_ON.split(";"):
            database.execute(statement, values)
        database.execute("COMMIT")


def content(url: str, tables: tuple[str, ...] = TABLES) -> dict[str, list[tuple[str | None, ...]]]:
    """All rows of all tables as text, without change_no; of meta what is not the database's own."""
    return {table: sorted(rows(url, table), key=repr) for table in (*tables, "meta")}


def rows(url: str, table: str) -> list[tuple[str | None, ...]]:
    columns = [name for name in _columns(table) if name != "change_no"]
    text = ", ".join(f"CAST({name} AS TEXT)" for name in columns)
    found = _query(url, f"SELECT {text} FROM {table}")  # noqa: S608
    if table == "meta":
        found = [row for row in found if row[0] not in OWN_META]
    return [tuple({"true": "1", "false": "0"}.get(value, value) if value else value for value in row) for row in found]


def _columns(table: str) -> list[str]:
    """As the migrations make them; the databases have them in different orders."""
    folder = Path(__file__).resolve().parents[2] / "migrations"
    with closing(sqlite3.connect(":memory:")) as database:
        for script in sorted(folder.glob("*.sql")):
            if not script.name.endswith(".postgres.sql"):
                database.executescript(script.read_text())
        return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def count(url: str, table: str) -> int:
    return int(str(_query(url, f"SELECT count(*) FROM {table}")[0][0]))  # noqa: S608


def state(url: str) -> dict[str, str]:
    return dict(_query(url, "SELECT key, value FROM meta"))  # type: ignore[arg-type]


def change_numbers(url: str) -> set[str | None]:
    query = "SELECT DISTINCT CAST(change_no AS TEXT) FROM {}"
    return {row[0] for table in ("users", "conversations") for row in _query(url, query.format(table))}


def _query(url: str, sql: str) -> list[tuple[str | None, ...]]:
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"), timeout=30)) as database:
            return database.execute(sql).fetchall()
    return [tuple(row) for row in libpq.query(url, sql)]
