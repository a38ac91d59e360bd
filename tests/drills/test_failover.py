"""The PostgreSQL server is gone for good, and the replica that followed it takes its place: one url names both."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.client import Person, new_id
from support.drill import Drills, MakeCluster, Scene
from support.libpq import Connection, query
from support.outage import OURS, Replica, children, frozen, list_url, processes
from support.postgres import ROLE, Cluster
from support.shared import MakeStack
from support.stored import read_all
from support.waiting import wait_until

pytestmark = pytest.mark.postgres

# Our programs wait for a commit for 8 s. Whoever asks waits longer, and sees what they make of one that takes so long.
GIVEN_UP_S = 8.5
PATIENT_S = 30.0


class Pair:
    """A primary with its replica, and the url of a database on whichever of them takes writes."""

    def __init__(self, primary: Cluster, folder: Path) -> None:
        self.primary = primary
        self.replica = Replica(primary, folder)
        self.database = primary.new_database()
        self.url = list_url([self.primary, self.replica], self.database)

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


async def cancel_commits(scene: Scene, cluster: Cluster) -> int:
    """What an operator does with sessions that hang: a commit that was only waiting for the replica returns with no
    more than a warning, and others see what it wrote. How many were cancelled."""
    cancel = " ".join(("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND", OURS))
    n = 0
    for _ in range(8):
        n += len(await asyncio.to_thread(query, cluster.socket_url(), cancel))
        await scene.lasts(0.25)
    return n


def test_synchronous_replica_that_stands_still(drills: Drills, pair: Pair) -> None:
    """Nothing is acknowledged meanwhile: not what a commit says that was cancelled, not what the primary has and a
    retry finds, not after everybody has given up waiting. Then the primary is gone."""
    pair.start(synchronous=True)

    async def act(scene: Scene) -> None:
        replica = [pair.replica.pid, *children(pair.replica.pid)]
        with frozen(replica):
            await scene.lasts(0.5)  # what the replica had is answered
            acknowledged = len(scene.load.latencies)
            assert await cancel_commits(scene, pair.primary), "no commit waits for the replica"
            await scene.lasts(GIVEN_UP_S)
            assert await cancel_commits(scene, pair.primary), "no commit waits for the replica any more"
            assert len(scene.load.latencies) == acknowledged, "acknowledged, and not on the replica"
            await asyncio.to_thread(pair.primary.stop_at_once)
            await scene.lasts(1)  # what was on its way to devices is there
            scene.history.add("restore", copied=scene.mark("devices may have seen what nobody was answered"))
        await take_over(scene, pair)

    drills.run(
        "a synchronous replica stands still 13 s, then failover",
        act,
        settings={"database.url": pair.url},
        idle=True,
        patience_s=PATIENT_S,
    )


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


def say_by_sql(server: Cluster, database: str, room: str, content: str) -> None:
    """One more message, as whoever said the last one."""
    url = server.socket_url(database)
    query(
        url,
        "INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp)"
        " SELECT conversation_id, seq + 1, rev + 1, $3, sender_id, $2, 'x', timestamp + 1"
        " FROM messages WHERE conversation_id = $1 ORDER BY seq DESC LIMIT 1",
        room,
        content,
        new_id(),
    )
    query(url, "UPDATE conversations SET last_seq = last_seq + 1, last_rev = last_rev + 1 WHERE id = $1", room)


def test_a_page_from_another_timeline(pair: Pair, make_stack: MakeStack) -> None:
    """A request loses its connection between its first query and its page, which comes from the new primary and is of
    the same revision: it has that one's epoch. What was kept or held before is of another."""
    for setting in ("statement_timeout", "lock_timeout"):  # as long as the replica needs
        query(pair.primary.socket_url(), f"ALTER ROLE {ROLE} SET {setting} = '60s'")
    pair.start(synchronous=False)
    stack = make_stack({"database.url": pair.url})
    ann = Person.new(stack)
    room = ann.make_group("room")
    path = f"/conversations/{room}/messages"
    assert ann.send(room, "of both").status_code == 201
    pair.replica.hold_back()
    assert ann.send(room, "of the old one").status_code == 201
    kept = [ann.get(path) for _ in range(2)][-1]

    blocker = Connection(pair.primary.socket_url(pair.database))
    blocker.query("BEGIN")
    blocker.query("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ann.get, path, limit=1)
        wait_until(lambda: processes(pair.primary, "wait_event_type = 'Lock'"), "the page is waited for", 20)
        pair.replica.promote()
        say_by_sql(pair.replica, pair.database, room, "of the new one")
        for statement in ("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"):
            query(pair.primary.socket_url(), statement)  # new connections go to the other one
        query(
            pair.primary.socket_url(),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        )
        across = asked.result()
    blocker.close()
    pair.primary.stop_at_once()
    stack.wait_ready()

    assert across.status_code == 200
    assert [item["content"] for item in across.json()["items"]] == ["of the new one"]
    assert across.json()["last_rev"] == kept.json()["last_rev"]
    again = ann.get(path, limit=1)
    assert again.json() == across.json() and again.headers["ETag"] == across.headers["ETag"]
    after = ann.request("GET", path, headers={"If-None-Match": kept.headers["ETag"]})
    assert after.status_code == 200 and after.headers["ETag"] != kept.headers["ETag"]
    assert [item["content"] for item in after.json()["items"]] == ["of both", "of the new one"]
