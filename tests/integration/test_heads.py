"""What a client holds of conversations and people is called unchanged only while it is: two API processes, writers, and
clients that poll with If-None-Match.

Each answer, held or new, must show all that had been acknowledged when it was asked for; and now and then the writers
are stopped, and what is said to be unchanged must be what the other process reads."""

from __future__ import annotations

import random
import time
from base64 import urlsafe_b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support.client import Person
from support.copies import copy, restore
from support.metrics import read as metric
from support.problems import problem
from support.shared import MakeStack
from support.stack import Stack

Json = dict[str, Any]
Facts = dict[tuple[str, ...], int]

APIS = 2
HAMMERED_S, PATIENCE_S = 8.0, 60.0
FROM_THE_START = urlsafe_b64encode(f"conversations {2**53 - 1} ~".encode()).decode().rstrip("=")


@dataclass
class Device:
    """One person through one process, and what they hold."""

    person: Person
    twin: Person  # the same through the other process
    held: dict[str, tuple[str, Json]] = field(default_factory=dict)


def check(body: Json, floors: Facts) -> None:
    """It shows all that is known to have happened."""
    conversations = body.get("items", [body]) if "next_cursor" in body or "last_rev" in body else []
    for conversation in conversations:
        if "last_rev" not in conversation:
            continue
        room = conversation["id"]
        assert conversation["last_rev"] >= floors[("rev", room)], conversation
        for member in conversation["members"]:
            assert member["read_seq"] >= floors.get(("read", room, member["user_id"]), 0), conversation
    people = [*conversations, *(member for one in conversations for member in one.get("members", [])), body]
    for person in people:
        if person.get("display_name", "").startswith("name "):
            at_least = floors.get(("name", person.get("user_id") or person["id"]), 0)
            assert int(person["display_name"].split()[1]) >= at_least, person


