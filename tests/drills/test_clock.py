"""The wall clock of the programs is stepped by an hour, forth and back. Tokens may expire; messages may not be lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.drill import Drills, Scene
from support.stack import Stack

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def set_clock(stack: Stack, offset: str) -> None:
    """In one step: the programs read the file at every look at the clock."""
    new = stack.data / "clock.new"
    new.write_text(offset + "\n")
    new.rename(stack.data / "clock")


@pytest.mark.long
def test_clock_is_stepped(drills: Drills) -> None:
    if not LIBRARY:
        assert not os.environ.get("CI"), "install Debian's faketime"
        pytest.skip("there is no libfaketime: install Debian's faketime")
    fake = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    async def act(scene: Scene) -> None:
        set_clock(scene.stack, "+0")
        for name in ("api", "push"):
            scene.stack.processes[name].kill()
            scene.set_environment(name, fake | {"FAKETIME_TIMESTAMP_FILE": str(scene.stack.data / "clock")})
            await scene.restart(name)
        await scene.load.serve(2)
        refused = scene.load.answers[401]
        set_clock(scene.stack, "+1h")
        await scene.load.until(lambda: scene.load.answers[401] > refused, "tokens expire: the clock has moved", 10)
        for offset in ("-1h", "+0"):
            await scene.load.serve(4)
            set_clock(scene.stack, offset)
        await scene.load.serve(2)

    drills.run("clock stepped by an hour", act)
