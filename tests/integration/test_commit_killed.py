"""A session of a PostgreSQL server that somebody ends while it commits: it says that it has, then that it is gone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.client import Person, new_id
from support.libpq import Connection
from support.outage import OURS
from support.postgres import Cluster
from support.shared import MakeStack
from support.waiting import wait_until

# A commit takes 0.1 s, in which nothing ends it.
SLOW_COMMITS = {"fsync": "on", "commit_delay": "100000", "commit_siblings": "0"}
END_WHO_COMMITS = " ".join(
    ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query = 'COMMIT' AND", OURS)
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="stonechat-postgres-")), SLOW_COMMITS)
    yield cluster.create().start().make_role()
    cluster.remove()


def test_a_session_ended_while_it_commits_has_committed(make_stack: MakeStack, cluster: Cluster) -> None:
    stack = make_stack({"database.url": cluster.url(cluster.new_database())})
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    talk = ann.conversation_with(bob)
    with Connection(cluster.socket_url()) as administrator, ThreadPoolExecutor(1) as pool:
        for n in range(5):
            sending = pool.submit(ann.send, talk, f"message {n}", id=new_id())
            wait_until(lambda: administrator.query(END_WHO_COMMITS) == [(True,)], "it commits, and is ended", 20)
            assert sending.result().status_code == 201
    assert [message["content"] for message in ann.history(talk)[1:]] == [f"message {n}" for n in range(5)]