class Hammer:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ann, self.bob, self.cy, self.guest = (Person.new(stack, name) for name in ("ann", "bob", "cy", "guest"))
        self.people = [self.ann, self.bob, self.cy]
        self.rooms = [self.ann.make_group(f"room {n}", self.bob, self.cy, self.guest) for n in range(3)]
        self.facts: Facts = {("rev", room): 1 for room in self.rooms}
        self.gates = {room: Lock() for room in self.rooms}
        self.until, self.compared = 0.0, 0
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.messages: dict[str, list[str]] = {room: [] for room in self.rooms}
        for room in self.rooms:
            self.say(room, self.ann)

    def goes_on(self) -> bool:
        """Until enough has happened, which takes a busy machine longer."""
        now = time.monotonic()
        return now < self.until or (not self.has_seen_enough() and now < self.until + PATIENCE_S)

    def has_seen_enough(self) -> bool:
        unchanged = sum(n for (_, status), n in list(self.statuses.items()) if status == 304)
        return self.compared >= 50 and unchanged >= 200 and self.statuses["conversations", 304] >= 20

    # -- writing
    def note(self, *fact: str, value: int) -> None:
        self.facts[fact] = max(value, self.facts.get(fact, 0))

    def say(self, room: str, by: Person) -> None:
        message = by.send(room, "and on").json()
        self.messages[room].append(message["id"])
        self.note("rev", room, value=message["rev"])

    def read(self, room: str, by: Person) -> None:
        seq = len(self.messages[room])
        assert by.request("PUT", f"/conversations/{room}/read", json={"seq": seq}).status_code == 200
        self.note("read", room, by.id, value=seq)

    def deliver(self, room: str, by: Person) -> None:
        """As a device does by its socket."""
        with self.stack.database() as database:
            database.query(
                "UPDATE members SET delivered_seq = delivered_seq + 1 WHERE conversation_id = ? AND user_id = ?"
                " AND delivered_seq < (SELECT last_seq FROM conversations WHERE id = ?)",
                *(room, by.id, room),
            )

    def rename_self(self, _room: str, by: Person) -> None:
        number = self.facts.get(("name", by.id), 0) + 1
        assert by.request("PATCH", "/users/me", json={"display_name": f"name {number}"}).status_code == 200
        self.note("name", by.id, value=number)

    def change_message(self, room: str, by: Person) -> None:
        path = f"/conversations/{room}/messages/{self.messages[room][-1]}"
        if random.random() < 0.5:
            answer = by.request("PUT", f"{path}/reactions/{quote('👍')}")
        else:
            answer = by.request("PATCH", path, json={"content": f"edited {random.random()}"})
        assert answer.status_code in (200, 201, 403), answer.text
        if answer.status_code == 200:
            self.note("rev", room, value=answer.json()["rev"])

    def change_group(self, room: str, _by: Person) -> None:
        kind = random.randrange(3)
        if kind == 0:
            answer = self.ann.request("PATCH", f"/conversations/{room}", json={"title": f"t {random.random()}"})
            self.note("rev", room, value=answer.json()["last_rev"])
        elif kind == 1:
            assert self.ann.remove(room, self.guest.id).status_code in (204, 404)
        else:
            assert self.ann.add(room, self.guest).status_code == 200

    def mute(self, room: str, by: Person) -> None:
        method, body = random.choice([("PUT", {"json": {}}), ("DELETE", {})])
        assert by.request(method, f"/conversations/{room}/mute", **body).is_success

    def write(self, room: str, by: Person) -> None:
        """One who writes in one room, and is the only one who changes their own name."""
        acts = [self.say, self.read, self.read, self.deliver, self.rename_self, self.change_message, self.change_group]
        devices = [by.through(api) for api in range(APIS)]
        while self.goes_on():
            with self.gates[room]:
                random.choice([*acts, self.mute])(room, random.choice(devices))
            time.sleep(random.choice([0, 0.01, 0.1]))
        for device in devices:
            device.close()

    # -- reading
    def paths(self) -> list[str]:
        paths = ["/conversations", "/conversations?limit=2", "/users/me", *(f"/users/{one.id}" for one in self.people)]
        return paths + [f"/conversations/{room}{more}" for room in self.rooms for more in ("", "/members")]

    def poll(self, device: Device, path: str) -> Json | None:
        """What they know then; None: they may not."""
        floors = dict(self.facts)
        tag, body = device.held.get(path, ("", {}))
        answer = device.person.request("GET", path, headers={"If-None-Match": tag} if tag else {})
        self.statuses[path.split("?")[0].rsplit("/", 1)[-1][:13], answer.status_code] += 1
        if answer.status_code == 404:
            device.held.pop(path, None)
            return None
        assert answer.status_code in (200, 304), answer.text
        assert answer.status_code == 200 or answer.headers["ETag"] == tag
        if answer.status_code == 200:
            body = answer.json()
        device.held[path] = answer.headers["ETag"], body
        check(body, floors)
        return body

    def unkept(self, person: Person, path: str) -> Json:
        """Of lists only what begins at no cursor is kept."""
        params = {"cursor": FROM_THE_START, "limit": 2 if "limit" in path else 50}
        plain = path.split("?")[0]
        answer = person.request("GET", plain, params=params if plain == "/conversations" else None)
        body: Json = answer.json()
        return body

    def compare(self, device: Device, path: str) -> None:
        """While nothing is written."""
        with ExitStack() as stack:
            for gate in self.gates.values():
                stack.enter_context(gate)
            known = self.poll(device, path)
            whole = device.twin.request("GET", path)
            assert whole.status_code == (200 if known else 404)
            if known:
                assert known == whole.json() == self.unkept(device.twin, path), path
                assert device.held[path][0] == whole.headers["ETag"]
                again = device.person.request("GET", path, headers={"If-None-Match": whole.headers["ETag"]})
                assert (again.status_code, again.content) == (304, b""), path

    def read_on(self, seed: int) -> None:
        chance = random.Random(seed)
        person = [*self.people, self.guest][seed % 4]
        both = [person.through(api) for api in range(APIS)]
        devices = [Device(both[api], both[1 - api]) for api in range(APIS)]
        paths = self.paths()
        while self.goes_on():
            device, path = chance.choice(devices), chance.choice(paths)
            if chance.random() < 0.1:
                self.compare(device, path)
                self.compared += 1
            else:
                self.poll(device, path)
        for one in both:
            one.close()

    def run(self) -> None:
        self.until = time.monotonic() + HAMMERED_S
        with ThreadPoolExecutor(16) as pool:
            writers = [pool.submit(self.write, *pair) for pair in zip(self.rooms, self.people, strict=True)]
            readers = [pool.submit(self.read_on, seed) for seed in range(8)]
            for job in [*writers, *readers]:
                job.result()


