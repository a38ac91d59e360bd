"""Processes that are killed, frozen and started again while people talk."""

from __future__ import annotations

import asyncio

import pytest

from support.drill import Drills, Scene
from support.history import History

# What a process says that a fault point has ended.
ENDED_BY_FAULT = 42


def test_kill_api(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(2):
            scene.stack.api.kill()
            await asyncio.sleep(0.3)
            await scene.restart("api")
            await asyncio.sleep(1)

    drills.run("kill -9 api", act)


def test_kill_push(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(2):
            scene.stack.push.kill()
            await asyncio.sleep(0.3)
            await scene.restart("push")
            await asyncio.sleep(1)

    drills.run("kill -9 push", act)


def test_kill_between_commit_and_publish(drills: Drills) -> None:
    """The process is gone after its first batch with a message: it is stored, and nobody was told or answered."""

    async def end_by_fault(scene: Scene, name: str) -> None:
        process = scene.stack.processes[name]
        process.kill()
        scene.set_environment(name, {"STONECHAT_FAULT_WRITER": "exit_after_commit"})
        process.start()
        end = History.now() + 20
        while process.running:
            assert History.now() < end, f"{name} has not committed anything"
            await asyncio.sleep(0.01)
        assert process.child and process.child.returncode == ENDED_BY_FAULT, process.tail()
        scene.set_environment(name, {})
        await scene.restart(name)
        await asyncio.sleep(0.5)

    async def act(scene: Scene) -> None:
        for name in ("api", "push", "api"):
            await end_by_fault(scene, name)

    drills.run("kill between commit and publish", act)


@pytest.mark.long
def test_stop_push(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        scene.stack.push.freeze()
        await asyncio.sleep(5)
        scene.stack.push.thaw()

    drills.run("SIGSTOP push 5 s", act)


@pytest.mark.long
def test_restart_of_everything(drills: Drills) -> None:
    """All four at once, in the middle of whatever they do."""

    async def act(scene: Scene) -> None:
        for name in ("lighttpd", "push", "api", "redis"):
            scene.stack.processes[name].kill()
        await asyncio.sleep(0.5)
        await scene.restart("redis", "api", "push", "lighttpd")
        await asyncio.sleep(1)

    drills.run("restart of everything", act)
