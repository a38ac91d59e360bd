"""Pages that are kept are never stale: two API processes with one database, each answer held against what is in that.

The writers of a conversation take turns and write down its state at every revision; whoever reads meanwhile must get
exactly one of these states, and none that is older than what had been acknowledged when they asked."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support.client import Person
from support.copies import copy, restore
from support.metrics import read as metric
from support.pages import State, read_state
from support.problems import problem
from support.shared import MakeStack
from support.stack import Stack

Json = dict[str, Any]

APIS = 2
API_METRICS = (0, 4)  # the ports of the two processes, after the first
HAMMERED_S = 8.0
HAMMERED_AT_MOST = 6  # times, on a busy machine, until enough was seen
ENOUGH = {"hits": 100, "misses": 100, "evicted": 10}
EMOJI = ["👍", "🎉", "❤️"]
# So that pages are let go of all the time.
SMALL = {"cache.memory_bytes": "150000"}


def total(stack: Stack, name: str) -> float:
    return sum(metric(stack, offset, f"stonechat_cache_{name}") for offset in API_METRICS)


@dataclass
class Answer:
    """What somebody was answered, and the revision that had been acknowledged before they asked."""

    floor: int
    params: Json
    body: Json
    tag: str


@dataclass
class Room:
    id: str
    owner: Person
    members: list[Person]
    guest: Person  # comes and goes
    states: dict[int, State] = field(default_factory=dict)
    floor: int = 0
    guest_is_in: bool = True
    answers: list[Answer] = field(default_factory=list)

    def note(self, stack: Stack) -> None:
        state = read_state(stack, self.id)
        self.states[state.last_rev] = state
        self.floor = state.last_rev

    def change(self, chance: random.Random) -> None:
        """One operation on it by somebody, through either process."""
        by = chance.choice(self.members).through(chance.randrange(APIS))
        message = chance.choice(self.states[self.floor].messages)
        path = f"/conversations/{self.id}/messages/{message['id']}"
        react = f"{path}/reactions/{quote(chance.choice(EMOJI))}"
        kind = chance.randrange(10)
        if kind < 3:
            answer = by.send(self.id, f"and {chance.random()} " + "x" * chance.randrange(200))
        elif kind < 5:
            answer = by.request("PATCH", path, json={"content": f"edited {chance.random()}"})
        elif kind == 5:
            answer = by.request("DELETE", path)
        elif kind < 8:
            answer = by.request(chance.choice(["PUT", "DELETE"]), react)
        else:
            answer = self.change_group(chance, kind)
        by.close()
        assert answer.status_code in (200, 201, 204, 403, 404, 409), answer.text

    def change_group(self, chance: random.Random, kind: int) -> httpx.Response:
        owner = self.owner.through(chance.randrange(APIS))
        if kind == 8:
            answer = owner.request("PATCH", f"/conversations/{self.id}", json={"title": f"t {chance.random()}"})
        elif self.guest_is_in:
            answer = owner.remove(self.id, self.guest.id)
        else:
            answer = owner.add(self.id, self.guest)
        if kind == 9:
            self.guest_is_in = not self.guest_is_in
        owner.close()
        return answer


def random_page(chance: random.Random, last_seq: int) -> Json:
    """Mostly what everybody asks for."""
    if chance.random() < 0.5:
        return {}
    anchor = chance.choice(["before_seq", "after_seq", "around_seq"])
    return {anchor: chance.randrange(last_seq + 3), "limit": chance.choice([1, 5, 50, 200])}


@pytest.fixture
def two(make_stack: MakeStack) -> Stack:
    return make_stack(SMALL, apis=APIS)


@pytest.fixture
def rooms(two: Stack) -> list[Room]:
    ann, bob, cy, guest = (Person.new(two, name) for name in ("ann", "bob", "cy", "guest"))
    made = []
    for n in range(3):
        room = Room(ann.make_group(f"room {n}", bob, cy, guest), ann, [ann, bob, cy], guest)
        for k in range(30):
            assert chance_of(k, [ann, bob, cy]).send(room.id, f"{n} {k}").status_code == 201
        room.note(two)
        made.append(room)
    return made


def chance_of(n: int, people: list[Person]) -> Person:
    return people[n % len(people)]


class Hammer:
    def __init__(self, stack: Stack, rooms: list[Room]) -> None:
        self.stack, self.rooms = stack, rooms
        self.until = time.monotonic() + HAMMERED_S

    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    def write(self, room: Room) -> None:
        chance = random.Random(room.id)
        while self.goes_on():
            room.change(chance)
            room.note(self.stack)
            # Hot pages are read more than once between two changes.
            time.sleep(chance.choice([0, 0, 0.02, 0.1]))

    def read(self, seed: int) -> None:
        chance = random.Random(seed)
        devices = {(p.id, api): p.through(api) for p in self.rooms[0].members for api in range(APIS)}
        held: dict[Any, tuple[str, Json]] = {}
        while self.goes_on():
            room = chance.choice(self.rooms)
            device = devices[chance.choice(list(devices))]
            params = random_page(chance, room.states[room.floor].last_seq)
            key = (room.id, device.id, str(params))
            tag, body = held.get(key, ("", {}))
            floor = room.floor
            headers = {"If-None-Match": tag} if tag else {}
            answer = device.request("GET", f"/conversations/{room.id}/messages", params=params, headers=headers)
            assert answer.status_code in (200, 304), answer.text
            if answer.status_code == 200:
                body = answer.json()
            held[key] = answer.headers["ETag"], body
            room.answers.append(Answer(floor, params, body, held[key][0]))
        for device in devices.values():
            device.close()

    def run(self) -> None:
        with ThreadPoolExecutor(16) as pool:
            jobs = [pool.submit(self.write, room) for room in self.rooms]
            jobs += [pool.submit(self.read, seed) for seed in range(6)]
            for job in jobs:
                job.result()


def check(room: Room) -> None:
    for answer in room.answers:
        rev = answer.body["last_rev"]
        assert rev >= answer.floor, f"{answer.params}: revision {rev}, {answer.floor} had been acknowledged"
        assert rev in room.states, f"{answer.params}: there never was a revision {rev}"
        assert answer.tag.startswith(f'"{rev}.'), f"{answer.params}: revision {rev} under the tag {answer.tag}"
        assert answer.body == room.states[rev].page(**answer.params), answer.params


def test_every_answer_is_the_database_at_its_revision(two: Stack, rooms: list[Room]) -> None:
    seen: dict[str, int] = {}
    for _ in range(HAMMERED_AT_MOST):
        Hammer(two, rooms).run()
        seen = {name: int(total(two, f"{name}_total")) for name in (*ENOUGH, "waits")}
        if all(seen[name] >= n for name, n in ENOUGH.items()):
            break
    for room in rooms:
        check(room)
    print(
        f"{sum(len(room.states) for room in rooms)} revisions, {sum(len(room.answers) for room in rooms)} answers;",
        seen,
    )
    assert all(seen[name] >= n for name, n in ENOUGH.items()), seen


def warm(room: Room) -> Json:
    """Has the newest page in each process; the page."""
    pages = []
    for api in [*range(APIS), *range(APIS)]:
        device = room.owner.through(api)
        pages.append(device.messages(room.id).json())
        device.close()
    assert all(page == pages[0] for page in pages)
    body: Json = pages[0]
    return body


def test_whoever_is_removed_reads_nothing_more(two: Stack, rooms: list[Room]) -> None:
    """Though the page they ask for, and hold, is in both processes."""
    room, guests = rooms[0], [rooms[0].guest.through(api) for api in range(APIS)]
    for turn in range(10):
        page = warm(room)
        tags = [guest.messages(room.id).headers["ETag"] for guest in guests]
        assert all(guest.messages(room.id).json() == page for guest in guests)
        assert room.owner.through(turn % APIS).remove(room.id, room.guest.id).status_code == 204
        # The others' page is in both again, before and while the guest asks for it.
        warm(room)
        for guest, tag in zip(guests, tags, strict=True):
            problem(guest.messages(room.id), 404)
            path = f"/conversations/{room.id}/messages"
            problem(guest.request("GET", path, headers={"If-None-Match": tag}), 404)
        assert room.owner.through(turn % APIS).add(room.id, room.guest).status_code == 200
        page = warm(room)
        assert all(guest.messages(room.id).json() == page for guest in guests)
    assert total(two, "hits_total") > 0


def test_whoever_is_logged_out_reads_nothing_more(two: Stack, rooms: list[Room]) -> None:
    room = rooms[0]
    page = warm(room)
    device = room.members[1].another_device()
    both = [device.through(api) for api in range(APIS)]
    assert all(one.messages(room.id).json() == page for one in both)
    assert device.log_out().status_code == 204
    for one in both:
        problem(one.messages(room.id), 401)
    assert warm(room) == page


def test_a_stranger_learns_nothing_from_a_page_that_is_kept(two: Stack, rooms: list[Room]) -> None:
    warm(rooms[0])
    stranger = Person.new(two, "eve")
    for api in range(APIS):
        problem(stranger.through(api).messages(rooms[0].id), 404)


@pytest.mark.sqlite
def test_what_a_restore_has_put_in_place_is_read_at_once(two: Stack, rooms: list[Room]) -> None:
    """Though the new history comes to the same revision, and the old one's page is in both processes."""
    room = rooms[0]
    file = copy(two)
    assert room.owner.send(room.id, "of the old history").status_code == 201
    old = warm(room)
    restore(two, file)
    assert room.owner.send(room.id, "of the new one").status_code == 201
    new = warm(room)
    assert new["last_rev"] == old["last_rev"]
    assert new == read_state(two, room.id).page()
    assert new["items"][-1]["content"] == "of the new one"


def test_one_reads_what_many_ask_for_at_once(two: Stack, rooms: list[Room]) -> None:
    """After a change everybody comes for the same page: it is read once or, where the first is slow, by few."""
    room = rooms[0]
    devices = [room.members[n % 3].through(0) for n in range(12)]
    barrier = threading.Barrier(len(devices))

    def read(device: Person) -> Json:
        barrier.wait(10)
        body: Json = device.messages(room.id).json()
        return body

    before = {name: total(two, name) for name in ("hits_total", "misses_total")}
    with ThreadPoolExecutor(len(devices)) as pool:
        for n in range(5):
            assert room.owner.send(room.id, f"{n}").status_code == 201
            pages = list(pool.map(read, devices))
            assert all(page == read_state(two, room.id).page() for page in pages)
    hits, misses = (total(two, name) - before[name] for name in before)
    print(f"{hits:.0f} found it, {misses:.0f} did not, {total(two, 'waits_total'):.0f} waited")
    assert hits + misses == 5 * len(devices) and hits >= 4 * len(devices)
