"""Redis is a hint: it is stopped, killed, emptied and cut off while people talk."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from support.client import Person
from support.device import Account, Device
from support.drill import DEGRADED_S, PATIENCE, REVOKED_S, Drills, Scene
from support.history import History


def redis_cli(scene: Scene, *command: str) -> str:
    socket = str(scene.stack.run / "redis.sock")
    done = subprocess.run(["redis-cli", "-s", socket, *command], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


async def told_mode(scene: Scene, mode: str, since: float, within_s: float) -> float:
    """Waits until every device has been told the mode; how long after `since` the last one was."""

    def told(device: Device) -> bool:
        return bool(device.modes) and device.modes[-1][1] == mode and device.modes[-1][0] >= since

    await scene.load.until(lambda: all(told(device) for device in scene.load.devices), f"told {mode}", within_s)
    return max(device.modes[-1][0] for device in scene.load.devices) - since


def another_log_in(scene: Scene, account: Account) -> tuple[Account, str]:
    """The same person on another device, and the id of its session."""
    user = {"id": account.id, "username": account.username}
    person = Person(scene.stack, {"access_token": account.token, "user": user})
    other = person.another_device()
    session = next(one["id"] for one in other.get("/auth/sessions").json()["items"] if one["current"])
    person.close()
    other.close()
    return Account(scene.stack, scene.load.http, user, str(other.token)), session


async def revoke_one(scene: Scene) -> None:
    """A person logs another device out; its socket is closed in time."""
    account = scene.load.accounts[0]
    theirs, session = await asyncio.to_thread(another_log_in, scene, account)
    unrecorded = History(Path(os.devnull))
    device = Device("other", theirs, unrecorded, scene.load.rng, direct=True)
    device.start()
    try:
        await scene.load.until(lambda: device.socket, "the other device is connected", 10)
        answer = await account.ask("DELETE", f"/auth/sessions/{session}")
        assert answer.status == 204
        began = History.now()
        await scene.load.until(lambda: device.closes, "its socket is closed", REVOKED_S * PATIENCE)
        assert device.closes[0][1] == 4403
        scene.measure(REVOKED_S, device.closes[0][0] - began)
    finally:
        await device.stop()
        unrecorded.close()


def test_stop_redis(drills: Drills) -> None:
    """It says nothing for 5 s: the wedge is noticed, and a log-in that ends meanwhile is still heard of."""

    async def act(scene: Scene) -> None:
        began = History.now()
        scene.stack.redis.freeze()
        scene.measure(DEGRADED_S, await told_mode(scene, "degraded", began, DEGRADED_S * PATIENCE))
        await revoke_one(scene)
        await scene.lasts(max(0.0, began + 5 - History.now()))
        thawed = scene.mark("it goes on")
        scene.stack.redis.thaw()
        await told_mode(scene, "normal", thawed, 20)

    drills.run("SIGSTOP Redis 5 s", act)


@pytest.mark.long
def test_kill_redis(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        began = History.now()
        scene.stack.redis.kill()
        await told_mode(scene, "degraded", began, DEGRADED_S * PATIENCE)
        await scene.lasts(2)
        restarted = scene.mark("it is started")
        await scene.restart("redis")
        await told_mode(scene, "normal", restarted, 20)

    drills.run("kill -9 Redis", act)


@pytest.mark.long
def test_kill_subscriptions(drills: Drills) -> None:
    """The subscribing connections are cut, three times."""

    async def act(scene: Scene) -> None:
        for _ in range(3):
            assert int(redis_cli(scene, "CLIENT", "KILL", "TYPE", "pubsub")) >= 1
            await scene.load.serve(1)

    drills.run("CLIENT KILL TYPE pubsub", act)


@pytest.mark.long
def test_flush_redis(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(3):
            redis_cli(scene, "FLUSHALL")
            await scene.load.serve(1)

    drills.run("FLUSHALL", act)
