"""The PostgreSQL server is gone for good, and the replica that followed it takes its place: one url names both."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drill import Drills, MakeCluster, Scene
from support.outage import Replica, children, frozen, list_url
from support.postgres import Cluster
from support.stored import read_all

pytestmark = pytest.mark.postgres


class Pair:
    """A primary with its replica, and the url of a database on whichever of them takes writes."""

    def __init__(self, primary: Cluster, folder: Path) -> None:
        self.primary = primary
        self.replica = Replica(primary, folder)
        self.url = list_url([self.primary, self.replica], primary.new_database())

    def start(self, *, synchronous: bool) -> Pair:
        self.replica.create().start()
        self.replica.wait_streaming(synchronous=synchronous)
        return self


@pytest.fixture
def pair(make_cluster: MakeCluster) -> Iterator[Pair]:
    pair = Pair(make_cluster(), Path(tempfile.mkdtemp(prefix="stonechat-replica-")))
    yield pair
    pair.replica.remove()


async def take_over(scene: Scene, pair: Pair) -> None:
    """The replica is promoted, and everybody comes to it and begins anew: it is another timeline."""
    before = {device.follower.epoch for device in scene.load.devices}
    await asyncio.to_thread(pair.replica.promote)
    scene.mark("the replica takes writes")
    await scene.load.until(
        lambda: not before & {device.follower.epoch for device in scene.load.devices}, "the new epoch everywhere"
    )
    epochs = {device.follower.epoch for device in scene.load.devices}
    assert epochs == {f"{epoch}.2" for epoch in before}, "the epoch is followed by the timeline"
    await scene.load.serve(2)


def test_synchronous_replica(drills: Drills, pair: Pair) -> None:
    """What was acknowledged is there too: nothing is lost."""
    pair.start(synchronous=True)

    async def act(scene: Scene) -> None:
        await asyncio.to_thread(pair.primary.stop_at_once)
        await scene.lasts(1)
        await take_over(scene, pair)

    drills.run("failover to a synchronous replica", act, settings={"database.url": pair.url}, idle=True)


@pytest.mark.long
def test_synchronous_replica_that_stands_still(drills: Drills, pair: Pair) -> None:
    """Nothing is acknowledged meanwhile, not even what the primary has and a retry finds; then that one is gone."""
    pair.start(synchronous=True)

    async def act(scene: Scene) -> None:
        replica = [pair.replica.pid, *children(pair.replica.pid)]
        with frozen(replica):
            await scene.lasts(0.5)  # what the replica had is answered
            acknowledged = len(scene.load.latencies)
            await scene.lasts(12)  # more than a commit waits
            assert len(scene.load.latencies) == acknowledged, "acknowledged, and not on the replica"
            await asyncio.to_thread(pair.primary.stop_at_once)
            await scene.lasts(1)  # what was on its way to devices is there
            scene.history.add("restore", copied=scene.mark("devices may have seen what nobody was answered"))
        await take_over(scene, pair)

    drills.run(
        "a synchronous replica stands still 12 s, then failover", act, settings={"database.url": pair.url}, idle=True
    )


@pytest.mark.long
def test_asynchronous_replica(drills: Drills, pair: Pair) -> None:
    """It was cut off for seconds before: what was acknowledged in them is gone, and no device shows it any more."""
    pair.start(synchronous=False)

    async def act(scene: Scene) -> None:
        copied = scene.mark("the replica hears of nothing any more")
        await asyncio.to_thread(pair.replica.hold_back)
        await scene.load.serve(3)
        said = [one for pair_of_two in scene.load.pairs for one in pair_of_two.said]
        await asyncio.to_thread(pair.primary.stop_at_once)
        await scene.lasts(1)  # what was on its way to devices is there
        scene.history.add("restore", copied=copied)
        await take_over(scene, pair)
        (rows,) = await asyncio.to_thread(read_all, scene.stack, "SELECT id FROM messages")
        lost = {one.id for one in said} - {one for (one,) in rows}
        assert lost, "the replica had everything"
        print(f"{len(lost)} of {len(said)} acknowledged messages were not on the replica")

    drills.run("failover to a replica that is 3 s behind", act, settings={"database.url": pair.url}, idle=True)
