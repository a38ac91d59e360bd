"""One engine for all tests of containers, and the images built by it once, under the names of docker-compose.yml."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.engine import BASE, Engine, UnavailableError
from support.stack import ROOT

# All but the image of a whole node, which has no target and is called stonechat.
TARGETS = ("api", "push", "web", "redis", "balancer", "postgres")


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


@pytest.fixture(scope="session")
def images(engine: Engine) -> list[str]:
    """All images, built on the base of the test; the host's network stands for the engine's, which has no way out."""
    build = ("docker", "build", "--network=host", f"--build-arg=BASE={BASE}")
    for target in TARGETS:
        engine.run(*build, f"--target={target}", f"--tag=stonechat-{target}", str(ROOT), timeout=1800)
    engine.run(*build, "--tag=stonechat", str(ROOT), timeout=1800)
    return ["stonechat", *(f"stonechat-{target}" for target in TARGETS)]
