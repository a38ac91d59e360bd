"""Typing, cursors, and who has read a message: told to the others, repaired for oneself, cheap in a crowd."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from support import crowd
from support.client import Json, Person, new_id
from support.live import Live
from support.metrics import api_metric, push_metric
from support.problems import problem
from support.process import Process
from support.shared import MakePerson, MakeStack
from support.stack import ROOT, Stack, setting_name
from support.waiting import wait_until

# A bound of the contract is held with this much patience, for slow machines.
PATIENCE = 3
HEADS_CHECK_S = 5.0


def mark(user: Person, conversation: str, seq: int) -> httpx.Response:
    return user.request("PUT", f"/conversations/{conversation}/read", json={"seq": seq})


def readers(user: Person, message: Json, **params: object) -> httpx.Response:
    return user.get(f"/conversations/{message['conversation_id']}/messages/{message['id']}/readers", **params)


def cursors(user: Person, conversation: str) -> dict[str, tuple[int | None, int | None]]:
    members = user.get(f"/conversations/{conversation}").json()["members"]
    return {row["user_id"]: (row["read_seq"], row["delivered_seq"]) for row in members}


def told(live: Live, type_: str) -> list[Json]:
    live.barrier()
    return [o for o in live.objects if o.get("type") == type_]


# -- limits
def test_cursors_and_lists_count_with_requests_by_rest(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.general_per_minute": "1", "limits.general_burst": "6"})
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    room = ann.conversation_with(bob)
    cursor = {"conversation_id": room, "seq": 1}
    frames = {"read.update": cursor, "delivered.update": cursor, "presence.watch": {"user_ids": [bob.id]}}
    with ann.connect() as live, ann.another_device().connect() as other:
        answers = [(live, other)[i % 2].request("read.update", **frames["read.update"]) for i in range(7)]
        assert answers[0]["ok"]
        error = answers[-1]["error"]
        assert (error["code"], error["retryable"]) == ("rate_limited", True)
        assert error["retry_after_ms"] > 0
        for type_, keys in frames.items():
            assert live.request(type_, **keys)["error"]["code"] == "rate_limited", type_
        assert live.request("typing.start", conversation_id=room)["ok"], "has a limit of its own"
        assert live.request("ping")["ok"]


def test_cursors_of_made_up_conversations_are_few(person: MakePerson) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    with ann.connect() as live:
        codes = [live.request("read.update", conversation_id=new_id(), seq=1)["error"]["code"] for _ in range(60)]
        assert codes[:20] == ["conversation_not_found"] * 20
        assert "rate_limited" in codes[20:]
        assert live.request("read.update", conversation_id=room, seq=1)["ok"], "one's own"


# -- what passes
def test_the_other_sees_typing_and_cursors_and_oneself_does_not(person: MakePerson) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    with ann.connect() as mine, ann.another_device().connect() as mine_too, bob.connect() as theirs:
        assert theirs.request("typing.start", conversation_id=room)["ok"]
        expected = {"type": "typing.started", "conversation_id": room, "user_id": bob.id}
        for live in (mine, mine_too):
            assert live.event("typing.started") == expected
        reply = theirs.request("delivered.update", conversation_id=room, seq=1)
        assert (reply["ok"], reply["delivered_seq"]) == (True, 1)
        assert mine.event("delivered.updated") == {
            "type": "delivered.updated", "conversation_id": room, "user_id": bob.id, "seq": 1}  # fmt: skip
        assert cursors(ann, room)[bob.id] == (0, 1)
        theirs.request("read.update", conversation_id=room, seq=1)
        assert mine.event("read.updated") == {
            "type": "read.updated", "conversation_id": room, "user_id": bob.id, "seq": 1}  # fmt: skip
        assert cursors(ann, room)[bob.id] == (1, 1)
        assert not told(theirs, "typing.started") + told(theirs, "delivered.updated")
        listed = ann.get(f"/conversations/{room}/members").json()["items"]
        assert {row["user_id"]: (row["read_seq"], row["delivered_seq"]) for row in listed} == cursors(ann, room)
        assert all("me" in o for o in told(theirs, "read.updated"))


def test_typing_is_told_once_in_three_seconds_whatever_is_sent(person: MakePerson) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    with ann.connect() as mine, bob.connect() as theirs, bob.another_device().connect() as theirs_too:
        for _ in range(50):
            theirs.send({"type": "typing.start", "conversation_id": room})
            theirs_too.send({"type": "typing.start", "conversation_id": room})
        theirs.barrier()
        theirs_too.barrier()
        said = theirs.say("done", conversation_id=room)["message"]
        mine.created(said["id"])
        assert len(told(mine, "typing.started")) == 1
        assert "typing.started" not in str(theirs.objects)
        began = time.monotonic()
        wait_until(
            lambda: theirs.request("typing.start", conversation_id=room) and len(told(mine, "typing.started")) == 2,
            "it is told again", 3 * PATIENCE)  # fmt: skip
        print(f"told again after {time.monotonic() - began:.1f} s")


def test_typing_and_cursors_of_what_one_is_not_in(person: MakePerson) -> None:
    ann, bob, eve = person(), person(), person()
    room = ann.conversation_with(bob)
    with ann.connect() as mine, eve.connect() as hers:
        for type_, more in (("typing.start", {}), ("delivered.update", {"seq": 1}), ("read.update", {"seq": 1})):
            for id_ in (room, new_id(), "x"):
                reply = hers.request(type_, conversation_id=id_, **more)
                assert reply["error"]["code"] == "conversation_not_found"
            for wrong in ({"conversation_id": 1}, {}, {"conversation_id": room, "surprise": 1}):
                assert hers.request(type_, **(more | wrong))["error"]["code"] == "bad_request"
        for type_ in ("delivered.update", "read.update"):
            for seq in (-1, "1", 1.5, None, 2**53, 2):
                assert mine.request(type_, conversation_id=room, seq=seq)["error"]["code"] == "bad_request", seq
        assert not told(mine, "typing.started") + told(mine, "read.updated") + told(mine, "delivered.updated")
    assert cursors(ann, room) == {ann.id: (0, 0), bob.id: (0, 0)}


def test_many_cursors_are_few_writes_and_each_is_answered(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    for n in range(59):
        ann.say(bob, str(n))
    before = push_metric(own_stack, "stonechat_writer_operations_total")
    with bob.connect() as live:
        began = time.monotonic()
        numbers = [live.ask("read.update", conversation_id=room, seq=seq) for seq in range(1, 61)]
        replies = [live.reply(number) for number in numbers]
        took = time.monotonic() - began
    assert all(reply["ok"] and reply["read_seq"] >= seq for seq, reply in enumerate(replies, 1))
    writes = push_metric(own_stack, "stonechat_writer_operations_total") - before
    print(f"60 cursors in {took:.2f} s: {writes:.0f} writes")
    assert writes <= took + 2
    assert bob.conversations()[0]["unread_count"] == 0


def test_a_cursor_of_a_socket_that_closed_is_written(person: MakePerson) -> None:
    ann, bob = person(), person()
    room = ann.conversation_with(bob)
    ann.say(bob, "more")
    with bob.connect() as live:
        for seq in (1, 2):
            live.send({"type": "read.update", "conversation_id": room, "seq": seq})
        live.barrier()
    wait_until(lambda: bob.conversations()[0]["unread_count"] == 0, "the second cursor is written too")


def test_a_cursor_is_written_before_push_ends(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    ann.say(bob, "more")
    with bob.connect() as live:
        for seq in (1, 2):
            live.send({"type": "read.update", "conversation_id": room, "seq": seq})
        live.barrier()
        own_stack.push.end()
    assert bob.conversations()[0]["unread_count"] == 0, "the second too, which waited for its second"
    own_stack.push.start()
    own_stack.wait_ready()


# -- two push processes
@pytest.fixture
def second_push(own_stack: Stack) -> Iterator[str]:
    """Another node beside the stack's own; its address."""
    changed = {"push.port": own_stack.port + 5, "metrics.port": own_stack.port + 11, "push.node": "second"}
    env = own_stack.env | {setting_name(key): str(value) for key, value in changed.items()}
    process = Process("push-2", own_stack.push.argv, ROOT, env, own_stack.log / "push-2.log")
    process.start()
    wait_until(lambda: "event=ready" in process.tail(), "the second push is ready", 20)
    yield f"http://127.0.0.1:{changed['push.port']}"
    process.kill()


