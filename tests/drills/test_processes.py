"""Processes that are killed, frozen and started again while people talk."""

from __future__ import annotations

import pytest

from support.drill import Drills, Scene

# What a process says that a fault point has ended.
ENDED_BY_FAULT = 42


OUTAGE_S = 0.3


@pytest.mark.parametrize("name", ["api", "push"])
def test_kill(drills: Drills, name: str) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(2):
            scene.stack.processes[name].kill()
            await scene.lasts(OUTAGE_S)
            await scene.restart(name)
            await scene.load.serve(1)

    drills.run(f"kill -9 {name}", act)


def test_kill_between_commit_and_publish(drills: Drills) -> None:
    """The process is gone after its first batch with a message: it is stored, and nobody was told or answered."""

    async def end_by_fault(scene: Scene, name: str) -> None:
        process = scene.stack.processes[name]
        process.kill()
        scene.set_environment(name, {"STONECHAT_FAULT_WRITER": "exit_after_commit"})
        process.start()
        await scene.load.until(lambda: not process.running, f"{name} has committed something", 20)
        assert process.child and process.child.returncode == ENDED_BY_FAULT, process.tail()
        scene.set_environment(name, {})
        await scene.restart(name)
        await scene.load.serve(0.5)

    async def act(scene: Scene) -> None:
        for name in ("api", "push", "api"):
            await end_by_fault(scene, name)

    drills.run("kill between commit and publish", act)


@pytest.mark.long
def test_stop_push(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        scene.stack.push.freeze()
        await scene.lasts(5)
        scene.stack.push.thaw()

    drills.run("SIGSTOP push 5 s", act)


@pytest.mark.long
def test_restart_of_everything(drills: Drills) -> None:
    """All four at once, in the middle of whatever they do."""

    async def act(scene: Scene) -> None:
        for name in ("lighttpd", "push", "api", "redis"):
            scene.stack.processes[name].kill()
        await scene.lasts(OUTAGE_S)
        await scene.restart("redis", "api", "push", "lighttpd")
        await scene.load.serve(1)

    drills.run("restart of everything", act)
