"""Whom a person blocks, as their devices hold it: push/PROTOCOL.md, rule 1 for rows of `blocks` and `block.updated`."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Blocks:
    """The rev of the newest row about each person; `users` are those who are blocked."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, bool]] = {}

    def apply(self, rows: list[Json]) -> None:
        for row in rows:
            if row["me"] > self._rows.get(row["user_id"], (0, False))[0]:
                self._rows[row["user_id"]] = row["me"], row["blocked"]

    @property
    def users(self) -> set[str]:
        return {user_id for user_id, (_, blocked) in self._rows.items() if blocked}
