"""Questions to PostgreSQL by the library that the programs use too: no package of Python's is needed for it."""

from __future__ import annotations

import ctypes
import ctypes.util
from types import TracebackType
from typing import Any

CONNECTION_OK, COMMAND_OK, TUPLES_OK = 0, 1, 2
BOOL, NUMBERS = 16, {20, 21, 23, 26, 1700}

Row = tuple[Any, ...]


def _library() -> ctypes.CDLL:
    lib = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
    text, pointer, number = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int
    for name, result, *arguments in (
        ("PQconnectdb", pointer, text),
        ("PQfinish", None, pointer),
        ("PQstatus", number, pointer),
        ("PQerrorMessage", text, pointer),
        ("PQbackendPID", number, pointer),
        ("PQexec", pointer, pointer, text),
        ("PQexecParams", pointer, pointer, text, number, pointer, ctypes.POINTER(text), pointer, pointer, number),
        ("PQresultStatus", number, pointer),
        ("PQresultErrorMessage", text, pointer),
        ("PQntuples", number, pointer),
        ("PQnfields", number, pointer),
        ("PQftype", ctypes.c_uint, pointer, number),
        ("PQgetisnull", number, pointer, number, number),
        ("PQgetvalue", text, pointer, number, number),
        ("PQclear", None, pointer),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class PostgresError(Exception):
    """What the server or the library said."""


class Connection:
    """One session. Every statement is a transaction of its own unless it begins one."""

    def __init__(self, url: str) -> None:
        self._lib = _library()
        self._handle = self._lib.PQconnectdb(url.encode())
        if self._lib.PQstatus(self._handle) != CONNECTION_OK:
            said = self._lib.PQerrorMessage(self._handle).decode()
            self.close()
            raise PostgresError(said)

    @property
    def backend(self) -> int:
        """The process that serves this session."""
        return self._lib.PQbackendPID(self._handle)

    def query(self, sql: str, *values: str | int | None) -> list[Row]:
        """The rows, numbers and truth values as such. Without values, `sql` may be several statements."""
        if values:
            texts = [None if value is None else str(value).encode() for value in values]
            array = (ctypes.c_char_p * len(texts))(*texts)
            result = self._lib.PQexecParams(self._handle, sql.encode(), len(texts), None, array, None, None, 0)
        else:
            result = self._lib.PQexec(self._handle, sql.encode())
        try:
            if self._lib.PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
                raise PostgresError(self._lib.PQresultErrorMessage(result).decode() or self._said())
            return self._rows(result)
        finally:
            self._lib.PQclear(result)

    def _said(self) -> str:
        return self._lib.PQerrorMessage(self._handle).decode()

    def _rows(self, result: int) -> list[Row]:
        columns = range(self._lib.PQnfields(result))
        return [
            tuple(self._value(result, row, column) for column in columns) for row in range(self._lib.PQntuples(result))
        ]

    def _value(self, result: int, row: int, column: int) -> Any:
        if self._lib.PQgetisnull(result, row, column):
            return None
        text = self._lib.PQgetvalue(result, row, column).decode()
        kind = self._lib.PQftype(result, column)
        if kind == BOOL:
            return text == "t"
        return int(text) if kind in NUMBERS and text.lstrip("-").isdigit() else text

    def close(self) -> None:
        if self._handle:
            self._lib.PQfinish(self._handle)
        self._handle = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def query(url: str, sql: str, *values: str | int | None) -> list[Row]:
    """One question on a connection of its own."""
    with Connection(url) as connection:
        return connection.query(sql, *values)
