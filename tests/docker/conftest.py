"""One engine for all tests of containers.

The images are built by the files for Compose; what one of them has built, the next finds in the engine's cache."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.engine import Engine, UnavailableError


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("an engine needs root")
    engine = Engine()
    try:
        engine.start()
        engine.make_base()
        yield engine
    except UnavailableError as reason:
        raise pytest.fail.Exception(str(reason), pytrace=False) from None
    finally:
        engine.stop()
