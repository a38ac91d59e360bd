"""What happens to a PostgreSQL server while people talk: it crashes, stands still, has no connection left, and somebody
else holds one of its rows."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from support.client import new_id
from support.drill import PATIENCE, Drills, MakeCluster, Scene
from support.libpq import Connection
from support.load import Pair
from support.metrics import push_metric
from support.outage import OURS, Hog, children, frozen, processes
from support.postgres import Cluster
from support.waiting import wait_until

pytestmark = pytest.mark.postgres

# push asks for the heads so often while the bus is well.
HEADS_S = 5


async def crash(cluster: Cluster) -> None:
    """What `pg_ctl restart -m immediate` does: it ends at once, and knows what its log says when it is back."""
    await asyncio.to_thread(cluster.stop_at_once)
    cluster.spawn()
    await asyncio.to_thread(cluster.wait_answers)


async def lose_records(scene: Scene) -> None:
    """From here on nothing is said on the bus of what is stored: only the heads check finds it."""
    for name in ("api", "push"):
        scene.stack.processes[name].kill()
        scene.set_environment(name, {"STONECHAT_FAULT_WRITER": "skip_publish"})
        await scene.restart(name)
    await scene.load.serve(1)


def test_restart_of_postgres(drills: Drills, make_cluster: MakeCluster) -> None:
    """Nobody's socket is closed for it, and nobody is started again. Commits take long, so that some are on their way
    when it crashes."""
    cluster = make_cluster({"fsync": "on", "commit_delay": "20000", "commit_siblings": "0"})

    async def act(scene: Scene) -> None:
        for _ in range(3):
            await crash(cluster)
            await scene.load.serve(1)
        assert not scene.cut_off()

    drills.run("pg_ctl restart -m immediate", act, idle=True)


def next_number(cluster: Cluster, *, spent: int = 1) -> int:
    """Spends numbers of transactions that change nothing; the last one."""
    with Connection(cluster.socket_url()) as session:
        for _ in range(spent):
            ((number,),) = session.query("SELECT pg_current_xact_id()::text::bigint")
    return int(number)


@pytest.mark.long
def test_numbers_that_a_crash_gives_again(drills: Drills, make_cluster: MakeCluster) -> None:
    """A crash forgets the numbers of transactions that changed nothing and gives them again: what is stored after it
    has lower ones than push has heard of. It is found, by the heads check alone, and no socket is closed."""
    cluster = make_cluster()

    def checked(scene: Scene) -> float:
        return push_metric(scene.stack, "stonechat_heads_checks_total")

    async def next_check(scene: Scene) -> None:
        """Push has asked for heads."""
        before = await asyncio.to_thread(checked, scene)
        while await asyncio.to_thread(checked, scene) == before:
            await asyncio.sleep(0.02)

    async def act(scene: Scene) -> None:
        await lose_records(scene)
        scene.begin()
        await scene.load.pause()
        await next_check(scene)
        await scene.lasts(HEADS_S - 1)  # until shortly before the next one: what is still to be stored is stored
        (log_writer,) = processes(cluster, "backend_type = 'walwriter'")
        with frozen([log_writer]):  # or it would write them down
            before = next_number(cluster, spent=100)
            await next_check(scene)  # which hears of them
            os.kill(log_writer, signal.SIGKILL)  # the server takes this for a crash, and starts itself again
            await asyncio.to_thread(wait_until, lambda: not Path(f"/proc/{log_writer}").exists(), "it is dead")
        await asyncio.to_thread(cluster.wait_answers)
        after = next_number(cluster)
        assert after < before, "no number was forgotten"
        scene.mark(f"the numbers go on at {after}, not at {before}")
        for pair in [scene.load.quiet.pop() for _ in range(4)]:
            await scene.load.say(pair, pair.people[0])
        await scene.load.until(lambda: not scene.load.lagging(), "it is found", HEADS_S * PATIENCE)
        await scene.lasts(HEADS_S + 1)
        assert not scene.cut_off()
        scene.load.resume()

    drills.run("a crash gives numbers of transactions again", act, idle=True)


@pytest.mark.parametrize(
    ("who", "seconds"),
    [
        ("sessions", 5),
        *(
            pytest.param(who, seconds, marks=pytest.mark.long)
            for who, seconds in (
                ("postmaster", 5),
                ("processes", 5),
                ("sessions", 12),
                ("postmaster", 12),
                ("processes", 12),
            )
        ),
    ],
)
def test_stop_of_postgres(drills: Drills, make_cluster: MakeCluster, who: str, seconds: int) -> None:
    """Shorter, and longer, than anybody waits for an answer. What a session to which nobody listens any more commits
    when it goes on is settled by the ids."""
    cluster = make_cluster()

    async def act(scene: Scene) -> None:
        pids = {
            "sessions": processes(cluster, OURS),
            "postmaster": [cluster.pid],
            "processes": [cluster.pid, *children(cluster.pid)],
        }
        with frozen(pids[who]):
            await scene.lasts(seconds)
        await scene.load.serve(1)
        assert not scene.cut_off()

    drills.run(f"SIGSTOP of the {who} of the server, {seconds} s", act, idle=seconds > 5)


def test_no_connection_left(drills: Drills, make_cluster: MakeCluster) -> None:
    """Somebody else takes all of them, ours too: 503, sockets stay; when there are some again all goes on by itself."""
    cluster = make_cluster({"max_connections": "60"})

    async def act(scene: Scene) -> None:
        hog = Hog(cluster)
        await asyncio.to_thread(hog.__enter__)
        refused, stored = scene.load.answers[503], len(scene.load.latencies)
        try:
            await scene.lasts(5)
            assert scene.load.answers[503] > refused, "nobody was told 503"
            assert len(scene.load.latencies) == stored, "something was stored"
            answer = await asyncio.to_thread(scene.stack.readyz)
            assert answer is not None and answer.status_code == 503
        finally:
            hog.__exit__()
        await scene.load.serve(2)
        assert not scene.cut_off()

    drills.run("no connection left", act, idle=True)


def send_by_hand(scene: Scene, session: Connection, pair: Pair, change_no: int) -> None:
    """One more writer, who speaks SQL: the statements of a send in the open transaction."""
    sender, chosen = pair.people[0].id, new_id()
    asked = {"conversation": pair.conversation, "id": chosen, "content": f"by hand {chosen}"}
    scene.history.add("invoke", call=chosen, attempt=1, user=sender, door="sql", op="create", **asked)
    ((seq, rev),) = session.query(
        "UPDATE conversations SET last_seq = last_seq + 1, last_rev = last_rev + 1, change_no = $1 WHERE id = $2"
        " RETURNING last_seq, last_rev",
        *(change_no, pair.conversation),
    )
    session.query(
        "INSERT INTO messages (conversation_id, seq, rev, id, sender_id, recipient_id, content, content_digest,"
        " timestamp) VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0)",
        *(pair.conversation, seq, rev, chosen, sender, pair.people[1].id, asked["content"]),
    )
    session.query("COMMIT")
    scene.history.add("answer", call=chosen, attempt=1, outcome="ok", id=chosen, seq=seq, rev=rev)


@pytest.mark.parametrize("seconds", [20, pytest.param(7, marks=pytest.mark.long)])
def test_late_commit(drills: Drills, seconds: int) -> None:
    """Somebody holds a conversation that is talked in, and another one in which a message of theirs is committed after
    all this time: its transaction began before others that push has heard of since. No record tells of any of them."""

    async def act(scene: Scene) -> None:
        await lose_records(scene)
        scene.begin()
        busy, quiet = scene.load.pairs[0], scene.load.quiet.pop()
        lock = "SELECT 1 FROM conversations WHERE id IN ($1, $2) ORDER BY id FOR NO KEY UPDATE"
        with Connection(scene.stack.settings["database.url"]) as session:
            session.query("BEGIN")
            ((change_no,),) = session.query("SELECT pg_current_xact_id()::text::bigint")
            session.query(lock, busy.conversation, quiet.conversation)
            refused, before = scene.load.answers[503], len(scene.load.latencies)
            await scene.lasts(seconds)
            others = len(scene.load.latencies) - before
            print(f"{others} calls were acknowledged meanwhile")
            assert scene.load.answers[503] > refused, "nobody waited for the lock"
            assert others > seconds * 60, "the others were held up"
            send_by_hand(scene, session, quiet, change_no)
        await scene.load.serve(2)
        await scene.lasts(HEADS_S)

    drills.run(f"a conversation is locked for {seconds} s by somebody else, records are lost", act, idle=True)