def test_it_passes_from_one_push_process_to_another(own_stack: Stack, second_push: str) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    with ann.connect() as mine, Live(second_push) as theirs, bob.another_device().connect() as theirs_too:
        theirs.authenticate(str(bob.token))
        theirs.request("typing.start", conversation_id=room)
        assert mine.event("typing.started")["user_id"] == bob.id
        mine.request("typing.start", conversation_id=room)
        assert theirs.event("typing.started")["user_id"] == ann.id
        theirs.request("delivered.update", conversation_id=room, seq=1)
        assert mine.event("delivered.updated")["seq"] == 1
        reply = theirs.request("read.update", conversation_id=room, seq=1)
        assert mine.event("read.updated", user_id=bob.id)["seq"] == 1
        assert theirs_too.event("read.updated", me=reply["me"])["seq"] == 1
        assert not [o for o in told(theirs_too, "typing.started") if o["user_id"] == bob.id]


# -- repair
def hears_of_cursor(live: Live, room: str, seq: int, timeout: float) -> None:
    """By the event, or by the rows of a repair of the person's stream."""

    def tells(o: Json) -> bool:
        if o.get("type") == "read.updated":
            return o.get("conversation_id") == room and "me" in o and bool(o["seq"] == seq)
        rows = o.get("memberships", []) if o.get("type") == "changes" else []
        return any(row["conversation_id"] == room and row["read_seq"] == seq for row in rows)

    began = time.monotonic()
    live.wait_for(tells, f"told of the cursor {seq}", timeout)
    print(f"told after {time.monotonic() - began:.2f} s")