@pytest.fixture
def two(make_stack: MakeStack) -> Stack:
    return make_stack(apis=APIS)


def test_unchanged_is_what_is_unchanged(two: Stack) -> None:
    hammer = Hammer(two)
    hammer.run()
    kept = {name: sum(metric(two, n, f"stonechat_cache_{name}_total") for n in (0, 4)) for name in ("hits", "outdated")}
    print(f"{hammer.compared} compared with nothing written meanwhile;", dict(hammer.statuses), kept)
    assert hammer.has_seen_enough()
    assert kept["outdated"] >= 5 and kept["hits"] >= kept["outdated"] + 5


def held(person: Person, path: str) -> tuple[str, httpx.Response]:
    answer = person.request("GET", path)
    assert answer.status_code == 200
    return answer.headers["ETag"], answer


def again(person: Person, path: str, tag: str) -> int:
    return person.request("GET", path, headers={"If-None-Match": tag}).status_code


def test_a_list_changes_with_all_that_it_shows(stack: Stack) -> None:
    """One change after the other, by somebody else or another device."""
    ann, bob, cy = (Person.new(stack, name) for name in ("ann", "bob", "cy"))
    room = ann.make_group("room", bob)
    message = ann.send(room, "one").json()
    path, of_it = f"/conversations/{room}", f"/conversations/{room}/messages/{message['id']}"
    changes = [
        lambda: bob.send(room, "two"),
        lambda: ann.request("PATCH", of_it, json={"content": "three"}) and bob.send(room, "four"),
        lambda: bob.request("PUT", f"{path}/read", json={"seq": 1}),
        lambda: ann.another_device().request("PUT", f"{path}/read", json={"seq": 2}),
        lambda: ann.another_device().request("PUT", f"{path}/mute", json={}),
        lambda: bob.request("PATCH", "/users/me", json={"display_name": "Robert"}),
        lambda: ann.another_device().request("PATCH", path, json={"title": "another"}),
        lambda: ann.another_device().request("PATCH", path, json={"slow_mode_s": 5}),
        lambda: ann.another_device().add(room, cy),
        lambda: ann.another_device().give_role(room, bob.id, "admin"),
        lambda: cy.say(ann, "in another one"),
        lambda: cy.remove(room),
        lambda: bob.request("DELETE", "/users/me", json={"password": "not this one"}) and bob.remove(room),
        lambda: ann.another_device().request("DELETE", path),
    ]
    for n, change in enumerate(changes):
        tags = {where: held(ann, where)[0] for where in ("/conversations", "/conversations?limit=1")}
        assert [again(ann, where, tag) for where, tag in tags.items()] == [304, 304]
        change()
        assert again(ann, "/conversations", tags["/conversations"]) == 200, n
    assert again(ann, "/conversations", tags["/conversations?limit=1"]) == 200, "of another page"
    assert again(cy, "/conversations", held(ann, "/conversations")[0]) == 200, "of another person"


def test_there_is_nothing_of_nobody(stack: Stack) -> None:
    """Though whatever there is would be held."""
    ann = Person.new(stack)
    nobody = "019c1f0e-0000-7000-8000-000000000000"
    for path in (f"/users/{nobody}", f"/conversations/{nobody}", f"/conversations/{nobody}/members"):
        problem(ann.request("GET", path, headers={"If-None-Match": "*"}), 404)
    for path in (f"/users/{ann.id}", "/users/me", "/conversations"):
        assert again(ann, path, "*") == 304


@pytest.mark.sqlite
def test_a_restore_makes_everything_another(make_stack: MakeStack) -> None:
    """Though what it has put in place is what was held."""
    stack = make_stack()
    ann = Person.new(stack)
    room = ann.make_group("room")
    tags = {path: held(ann, path)[0] for path in ("/conversations", f"/conversations/{room}", "/users/me")}
    restore(stack, copy(stack))
    assert [again(ann, path, tag) for path, tag in tags.items()] == [200, 200, 200]
