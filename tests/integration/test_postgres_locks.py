"""What several API processes and other clients of a PostgreSQL database hold against each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.client import Api, Person, new_name
from support.database import Session
from support.libpq import query
from support.problems import problem
from support.stack import Stack
from support.waiting import wait_until

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def ask(stack: Stack, sql: str) -> list[tuple[object, ...]]:
    return query(stack.place.url, sql)


@pytest.fixture
def patient() -> Iterator[Stack]:
    """Two API processes. Whoever waits for a lock has the time to: a test lets it go when all wait."""
    stack = Stack(apis=2, database="postgres")
    ask(stack, f"ALTER ROLE CURRENT_USER IN DATABASE {stack.place.name} SET lock_timeout = '20s'")
    stack.start()
    yield stack
    wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


def test_of_two_first_sign_ups_one_administers(patient: Stack) -> None:
    """Each has inserted its person, and neither has committed, when they are let go on."""
    apis = [Api(patient, api=n) for n in range(2)]
    with Session(patient.place.url) as holder, ThreadPoolExecutor() as pool:
        holder.begin()
        holder.query("LOCK TABLE sessions IN SHARE MODE")  # a sign-up writes its session last
        signing = [pool.submit(api.sign_up, new_name()) for api in apis]
        wait_until(lambda: ask(patient, WAITING) == [(2,)], "both wait")
        holder.commit()
        answers = [one.result() for one in signing]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert sorted(answer.json()["user"]["role"] for answer in answers) == ["admin", "member"]
    assert ask(patient, "SELECT action FROM audit") == [("user.role_changed",)]
    for api in apis:
        api.close()


@pytest.fixture
def stack() -> Iterator[Stack]:
    """With the limits that it has by default."""
    stack = Stack(database="postgres").start()
    yield stack
    wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


def test_a_person_whom_somebody_locks_holds_up_nobody_else(stack: Stack) -> None:
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    talk = ann.conversation_with(bob)
    with Session(stack.place.url) as holder:
        holder.begin()
        holder.query("SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE", bob.id)
        problem(Api(stack).log_in(bob.username), 503, "database_unavailable")  # it finds out by waiting
        at_once = Api(stack).log_in(bob.username)
        problem(at_once, 503, "database_unavailable")
        assert 1 <= int(at_once.headers["Retry-After"]) <= 2
        assert ann.send(talk, "to the conversation").status_code == 201
        assert bob.send(talk, "from him, which changes no row of his").status_code == 201
        assert Api(stack).log_in(ann.username).status_code == 200
        holder.commit()
    wait_until(lambda: Api(stack).log_in(bob.username).status_code == 200, "he is let in again")
