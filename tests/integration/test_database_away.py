"""PostgreSQL that is away for seconds while people ask: it is left in peace, and noticed soon when it is back."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.client import Person
from support.postgres import Cluster
from support.problems import problem
from support.refuser import Refuser
from support.shared import MakeStack
from support.waiting import wait_until

THREADS = 8
AWAY_S = 4.0
NOTICED_WITHIN_S = 2.0
PATIENCE = 3

# The shortest pauses are 50, 100, 200, 400 and then 800 ms: so often one handle tries within AWAY_S, and at its ends.
ATTEMPTS = 5 + int(AWAY_S / 0.8) + 2
# Readers and writers of the API, its retirer; storage threads and writers of push.
HANDLES = THREADS + 4 + 1 + 2 + 4


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="stonechat-postgres-"))).create().start().make_role()
    yield cluster
    cluster.remove()


def ask_for(person: Person, seconds: float) -> Counter[int]:
    """As fast as it is answered; how often which status came."""
    until, answers = time.monotonic() + seconds, Counter[int]()
    while time.monotonic() < until:
        answers[person.get("/users/me").status_code] += 1
    return answers


@pytest.mark.parametrize("first", ["it has been used", "it has never been used"])
def test_a_database_that_is_away_is_not_hammered(make_stack: MakeStack, cluster: Cluster, first: str) -> None:
    url = cluster.url(cluster.new_database())
    stack = make_stack({"database.url": url, "api.threads": str(THREADS), "writer.threads": "4"})
    ann = Person.new(stack, "ann")
    if first == "it has been used":
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: ask_for(ann, 0.5), range(THREADS)))
    else:
        stack.api.end()
        stack.restart("api")
    cluster.stop()
    refuser = Refuser(cluster.port)
    with ThreadPoolExecutor(THREADS) as pool:
        answers = sum(pool.map(lambda _: ask_for(ann, AWAY_S), range(THREADS)), Counter[int]())
    attempts = refuser.count
    assert problem(ann.get("/users/me"), 503)["code"] == "database_unavailable"
    refuser.stop()
    print(f"{attempts} connections were tried in {AWAY_S:g} s, for {answers}")
    assert set(answers) == {503}
    assert answers[503] > ATTEMPTS * HANDLES, "too few asked for this to say anything"
    assert 0 < attempts <= ATTEMPTS * HANDLES

    cluster.start()
    began = time.monotonic()
    wait_until(lambda: ask_for(ann, 0.1).keys() == {200}, "the API is back", PATIENCE * NOTICED_WITHIN_S)
    stack.wait_ready()
    print(f"it was noticed after {time.monotonic() - began:.2f} s")
    with ann.connect() as live:
        live.request("ping")
