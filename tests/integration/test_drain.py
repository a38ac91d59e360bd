"""SIGTERM: what the people on a push process or with a request at the API notice, and who serves them next."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from httpx import Response

from support.client import Person
from support.live import Live
from support.process import Process
from support.shared import MakeStack
from support.stack import ROOT, Stack
from support.turn import database_held, wait_for_writer
from support.waiting import wait_until

DRAIN_MS = 2000
ONE_REQUEST_S = 1.2  # the same signal after less than a second says nothing new
LATE_S = 5  # that a test may see a close after its moment: it looks at one socket after the other


def successor(stack: Stack) -> Process:
    """Another push process with the same settings."""
    return Process("push", stack.push.argv, ROOT, stack.env, stack.log / "push-successor.log")


def status_of_end(process: Process, timeout: float) -> int:
    assert process.child
    return process.child.wait(timeout)


def wait_serving(process: Process, stack: Stack) -> None:
    wait_until(lambda: "event=ready" in process.tail(), "the successor is ready", 20)
    stack.wait_ready()


def test_sockets_leave_one_after_the_other_for_the_next_process(make_stack: MakeStack) -> None:
    """A message a moment, all the while: no device misses one or gets one twice, and each moves at its slot."""
    stack = make_stack({"push.drain_ms": str(DRAIN_MS)})
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    bob.conversation_with(ann)
    with ExitStack() as exits:
        old = [exits.enter_context(ann.connect()) for _ in range(5)]
        writer = exits.enter_context(bob.connect())
        said = [bob.say(ann, "before")]
        old_push = stack.push
        assert old_push.child
        old_push.child.send_signal(signal.SIGTERM)
        began = time.monotonic()
        told = [live.event("reconnect") for live in (*old, writer)]
        stack.processes["push"] = successor(stack)
        stack.push.start()
        slots = sorted(one["after_ms"] for one in told)
        assert slots == [DRAIN_MS * n // 6 for n in range(1, 7)], "they are spread over the whole time"

        new: list[Live] = []
        ended: dict[int, float] = {}
        order = sorted(range(5), key=lambda n: told[n]["after_ms"])
        wait_serving(stack.push, stack)
        for n in order:
            said.append(bob.say(ann, f"while {n} is there"))
            assert old[n].wait_closed(10) == 4001
            ended[n] = time.monotonic() - began
            new.append(exits.enter_context(ann.connect(**state_of(ann, said[:1], old[n]))))
        assert status_of_end(old_push, 10) == 0
        said.append(bob.say(ann, "after"))
        for n, live in zip(order, new, strict=True):
            slot_s = told[n]["after_ms"] / 1000
            assert slot_s - 0.2 <= ended[n] <= slot_s + LATE_S, "at its slot"
            live.created(said[-1]["id"])
            before = [o["message"]["id"] for o in old[n].all_created(said[0]["conversation_id"])]
            after = [o["message"]["id"] for o in live.all_created(said[0]["conversation_id"])]
            assert before + after == [message["id"] for message in said], "each once, in order"


def state_of(person: Person, start: list[dict[str, object]], live: Live) -> dict[str, object]:
    """What the device knows at the end of this socket, as keys of an auth frame."""
    room = str(start[0]["conversation_id"])
    known = live.all_created(room)[-1]["rev"]
    return {"epoch": live.hello["epoch"], "me": live.hello["me"], "known": {room: known}, "known_count": 1}


def test_a_second_sigterm_ends_push_at_once(make_stack: MakeStack) -> None:
    stack = make_stack({"push.drain_ms": "60000"})
    ann = Person.new(stack, "ann")
    with ann.connect() as live:
        assert stack.push.child
        stack.push.child.send_signal(signal.SIGTERM)
        assert live.event("reconnect")["after_ms"] == 60000
        stack.push.child.send_signal(signal.SIGTERM)  # the same request once more: systemd and a terminal may do that
        live.wait_while_open(ONE_REQUEST_S)
        assert live.request("ping")["ok"], "it is served until its slot"
        stack.push.child.send_signal(signal.SIGTERM)
        assert status_of_end(stack.push, 5) == 0
        live.wait_closed(5)
    stack.push.start()
    stack.wait_ready()


def test_sigint_closes_all_at_once(make_stack: MakeStack) -> None:
    stack = make_stack({"push.drain_ms": "60000"})
    ann = Person.new(stack, "ann")
    with ann.connect() as live:
        assert stack.push.child
        stack.push.child.send_signal(signal.SIGINT)
        assert live.wait_closed(5) == 4001
        assert not [o for o in live.objects if o["type"] == "reconnect"]
        assert status_of_end(stack.push, 5) == 0
    stack.push.start()
    stack.wait_ready()


def test_what_was_acknowledged_is_stored_when_the_api_is_told_to_end(make_stack: MakeStack) -> None:
    """Senders that never stop: what was acknowledged before the end is stored, what was not was told so."""
    stack = make_stack()
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    room = ann.conversation_with(bob)
    acknowledged: list[str] = []
    refused: list[int] = []
    stop = threading.Event()

    def send(name: str) -> None:
        device = ann.another_device()
        for n in range(100000):
            if stop.is_set():
                return
            answer = device.send_direct(bob.id, f"{name} {n}")
            if answer.status_code == 201:
                acknowledged.append(answer.json()["id"])
            else:
                refused.append(answer.status_code)
                return

    senders = [threading.Thread(target=send, args=(f"sender {n}",)) for n in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(acknowledged) > 40, "messages flow")
    assert stack.api.child
    stack.api.child.send_signal(signal.SIGTERM)
    assert status_of_end(stack.api, 5) == 0
    stop.set()
    for sender in senders:
        sender.join(10)
    assert set(refused) <= {503}, "lighttpd's own, once nobody listens"
    stack.restart("api")
    stored = {message["id"] for message in bob.history(room)}
    assert set(acknowledged) <= stored


def told_to_end_with_a_request_under_way(stack: Stack, send: Callable[[], None]) -> threading.Thread:
    """SIGTERM, which api has heard of, while the writer waits for its turn with this request."""
    waiting = threading.Thread(target=send, daemon=True)
    waiting.start()
    wait_for_writer(stack)
    assert stack.api.child
    stack.api.child.send_signal(signal.SIGTERM)
    wait_until(lambda: "event=stopping" in stack.api.tail(), "it has heard")
    return waiting


@pytest.mark.sqlite
def test_a_request_under_way_is_answered_before_the_api_ends(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    room = ann.conversation_with(bob)
    answers: list[Response] = []
    with database_held(stack) as holder:
        sending = told_to_end_with_a_request_under_way(stack, lambda: answers.append(ann.send(room, "waits")))
        assert stack.api.running and not answers
        holder.kill()
        sending.join(10)
        assert status_of_end(stack.api, 10) == 0
    assert [answer.status_code for answer in answers] == [201]
    stack.restart("api")
    assert answers[0].json()["id"] in {message["id"] for message in bob.history(room)}


@pytest.mark.sqlite
def test_a_second_sigterm_ends_the_api_at_once(make_stack: MakeStack) -> None:
    """With a request that never ends, since another process holds the database: the first SIGTERM waits for it."""
    stack = make_stack()
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    with database_held(stack):
        waiting = told_to_end_with_a_request_under_way(stack, lambda: ann.send_direct(bob.id, "waits"))
        assert stack.api.child
        time.sleep(ONE_REQUEST_S)
        assert stack.api.running
        began = time.monotonic()
        stack.api.child.send_signal(signal.SIGTERM)
        assert status_of_end(stack.api, 5) == 0
        assert time.monotonic() - began < 1
        stack.api.killed = True
        waiting.join(10)
