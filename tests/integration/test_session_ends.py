"""The end of a session: refreshing at once on two tabs and with a stolen token; and how soon sockets close, on two push
processes, with the bus and without it. A bound is asserted at three times what is promised, and printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import truth
from support.client import Api, Person
from support.live import Live
from support.problems import problem
from support.shared import MakeStack
from support.stack import Stack

PATIENCE = 3
BY_THE_BUS_S = 1.0
WITHOUT_IT_S = 5.0


# -- refresh
def test_two_tabs_at_once_are_one(ann: Person) -> None:
    """Both get the same successor, however often; nobody is logged out."""
    token = str(ann.refresh_token)
    for _ in range(10):
        with ThreadPoolExecutor(4) as tabs:
            answers = list(tabs.map(lambda token: Api(ann.stack).refresh(token), [token] * 4))
        assert [answer.status_code for answer in answers] == [200] * 4
        [token] = {answer.json()["refresh_token"] for answer in answers}
    assert ann.get("/users/me").status_code == 200


def test_a_lost_reply_costs_nothing_and_the_grace_is_not_renewed(ann: Person) -> None:
    first = str(ann.refresh_token)
    lost = ann.refresh(first).json()["refresh_token"]
    assert [ann.refresh(first).json()["refresh_token"] for _ in range(3)] == [lost] * 3
    truth.write(ann.stack, "UPDATE sessions SET rotated_at = rotated_at - 61000 WHERE user_id = ?", ann.id)
    with ann.connect() as live:
        problem(ann.refresh(first), 401, "refresh_token_reused")
        assert live.wait_closed(PATIENCE * BY_THE_BUS_S) == 4403
    problem(ann.refresh(lost), 401, "session_ended")


def test_a_thief_and_the_owner_are_both_out_when_the_old_token_comes_back(ann: Person) -> None:
    """Whoever of them used it first: the other one shows a token that was used up, and that ends the session."""
    stolen = str(ann.refresh_token)
    thief = Api(ann.stack).refresh(stolen).json()
    newest = Api(ann.stack).refresh(thief["refresh_token"]).json()
    others = ann.another_device()
    with Live(ann.stack.url) as theirs, others.connect() as mine:
        theirs.authenticate(newest["access_token"])
        problem(ann.refresh(stolen), 401, "refresh_token_reused")
        assert theirs.wait_closed(PATIENCE * BY_THE_BUS_S) == 4403
        assert mine.request("ping")["ok"], "another log-in is not concerned"
    problem(Api(ann.stack, newest["access_token"]).get("/users/me"), 401, "session_ended")
    problem(Api(ann.stack).refresh(newest["refresh_token"]), 401, "session_ended")


# -- sockets
@pytest.fixture
def two(make_stack: MakeStack) -> Iterator[Stack]:
    yield make_stack(pushes=2)


def revoke_one(ann: Person, device: Person) -> None:
    [session] = [item for item in device.get("/auth/sessions").json()["items"] if item["current"]]
    assert ann.request("DELETE", f"/auth/sessions/{session['id']}").status_code == 204


def revoke_others(ann: Person, device: Person) -> None:
    assert ann.request("DELETE", "/auth/sessions").status_code == 204


def disable(ann: Person, device: Person) -> None:
    """By the founder; the account's own stream tells it."""
    founder = Person(ann.stack, Api(ann.stack).log_in("founder").json())
    assert founder.request("PATCH", f"/admin/users/{ann.id}", json={"disabled": True}).status_code == 200


ENDS = pytest.mark.parametrize("end", [revoke_one, revoke_others, disable], ids=lambda f: f.__name__)


def close_on_both(stack: Stack, end: Callable[[Person, Person], None], promised_s: float, *, redis: bool) -> None:
    assert Api(stack).sign_up("founder").status_code == 201
    ann = Person.new(stack)
    device = ann.another_device()
    sockets = [Live(url) for url in stack.push_urls]
    for live in sockets:
        live.authenticate(str(device.token))
    if not redis:
        stack.redis.kill()
        for live in sockets:
            live.event("mode", mode="degraded", timeout=20)
    begun = time.monotonic()
    end(ann, device)
    for live in sockets:
        assert live.wait_closed(PATIENCE * promised_s) == 4403
        print(f"closed after {time.monotonic() - begun:.2f} s (promised: {promised_s:g} s)")
        live.close()
    problem(device.get("/users/me"), 401, "session_ended")


@ENDS
def test_sockets_on_both_processes_close(two: Stack, end: Callable[[Person, Person], None]) -> None:
    close_on_both(two, end, BY_THE_BUS_S, redis=True)


@ENDS
def test_sockets_on_both_processes_close_without_redis(two: Stack, end: Callable[[Person, Person], None]) -> None:
    close_on_both(two, end, WITHOUT_IT_S, redis=False)
