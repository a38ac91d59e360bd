"""Puts the check that every documented answer was reached at the end, and leaves it out when only a part is run.

On PostgreSQL what is SQLite's alone is left out, and that check with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.database import IS_POSTGRES

LAST = "test_every_documented_answer_was_reached"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    last = [item for item in items if item.name == LAST]
    files = set(Path(__file__).parent.glob("test_*.py"))
    narrowed = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    whole = not IS_POSTGRES and not narrowed and files <= {item.path for item in items}
    items[:] = [item for item in items if item.name != LAST] + (last if whole else [])
    out = last if not whole else []
    if IS_POSTGRES:
        out += [item for item in items if item.get_closest_marker("sqlite")]
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
    if out:
        config.hook.pytest_deselected(items=out)
