"""A copy of a PostgreSQL database is made and put back as docs/operations.md says, by the commands that stand there."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import moving
from support.drill import Drills, MakeCluster, Scene
from support.postgres import ROLE, Cluster, binaries
from support.stack import ROOT, Stack
from support.stored import read_all
from support.tour import blocks

pytestmark = pytest.mark.postgres

PAGE = blocks(ROOT / "docs/operations.md")
# Of the page: where copies are kept, the server, what it asks for, and the new database.
COPIES, SERVER, PASSWORD, NAME = "/srv/copies", "db.example.org", "PASSWORD", "stonechat_monday"


class Operator:
    """Somebody at the server's terminal, who may make databases, and whose settings are those of the programs."""

    def __init__(self, stack: Stack, cluster: Cluster, copies: Path) -> None:
        self._replaced = {COPIES: str(copies), SERVER: f"127.0.0.1:{cluster.port}", PASSWORD: cluster.password}
        self._env = stack.env | {
            "PATH": f"{stack.build}:{binaries()}:{os.environ['PATH']}",
            "PGHOST": str(cluster.folder),
            "PGPORT": str(cluster.port),
            "PGUSER": "postgres",
        }

    def type(self, block: str) -> str:
        """Runs what the page shows; what it printed."""
        text = block
        for shown, here in self._replaced.items():
            text = text.replace(shown, here)
        done = subprocess.run(
            ["bash", "-euc", text], env=self._env, cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def copies() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stonechat-copies-"))
    yield folder
    shutil.rmtree(folder)


async def put_back(scene: Scene, operator: Operator, url: str, copied: float) -> str:
    """With the programs ended, which are started again with the new url; what was printed."""
    stack = scene.stack
    for process in (*stack.apis, *stack.pushes):
        await asyncio.to_thread(process.end)
    await scene.load.until(lambda: not any(device.socket for device in scene.load.devices), "no socket is left")
    printed = await asyncio.to_thread(operator.type, PAGE["put-back"])
    scene.history.add("restore", copied=copied)
    stack.settings["database.url"] = stack.env["STONECHAT_DATABASE_URL"] = url
    assert moving.change_numbers(url) == {"0"}, "change numbers of the server that the copy was made on"
    for process in (*stack.apis, *stack.pushes):
        process.env = process.env | {"STONECHAT_DATABASE_URL": url}
        process.start()
    await scene.ready()
    return printed


def test_a_dump_is_put_back(drills: Drills, make_cluster: MakeCluster, copies: Path) -> None:
    """Made while everybody talks; seconds later it is put into another database. What was said since is gone, and every
    device begins anew and shows what the copy holds."""
    cluster = make_cluster()

    async def act(scene: Scene) -> None:
        operator = Operator(scene.stack, cluster, copies)
        copied = scene.mark("the copy")
        await asyncio.to_thread(operator.type, PAGE["dump"])
        await scene.load.serve(3)
        said = {one.id for pair in scene.load.pairs for one in pair.said}
        before = {device.follower.epoch for device in scene.load.devices}
        printed = await put_back(scene, operator, cluster.url(NAME), copied)
        await scene.load.until(
            lambda: not before & {device.follower.epoch for device in scene.load.devices}, "the new epoch everywhere"
        )
        (epoch,) = {device.follower.epoch for device in scene.load.devices}
        assert f"now in epoch {epoch}" in printed
        here, owners = await asyncio.to_thread(
            read_all,
            scene.stack,
            "SELECT id FROM messages",
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'",
        )
        assert owners == [(ROLE,)]
        assert said - {id_ for (id_,) in here}, "the copy has everything"
        await scene.load.serve(1)

    drills.run("a dump is put back", act, idle=True)
