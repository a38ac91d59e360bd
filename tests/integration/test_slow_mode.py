"""Slow mode where several processes take messages: which of those that come at once is first is the database's to say.

Each process has a writer of its own; the four doors here are two API processes and two push processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from support.client import Person, new_id
from support.problems import problem
from support.shared import MakeStack
from support.stack import Stack

SLOW_S = 600  # longer than any test
ROUNDS = 8
PASSED = "passed"

Door = Callable[[str, str], str]


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    return make_stack(apis=2, pushes=2)


@pytest.fixture
def owner(stack: Stack) -> Person:
    return Person.new(stack, "owner")


@pytest.fixture
def slow_group(stack: Stack, owner: Person) -> Iterator[tuple[str, list[Person]]]:
    """A group in slow mode: its id and its members, one for each round, none of whom is its admin."""
    members = [Person.new(stack) for _ in range(ROUNDS)]
    group_id = owner.make_group("Slow", *members)
    answer = owner.request("PATCH", f"/conversations/{group_id}", json={"slow_mode_s": SLOW_S})
    assert answer.status_code == 200, answer.text
    yield group_id, members
    for one in (owner, *members):
        one.close()


def by_rest(person: Person, api: int) -> Door:
    through = person.through(api)

    def send(group_id: str, id_: str) -> str:
        answer = through.post(f"/conversations/{group_id}/messages", {"content": f"by api {api}", "id": id_})
        if answer.status_code == 201:
            return PASSED
        assert int(answer.headers["Retry-After"]) >= SLOW_S - 60
        return str(problem(answer, 429)["code"])

    return send


def by_socket(person: Person, push: int, exits: ExitStack) -> Door:
    live = exits.enter_context(person.connect(push=push))

    def send(group_id: str, id_: str) -> str:
        keys = {"conversation_id": group_id, "message_id": id_, "content": f"by push {push}"}
        reply = live.request("message.send", **keys)
        return PASSED if reply["ok"] else str(reply["error"]["code"])

    return send


def at_once(doors: list[Door], group_id: str) -> dict[str, str]:
    """A message through each of them in the same moment; what became of each, by its id."""
    start, told = threading.Barrier(len(doors)), dict[str, str]()

    def go(door: Door) -> None:
        id_ = new_id()
        start.wait()
        told[id_] = door(group_id, id_)

    threads = [threading.Thread(target=go, args=(door,)) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == len(doors), "each had an answer"
    return told


def test_of_messages_at_two_api_processes_one_passes(slow_group: tuple[str, list[Person]]) -> None:
    group_id, members = slow_group
    for person in members:
        told = at_once([by_rest(person, 0), by_rest(person, 1)], group_id)
        assert sorted(told.values()) == [PASSED, "slow_mode"]
    assert len(members[0].history(group_id)) == len(members)


def test_of_messages_at_all_doors_one_passes(slow_group: tuple[str, list[Person]]) -> None:
    """REST and WebSocket mixed; what was refused left nothing behind."""
    group_id, members = slow_group
    for person in members:
        with ExitStack() as exits:
            doors = [by_rest(person, 0), by_socket(person, 0, exits), by_rest(person, 1), by_socket(person, 1, exits)]
            told = at_once(doors, group_id)
            assert sorted(told.values()) == [PASSED, "slow_mode", "slow_mode", "slow_mode"]
            accepted = [id_ for id_, what in told.items() if what == PASSED]
            stored = [row["id"] for row in person.history(group_id) if row["sender_id"] == person.id]
            assert stored == accepted
            assert {door(group_id, new_id()) for door in doors} == {"slow_mode"}, "and none afterwards"


def test_what_one_process_turns_off_is_off_at_all(slow_group: tuple[str, list[Person]], owner: Person) -> None:
    group_id, (ann, *_) = slow_group
    with ExitStack() as exits:
        doors = [by_rest(ann, 0), by_socket(ann, 0, exits), by_rest(ann, 1), by_socket(ann, 1, exits)]
        assert doors[0](group_id, new_id()) == PASSED
        assert [door(group_id, new_id()) for door in doors] == ["slow_mode"] * 4
        path = f"/conversations/{group_id}"
        assert owner.through(1).request("PATCH", path, json={"slow_mode_s": 0}).status_code == 200
        assert [door(group_id, new_id()) for door in doors] == [PASSED] * 4