def test_ones_own_cursor_arrives_though_its_record_is_lost(own_stack: Stack) -> None:
    if b"STONECHAT_FAULT_WRITER" not in (own_stack.build / "stonechat-api").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    own_stack.api.kill()
    own_stack.api.env = own_stack.env | {"STONECHAT_FAULT_WRITER": "skip_publish"}
    own_stack.restart("api")
    with bob.connect() as live:
        assert mark(bob, room, 1).status_code == 200
        hears_of_cursor(live, room, 1, HEADS_CHECK_S * PATIENCE)


def test_ones_own_cursor_arrives_without_redis(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    ann.say(bob, "more")
    with bob.connect() as phone, bob.another_device().connect() as laptop:
        own_stack.redis.kill()
        laptop.event("mode", mode="degraded", timeout=20)
        assert mark(bob, room, 1).status_code == 200
        hears_of_cursor(laptop, room, 1, HEADS_CHECK_S * PATIENCE)
        assert phone.request("read.update", conversation_id=room, seq=2)["read_seq"] == 2
        hears_of_cursor(laptop, room, 2, HEADS_CHECK_S * PATIENCE)
        assert phone.request("typing.start", conversation_id=room)["ok"], "it is only not told"
    own_stack.redis.start()
    own_stack.wait_ready()


# -- read by
def test_who_has_read_a_message(person: MakePerson) -> None:
    ann, bob = person(), person()
    first = ann.say(bob, "first")
    room = first["conversation_id"]
    assert readers(ann, first).json() == {"items": [], "count": 0, "next_cursor": None}
    second = ann.say(bob, "second")
    mark(bob, room, 1)
    is_bob = {"user_id": bob.id, "username": bob.username, "display_name": bob.user["display_name"]}
    for who in (ann, bob):
        assert readers(who, first).json() == {"items": [is_bob], "count": 1, "next_cursor": None}
        assert readers(who, second).json()["count"] == 0
    answer = bob.say(ann, "an answer has read all before it")
    assert readers(ann, second).json()["items"] == [is_bob]
    assert bob.conversations()[0]["unread_count"] == 0
    assert readers(bob, answer).json()["count"] == 0, "whoever said it is none of its readers"
    mark(ann, room, 3)
    assert [row["user_id"] for row in readers(bob, answer).json()["items"]] == [ann.id]


def test_readers_that_are_not_there(person: MakePerson) -> None:
    ann, bob, eve = person(), person(), person()
    message = ann.say(bob, "hello")
    elsewhere = ann.say(eve, "hello")
    problem(readers(eve, message), 404, "conversation_not_found")
    problem(readers(ann, message | {"id": new_id()}), 404, "message_not_found")
    problem(readers(ann, message | {"id": "x"}), 404, "message_not_found")
    problem(readers(ann, message | {"id": elsewhere["id"]}), 404, "message_not_found")
    problem(readers(ann, message | {"conversation_id": "x"}), 404, "conversation_not_found")
    problem(readers(ann, message, limit=0), 422)
    problem(readers(ann, message, cursor="x"), 400, "cursor_invalid")


def test_readers_of_a_group_come_in_pages(own_stack: Stack) -> None:
    founder = Person.new(own_stack)
    room, people = crowd.make_group(own_stack, founder, 30)
    message = founder.send(room, "all of you").json()
    for one in people[:20]:
        assert mark(one, room, 1).status_code == 200
    names: list[str] = []
    cursor: Json = {}
    while True:
        page = readers(founder, message, limit=7, **cursor).json()
        assert page["count"] == 20
        names += [row["username"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert names == sorted(one.username for one in people[:20])
    late = crowd.add_member(own_stack, room)
    assert mark(late, room, 1).status_code == 200
    assert readers(founder, message).json()["count"] == 20, "who came later was not there"


# -- a crowd
def test_a_crowd_reads_one_message(own_stack: Stack) -> None:
    """2,000 people: at most a small write each, in batches, and nobody hears of the others."""
    n, n_live, workers = 2000, 100, 8
    founder = Person.new(own_stack)
    room, people = crowd.make_group(own_stack, founder, n)
    message = founder.send(room, "read this").json()
    with ExitStack() as exits:
        lives = [exits.enter_context(one.connect(direct=True)) for one in people[:n_live]]
        watcher = exits.enter_context(founder.connect(direct=True))
        before = {
            (name, read): read(own_stack, f"stonechat_writer_{name}_total")
            for name in ("operations", "batches") for read in (api_metric, push_metric)
        }  # fmt: skip
        frames = push_metric(own_stack, "stonechat_frames_sent_total")
        seen = {live: len(live.objects) for live in (*lives, watcher)}
        began = time.monotonic()
        numbers = [live.ask("read.update", conversation_id=room, seq=1) for live in lives]
        with ThreadPoolExecutor(workers) as pool:
            assert all(answer.status_code == 200 for answer in pool.map(lambda p: mark(p, room, 1), people[n_live:]))
        assert all(live.reply(number)["ok"] for live, number in zip(lives, numbers, strict=True))
        took = time.monotonic() - began
        for live in lives:
            live.event("read.updated", conversation_id=room)
        watcher.request("typing.start", conversation_id=room)
        sent = push_metric(own_stack, "stonechat_frames_sent_total") - frames
        used = {key: key[1](own_stack, f"stonechat_writer_{key[0]}_total") - value for key, value in before.items()}
        operations = sum(value for key, value in used.items() if key[0] == "operations")
        batches = sum(value for key, value in used.items() if key[0] == "batches")
        print(f"{n} read it in {took:.1f} s: {operations:.0f} writes in {batches:.0f} transactions "
              f"({operations / batches:.1f} each), "
              f"{sent:.0f} frames to {n_live + 1} sockets")  # fmt: skip
        assert operations <= n + 5, "and what presence writes behind"
        assert batches < operations * 3 / 4, "what comes at the same time shares a transaction"
        heard = [o for live, begin in seen.items() for o in live.objects[begin:]]
        presence = [o for o in heard if str(o.get("type")).startswith("presence.")]
        assert sent - len(presence) <= 2 * n_live + 1, "a reply and an event of one's own each, and the watcher's reply"
        assert all(o.get("user_id") == one.id for one, live in zip(people, lives, strict=False)
                   for o in live.objects if o.get("type") == "read.updated")  # fmt: skip
        assert not [o for o in watcher.objects if o.get("type") in ("read.updated", "typing.started")]
    assert readers(founder, message).json() == {"items": [], "count": n, "next_cursor": None}
    assert set(cursors(founder, room).values()) == {(None, None)}


def test_delivered_cursors_end_where_a_conversation_is_large(own_stack: Stack) -> None:
    founder = Person.new(own_stack)
    room, people = crowd.make_group(own_stack, founder, 249)
    founder.send(room, "two hundred and fifty of us")
    with founder.connect() as mine, people[0].connect() as theirs:
        assert theirs.request("delivered.update", conversation_id=room, seq=1)["delivered_seq"] == 1
        assert mine.event("delivered.updated")["user_id"] == people[0].id
        theirs.request("typing.start", conversation_id=room)
        assert mine.event("typing.started")["user_id"] == people[0].id
    crowd.add_member(own_stack, room)
    with founder.connect() as mine, people[1].connect() as theirs:
        assert theirs.request("delivered.update", conversation_id=room, seq=1)["delivered_seq"] == 0
        assert theirs.request("typing.start", conversation_id=room)["ok"]
        assert theirs.request("read.update", conversation_id=room, seq=1)["read_seq"] == 1
        said = theirs.say("done", conversation_id=room)["message"]
        mine.created(said["id"])
        assert not told(mine, "typing.started") + told(mine, "delivered.updated") + told(mine, "read.updated")
