"""The database of a stack seen from outside, the same way whichever it is: portable SQL, with ? for values.

STONECHAT_TEST_DATABASE=postgres puts the stacks of a run on PostgreSQL."""

from __future__ import annotations

import itertools
import json
import os
import re
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any

from support.libpq import Connection, PostgresError
from support.postgres import Cluster, shared_cluster
from support.secrets import SECRETS

Row = tuple[Any, ...]
IS_POSTGRES = os.environ.get("STONECHAT_TEST_DATABASE", "sqlite") == "postgres"


class DatabaseError(Exception):
    """What the database said."""


class Session:
    """A connection. Each statement is a transaction of its own, until begin()."""

    def __init__(self, url: str) -> None:
        self._sqlite: sqlite3.Connection | None = None
        self._postgres: Connection | None = None
        if url.startswith("sqlite:"):
            self._sqlite = sqlite3.connect(url.removeprefix("sqlite:"), timeout=20, isolation_level=None)
        else:
            self._postgres = Connection(url)

    def query(self, sql: str, *values: Any) -> list[Row]:
        try:
            if self._sqlite:
                return self._sqlite.execute(sql, values).fetchall()
            assert self._postgres
            numbers = itertools.count(1)
            return self._postgres.query(re.sub(r"\?", lambda _: f"${next(numbers)}", sql), *values)
        except (sqlite3.Error, PostgresError) as error:
            raise DatabaseError(str(error)) from None

    def begin(self) -> None:
        self.query("BEGIN IMMEDIATE" if self._sqlite else "BEGIN")

    def begin_snapshot(self) -> None:
        """What follows reads one state."""
        self.query("BEGIN" if self._sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ")

    def commit(self) -> None:
        self.query("COMMIT")

    def change_no(self) -> int:
        """The number that what changes in this transaction carries."""
        if self._sqlite:
            ((drawn,),) = self.query(
                "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'change_no'"
                " RETURNING value"
            )
        else:
            ((drawn,),) = self.query("SELECT pg_current_xact_id()")
        return int(drawn)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sqlite:
            self._sqlite.close()
        if self._postgres:
            self._postgres.close()


class Place:
    """Where the database of a stack is: the file in its folder, or one of its own on the server of this run."""

    def __init__(self, data: Path, url: str | None, postgres: bool) -> None:
        self._cluster: Cluster | None = None
        self.url = url or f"sqlite:{data}/stonechat.db"
        if url or not postgres:
            return
        self._cluster = shared_cluster()
        self.name = self._cluster.new_database()
        self.url = self._cluster.url(self.name)
        SECRETS.saw(json.dumps({"password": self._cluster.password}))

    @property
    def is_postgres(self) -> bool:
        return not self.url.startswith("sqlite:")

    def remove(self) -> None:
        if self._cluster:
            self._cluster.drop_database(self.name)
        self._cluster = None
