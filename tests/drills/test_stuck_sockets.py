"""Devices that read nothing cost the same however long that lasts, and are told in the end what they missed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from support.client import Person
from support.live import Live
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until
from support.wire import Wire

SOCKETS = 50
ROUNDS = 8
MESSAGES = 500  # a round, of 900 bytes: more than a socket's lane and the kernel's buffers hold
KIB_PER_SOCKET = 256 + 64 + 16

STALLED_S = 30
STALLED = "code=4008 reason=stalled"
RECEIVE_BUFFER = 2048  # of a kernel that soon has no place left, and then acknowledges nothing


def resident_kib(stack: Stack) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{stack.push.pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def test_memory_of_stuck_sockets_is_constant(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.sockets_per_user": str(SOCKETS)})
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    room = ann.conversation_with(bob)
    stuck: list[Live] = [bob.connect(direct=True) for _ in range(SOCKETS)]
    at_first = resident_kib(stack)
    for live in stuck:
        live.connection.recv_messages.pause()
    with ann.connect(direct=True) as writer:
        sizes = []
        for _ in range(ROUNDS):
            last = writer.say_many(["x" * 900] * MESSAGES, conversation_id=room)[-1]["message"]
            writer.objects.clear()
            sizes.append(resident_kib(stack))
    print(f"push, KiB: {at_first} before, then {sizes}: {(sizes[-1] - at_first) / SOCKETS:.0f} KiB a stuck socket")
    assert sizes[-1] - at_first < KIB_PER_SOCKET * SOCKETS
    assert sizes[-1] - sizes[1] < 8 * SOCKETS, "no more after 4,000 messages than after 1,000"
    for live in stuck:
        live.connection.recv_messages.resume()
    for live in stuck:
        live.told_of(last, timeout=30)
        assert [o["last_rev"] for o in live.objects if o.get("type") == "gap"][-1] <= last["rev"]
        live.close()


@pytest.mark.long
def test_a_socket_whose_kernel_acknowledges_nothing_is_closed(make_stack: MakeStack) -> None:
    """By both doors, not before 30 s are over; one that reads nothing, but has place for all it is sent, stays."""
    stack = make_stack({"log.level": "debug"})
    ann, bob, eve = (Person.new(stack, name) for name in ("ann", "bob", "eve"))
    room = ann.conversation_with(bob)
    after_s: list[float] = []
    with Wire(stack, RECEIVE_BUFFER) as direct, Wire(stack, RECEIVE_BUFFER, port=stack.port) as proxied:
        for wire in (direct, proxied):
            wire.upgrade().authenticate(bob)
        with Wire(stack) as roomy, ann.connect(direct=True) as writer:
            roomy.upgrade().authenticate(eve)
            ann.say(eve, "hello")
            began = time.monotonic()
            for _ in range(ROUNDS):
                writer.say_many(["x" * 900] * MESSAGES, conversation_id=room)
            while len(after_s) < 2:
                wait_until(lambda: stack.push.tail(100_000).count(STALLED) > len(after_s), STALLED, 3 * STALLED_S)
                after_s.append(time.monotonic() - began)
            assert roomy.ping(2)["ok"]
        assert (direct.end(), proxied.end()) == (4008, 4008)
    print(f"closed with 4008 after {after_s[0]:.1f} s and {after_s[1]:.1f} s")
    assert after_s[0] >= STALLED_S
