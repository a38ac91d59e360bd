"""The database's disk is full, and an older copy of it is put in place."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from support.drill import Drills, Scene
from support.mounts import NotAllowedError, on_a_small_disk
from support.stack import Stack
from support.stored import file_of

pytestmark = pytest.mark.sqlite

DISK_KB = 32 * 1024
FULL_S = 4


def fill(path: Path) -> None:
    """Writes until there is no byte left."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
                continue


def test_full_disk(drills: Drills) -> None:
    """Sends are refused with 503 while there is no space, and go on by themselves when there is."""

    def on_disk(disk: Path) -> None:
        stacks: list[Stack] = []
        answers: Counter[int] = Counter()

        def make(settings: dict[str, str] | None = None) -> Stack:
            stacks.append(Stack((settings or {}) | {"database.url": f"sqlite:{disk}/stonechat.db"}).start())
            return stacks[-1]

        async def act(scene: Scene) -> None:
            ballast = disk / "ballast"
            fill(ballast)
            for _ in range(FULL_S * 5):  # what a checkpoint gives back is taken too
                await scene.lasts(0.2)
                fill(ballast)
            answers.update(scene.load.answers)
            stored = len(scene.load.latencies)
            ballast.unlink()
            await scene.load.until(
                lambda: len(scene.load.latencies) > stored + scene.load.rate, "sends are stored again"
            )

        try:
            drills.run("full disk", act, make_stack=make)
        finally:
            wrong = [line for stack in stacks for line in stack.stop()]
        assert answers[503] > 0, "nobody was told 503"
        assert not wrong, "\n".join(wrong)

    try:
        on_a_small_disk(DISK_KB, on_disk)
    except NotAllowedError as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"a small disk cannot be mounted: {reason}")


def copy_of(stack: Stack) -> Path:
    """A copy of the database as it is now, made by SQLite itself."""
    path = stack.data / "older.db"
    with closing(sqlite3.connect(file_of(stack))) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return path


@pytest.mark.long
def test_restore_of_an_older_copy(drills: Drills) -> None:
    """By `stonechat restore`, while everybody talks: another epoch, and all devices start anew."""

    async def act(scene: Scene) -> None:
        copied = scene.mark("the copy")
        copy = await asyncio.to_thread(copy_of, scene.stack)
        await scene.load.serve(3)
        command = [str(scene.stack.build / "stonechat"), "restore", str(copy)]
        done = await asyncio.to_thread(
            subprocess.run, command, env=scene.stack.env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        scene.history.add("restore", copied=copied)
        epochs = {device.follower.epoch for device in scene.load.devices}
        await scene.load.until(
            lambda: not epochs & {device.follower.epoch for device in scene.load.devices},
            "the new epoch everywhere",
            20,
        )
        await scene.load.serve(1)

    drills.run("restore of an older copy", act)


@pytest.mark.long
def test_plain_copy_put_in_place(drills: Drills) -> None:
    """By cp, for which the programs are ended, while nobody talks: the epoch stays, and the heads are below what the
    devices know, each of which is told to start again."""

    async def act(scene: Scene) -> None:
        stack, copied = scene.stack, scene.mark("the copy")
        copy = await asyncio.to_thread(copy_of, stack)
        await scene.load.serve(3)
        await scene.load.pause()
        for name in ("push", "api"):
            stack.processes[name].kill()
        for suffix in ("-wal", "-shm"):
            Path(f"{file_of(stack)}{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, file_of(stack))
        await scene.load.until(lambda: not any(device.socket for device in scene.load.devices), "no socket is left")
        scene.history.add("restore", copied=copied)
        epochs = {device.follower.epoch for device in scene.load.devices}
        await scene.restart("api", "push")
        await scene.load.until(lambda: not scene.load.lagging(), "all devices know what there is now")
        assert {device.follower.epoch for device in scene.load.devices} == epochs
        for device in scene.load.devices:
            assert any(gap.get("reset") for gap in device.gaps), f"{device.name} was told of no reset"
        scene.load.resume()

    drills.run("cp of an older copy", act, idle=True)
