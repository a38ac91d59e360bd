"""Who is there: several devices and processes, grace, dead nodes, an emptied Redis, none at all, and many at once."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from support.client import Person, new_id
from support.live import Live
from support.presence import (
    QUICK,
    Monitor,
    connect_second,
    hears,
    large_group,
    redis,
    rows,
    second_push,
    sees,
    start_push,
    told,
    watch,
)
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until

STATUS = "SELECT connection_status FROM connections WHERE user_id = ?"
CALM = {"presence.beat_ms": "400", "presence.grace_ms": "2000"}


def people(stack: Stack, *names: str) -> list[Person]:
    return [Person.new(stack, name) for name in names]


def counts(live: Live) -> Counter[str]:
    """How often each conversation's count was told."""
    return Counter(str(o["conversation_id"]) for o in list(live.objects) if o.get("type") == "presence.count")


def many(n: int) -> str:
    return "?user_ids=" + ",".join(new_id() for _ in range(n))


def test_coming_and_going_on_two_devices_and_two_processes(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob = people(stack, "ann", "bob")
    with second_push(stack), ann.connect(direct=True) as eye:
        sees(eye, {ann: "online", bob: "offline"})
        one = bob.connect(direct=True)
        hears(eye, bob, "online")
        two = connect_second(bob)
        wait_until(lambda: redis(stack, "HLEN", f"presence:{bob.id}") == b":2\r\n", "the other process says so")
        mark = len(eye.objects)
        one.close()
        eye.wait_while_open(2.5)
        assert told(eye, mark) == []  # there on the other process
        two.close()
        hears(eye, bob, "offline", since=mark)
        wait_until(
            lambda: (
                rows(stack, "SELECT connection_status FROM connections WHERE user_id = ?", bob.id) == [("offline",)]
            ),
            "the row",
            15,
        )
        item = eye.request("presence.watch", user_ids=[bob.id])["items"][0]
        assert item["connection_status"] == "offline" and item["last_seen"].startswith("20")


def test_back_within_the_grace_is_never_told(make_stack: MakeStack) -> None:
    stack = make_stack(CALM)
    ann, bob = people(stack, "ann", "bob")
    with ann.connect() as eye:
        bob.connect().close()
        sees(eye, {bob: "online"})
        mark = len(eye.objects)
        for _ in range(3):
            with bob.connect() as live:
                live.request("ping")
        eye.wait_while_open(1.0)
        assert told(eye, mark) == []
        hears(eye, bob, "offline", since=mark)


def test_a_killed_process_is_missed_and_its_successor_too(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob, cy = people(stack, "ann", "bob", "cy")
    with second_push(stack) as second, ann.connect(direct=True) as eye:
        connect_second(bob), connect_second(cy)
        sees(eye, {bob: "online", cy: "online"})
        mark = len(eye.objects)
        second.kill()
        start_push(second, stack.port + 5)  # under the same name
        with connect_second(bob):
            hears(eye, cy, "offline", since=mark)  # nobody ever said so: the node's key ran out
            eye.wait_while_open(1.0)
            assert (bob.id, "offline") not in told(eye, mark)
            assert watch(eye, bob, cy) == {bob.id: "online", cy.id: "offline"}


def test_a_process_that_stood_still_tells_of_its_people_again(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob = people(stack, "ann", "bob")
    with second_push(stack) as second, ann.connect(direct=True) as eye, connect_second(bob) as live:
        sees(eye, {bob: "online"})
        mark = len(eye.objects)
        second.freeze()
        hears(eye, bob, "offline", since=mark)
        mark = len(eye.objects)
        second.thaw()
        hears(eye, bob, "online", since=mark)
        assert live.request("ping")["ok"] is True


def test_an_emptied_redis_is_filled_again(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob = people(stack, "ann", "bob")
    with second_push(stack), ann.connect(direct=True) as eye, connect_second(bob):
        sees(eye, {bob: "online"})
        mark = len(eye.objects)
        redis(stack, "FLUSHALL")
        redis(stack, "SCRIPT", "FLUSH")
        wait_until(lambda: redis(stack, "HLEN", f"presence:{bob.id}") == b":1\r\n", "he is written again", 10)
        eye.wait_while_open(1.5)
        assert (bob.id, "offline") not in told(eye, mark)
        # For as long as Redis is slow to answer it is unknown, never offline.
        wait_until(lambda: watch(eye, bob, ann) == {bob.id: "online", ann.id: "online"}, "both are online", 5.0)
        assert (bob.id, "offline") not in told(eye, mark)


def test_without_redis_nobody_is_offline(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob, cy = people(stack, "ann", "bob", "cy")
    with ann.connect() as eye, bob.connect():
        sees(eye, {bob: "online", cy: "offline"})
        mark = len(eye.objects)
        stack.redis.kill()
        eye.event("presence.unknown", 15)
        assert watch(eye, bob, cy) == {bob.id: "unknown", cy.id: "unknown"}
        stack.redis.start()
        hears(eye, bob, "online", 20, mark)
        hears(eye, cy, "offline", 20, mark)
        assert (bob.id, "offline") not in told(eye, mark)


def test_many_come_back_at_once_and_nobody_is_told_offline(make_stack: MakeStack) -> None:
    stack = make_stack(CALM | {"presence.grace_ms": "15000"})
    crowd = people(stack, *["p"] * 20)
    lives = [one.connect(direct=True) for one in crowd]
    for live in lives:
        sees(live, dict.fromkeys(crowd, "online"))
    for live in lives:
        live.close()
    stack.push.end()
    stack.push.start()
    stack.wait_ready()
    lives = [one.connect(direct=True) for one in crowd]
    answers = [watch(live, *crowd) for live in lives]
    assert all("offline" not in answer.values() for answer in answers)
    lives[0].wait_while_open(2.5)
    frames = [sum(o.get("type") == "presence.updated" for o in live.objects) for live in lives]
    assert all("offline" not in dict(told(live)).values() for live in lives)
    print("presence frames a socket:", max(frames))
    assert max(frames) <= 4
    for live in lives:
        live.close()


def test_a_busy_crowd_costs_a_frame_a_second(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK | {"presence.grace_ms": "100"})
    ann, *crowd = people(stack, "ann", *["p"] * 12)
    with ann.connect(direct=True) as eye:
        sees(eye, dict.fromkeys(crowd, "offline"))
        mark, began = len(eye.frames), time.monotonic()
        while time.monotonic() - began < 6:
            for one in crowd:
                one.connect(direct=True).close()
            eye.wait_while_open(0.4)  # longer than the grace: all are gone in between
        eye.wait_while_open(1.5)
        took_s = time.monotonic() - began
        frames = sum("presence.updated" in frame for frame in eye.frames[mark:])
        print(f"{frames} presence frames in {took_s:.1f} s")
        assert 2 <= frames <= took_s + 1
        assert dict(told(eye)) == {one.id: "offline" for one in crowd}


def test_of_a_large_group_only_a_count_is_told(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob = people(stack, "ann", "bob")
    group = large_group(stack, [ann, bob], 260)
    with second_push(stack), ann.connect(direct=True) as eye:
        eye.event("presence.count", 15, conversation_id=group, online=1, member_count=262)
        with connect_second(bob) as live:
            live.event("presence.count", 15, conversation_id=group, online=2)
            eye.event("presence.count", 15, conversation_id=group, online=2)


def test_each_of_many_large_groups_is_counted(make_stack: MakeStack) -> None:
    """More than a process counts at the same time."""
    stack = make_stack(QUICK)
    (ann,) = people(stack, "ann")
    groups = {large_group(stack, [ann], 250) for _ in range(10)}
    with ann.connect(direct=True) as eye:
        wait_until(lambda: set(counts(eye)) == groups, "each group has its count", 15)


def test_two_processes_count_a_group_once(make_stack: MakeStack) -> None:
    """Both ask for one and the same lease, so that a count is published once in a life of it."""
    life_s, n = 2, 6
    stack = make_stack(QUICK | {"presence.count_ms": str(life_s * 1000)})
    (ann,) = people(stack, "ann")
    group = large_group(stack, [ann], 250)
    with second_push(stack), Monitor(stack) as monitor:
        with ann.connect(direct=True) as eye, connect_second(ann) as other:
            for live in (eye, other):
                wait_until(lambda live=live: counts(live)[group] >= n, f"{n} counts", 60)
            asked = monitor.commands("SET", "presence:count:")
            published = [command.at_s for command in monitor.commands("PUBLISH", f"c:{group}")]
        assert {command.words[1] for command in asked} == {f"presence:count:{group}"}, "one lease"
        assert len({command.words[2] for command in asked}) == 2, "both processes want it"
        took_s = published[-1] - published[0]
        print(f"{len(published)} counts published in {took_s:.1f} s, a lease is {life_s} s")
        # A life is left over for a count that took longer than another.
        assert (len(published) - 2) * life_s <= took_s


def test_another_name_is_told_to_who_watches(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann, bob = people(stack, "ann", "bob")
    with ann.connect() as live:
        watch(live, bob)
        assert bob.request("PATCH", "/users/me", json={"display_name": "Robert"}).status_code == 200
        user = live.event("user.updated")["user"]
        assert user == {"id": bob.id, "username": bob.username, "display_name": "Robert"}


def test_what_a_list_may_be(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann, bob = people(stack, "ann", "bob")
    with ann.connect() as live:
        nobody = "0196f3a1-7c00-7000-8000-00000000dead"
        items = live.request("presence.watch", user_ids=[bob.id, bob.id.upper(), nobody])["items"]
        assert [item["user_id"] for item in items] == [bob.id]
        assert live.request("presence.watch", user_ids=[])["items"] == []
        for bad in (["x"], [1], "x", [nobody] * 201):
            assert live.request("presence.watch", user_ids=bad)["error"]["code"] == "bad_request"
        numbers = [live.ask("presence.watch", user_ids=[bob.id]) for _ in range(30)]
        codes = {live.reply(number).get("error", {}).get("code") for number in numbers}
        assert codes == {None, "rate_limited"}


def test_rest_says_who_is_there_and_when_they_were(make_stack: MakeStack) -> None:
    stack = make_stack(QUICK)
    ann, bob, cy = people(stack, "ann", "bob", "cy")

    def ask() -> dict[str, tuple[str, bool]]:
        items = ann.get("/presence", user_ids=f"{bob.id},{cy.id.upper()},{new_id()}").json()["items"]
        return {item["user_id"]: (item["connection_status"], item["last_seen"] is not None) for item in items}

    with bob.connect():
        wanted = {bob.id: ("online", False), cy.id: ("offline", False)}
        wait_until(lambda: ask() == wanted, "all is known", 20)
    wait_until(lambda: ask() == {bob.id: ("offline", True), cy.id: ("offline", False)}, "he has left", 20)
    stack.redis.kill()
    wait_until(lambda: ask() == {bob.id: ("unknown", True), cy.id: ("unknown", False)}, "nothing is known")
    stack.redis.start()
    stack.push.end()
    stack.restart("push")
    wait_until(lambda: ask() == {bob.id: ("offline", True), cy.id: ("offline", False)}, "it is known again", 20)


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?user_ids=", 422), ("?user_ids=x", 422), (many(101), 422), (many(100), 200)],
    ids=["none", "empty", "no id", "too many", "as many as may be"],
)
def test_rest_takes_up_to_100_ids(ann: Person, query: str, status: int) -> None:
    answer = ann.request("GET", "/presence" + query)
    assert answer.status_code == status, answer.text
