"""Puts the check that every documented answer was reached at the end, and leaves it out when only a part is run."""

from __future__ import annotations

from pathlib import Path

import pytest

LAST = "test_every_documented_answer_was_reached"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    last = [item for item in items if item.name == LAST]
    files = set(Path(__file__).parent.glob("test_*.py"))
    narrowed = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    whole = not narrowed and files <= {item.path for item in items}
    items[:] = [item for item in items if item.name != LAST] + (last if whole else [])
    if last and not whole:
        config.hook.pytest_deselected(items=last)
