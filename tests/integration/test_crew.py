"""Several processes of one program on a host: they share the work, and one that dies is replaced."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.client import Person
from support.crew import SOCKETS_MAX, connect_to_each, kill, members, pid_at
from support.live import Live
from support.ports import is_free
from support.process import Process
from support.shared import MakeStack
from support.stack import Stack
from support.turn import database_held, wait_for_writer
from support.waiting import wait_until

PUSHES, APIS = 3, 2
ENDS_WITHIN_S, PATIENCE = 1, 3
ONE_REQUEST_S = 1.2  # the same signal after less than a second says nothing new
MANY = {
    "push.processes": str(PUSHES),
    "api.processes": str(APIS),
    "limits.sockets_per_user": str(SOCKETS_MAX),
}


@pytest.fixture(scope="module")
def crowd() -> object:
    """One stack for those tests that leave it with as many processes as it had."""
    stack = Stack(MANY).start()
    yield stack
    wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


def push_ports(stack: Stack) -> list[int]:
    return [stack.port + 11 + n for n in range(PUSHES)]


def api_ports(stack: Stack) -> list[int]:
    """The first, and the others behind push."""
    return [stack.port + 10, *(stack.port + 10 + PUSHES + n for n in range(1, APIS))]


def connect_directly(person: Person, n: int) -> dict[str, Live]:
    """A WebSocket at each of n processes, past lighttpd; by the node's name."""
    return connect_to_each(lambda: person.connect(direct=True), n)


def logged(process: Process, event: str) -> list[str]:
    return [line for line in process.log.read_text().splitlines() if f"event={event} " in line]


def test_each_has_its_metrics_and_its_name(crowd: Stack) -> None:
    for process, ports in ((crowd.push, push_ports(crowd)), (crowd.api, api_ports(crowd))):
        wait_until(lambda ports=ports: all(map(pid_at, ports)), "all answer")
        assert sorted(map(pid_at, ports)) == members(process)
    numbers = {re.findall(r"process=(\d+) .*node=(\S+)", line)[0] for line in logged(crowd.push, "ready")}
    assert {number for number, _ in numbers} == {str(n + 1) for n in range(PUSHES)}
    assert len({node for _, node in numbers}) == PUSHES


def test_a_message_reaches_the_sockets_of_all(crowd: Stack) -> None:
    ann, bob = Person.new(crowd, "ann"), Person.new(crowd, "bob")
    lives = list(connect_directly(bob, PUSHES).values())
    message = ann.say(bob, "hello, wherever you are")
    for live in lives:
        live.told_of(message, timeout=15)
    assert lives[0].say("by a socket", recipient_id=ann.id)["message"]["seq"] == 2
    for live in lives:
        live.close()


def test_a_push_process_that_is_killed_is_replaced_and_the_others_go_on(crowd: Stack) -> None:
    ann, bob = Person.new(crowd, "ann"), Person.new(crowd, "bob")
    nodes = connect_directly(bob, PUSHES)
    victim = pid_at(push_ports(crowd)[1])
    dead = re.findall(
        r"event=ready .*node=(\S+)", "\n".join(line for line in logged(crowd.push, "ready") if "process=2 " in line)
    )[-1]
    kill(victim)
    nodes.pop(dead).wait_closed()
    message = ann.say(bob, "while it is away")
    for live in nodes.values():
        live.told_of(message, timeout=15)
        live.close()
    replaced = wait_until(
        lambda: pid_at(push_ports(crowd)[1]) not in (0, victim) and pid_at(push_ports(crowd)[1]), "it is replaced"
    )
    assert replaced in members(crowd.push)
    died = logged(crowd.push, "process_died")[-1]
    assert f"process=2 pid={victim}" in died and "signal 9" in died
    again = connect_directly(bob, PUSHES)
    assert dead not in again, "a name of its own"
    for live in again.values():
        live.close()


def test_an_api_process_that_is_killed_takes_nobody_with_it(crowd: Stack) -> None:
    """The socket is their parent's: who comes while one is away is served by the other, without an error."""
    ann, bob = Person.new(crowd, "ann"), Person.new(crowd, "bob")
    wait_until(lambda: all(map(pid_at, api_ports(crowd))), "both are there")
    for port in api_ports(crowd):
        victim = pid_at(port)
        kill(victim)
        assert {ann.send_direct(bob.id, f"number {n}").status_code for n in range(20)} == {201}
        wait_until(lambda port=port, victim=victim: pid_at(port) not in (0, victim), "it is replaced")
    assert "signal 9" in logged(crowd.api, "process_died")[-1]


def test_one_that_is_killed_before_it_was_ready_is_replaced(make_stack: MakeStack) -> None:
    """As by a kernel that has no memory left at the wrong moment: no reason for the others to go."""
    stack = make_stack()
    assert stack.push.end()[0] == 0
    stack.push.env = stack.push.env | {"STONECHAT_PUSH_PROCESSES": "2"}
    stack.push.start()
    first = wait_until(lambda: len(found := members(stack.push)) == 2 and found, "there are two")
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: pid_at(stack.port + 11) and pid_at(stack.port + 12), "both serve", 20)
    assert first[0] not in members(stack.push)


def test_all_api_processes_killed_make_requests_wait(make_stack: MakeStack) -> None:
    """Who comes while nobody is there is answered when the first is back."""
    stack = make_stack({"api.processes": "2"})
    ann = Person.new(stack, "ann")
    for pid in members(stack.api):
        kill(pid)
    assert ann.get("/users/me").status_code == 200


def test_one_that_dies_again_and_again_is_waited_for(make_stack: MakeStack) -> None:
    stack = make_stack({"push.processes": "2"})
    port = stack.port + 11
    for n in range(4):
        kill(wait_until(lambda: pid_at(port), "it runs", 10))
        wait_until(lambda n=n: len(logged(stack.push, "process_died")) > n, "it is noticed")
    wait_until(lambda: pid_at(port), "it runs", 10)
    pauses = [int(re.findall(r"again_in_ms=(\d+)", line)[0]) for line in logged(stack.push, "process_died")]
    assert pauses == [0, 250, 500, 1000]
    assert pid_at(port + 1), "the other one was left alone"


def test_one_that_is_told_to_end_alone_ends_soon(crowd: Stack) -> None:
    """Also an API process with nothing to do, whose threads all wait at the socket that others go on with."""
    for port in (*api_ports(crowd), push_ports(crowd)[0]):
        pid = wait_until(lambda port=port: pid_at(port), "it is there")
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda pid=pid: not alive(pid), "it has ended", PATIENCE * ENDS_WITHIN_S)
        print(f"it ended after {time.monotonic() - began:.2f} s")
        wait_until(lambda port=port, pid=pid: pid_at(port) not in (0, pid), "it is replaced", 15)
        process = crowd.api if port in api_ports(crowd) else crowd.push
        assert "it ended with status 0" in logged(process, "process_died")[-1]
    assert not logged(crowd.api, "stop"), "every request thread ended"


def test_one_that_is_told_to_end_ends_alone(make_stack: MakeStack) -> None:
    """The socket of the API stays everybody's, and push sends away its own people only."""
    stack = make_stack(MANY | {"push.processes": "2"})
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    nodes = connect_directly(bob, 2)
    victims = [pid_at(stack.port + 10), pid_at(stack.port + 11)]
    for pid in victims:
        os.kill(pid, signal.SIGTERM)
    assert {ann.send_direct(bob.id, f"number {n}").status_code for n in range(20)} == {201}
    for node, live in nodes.items():
        if "-1-" in node:
            assert live.wait_closed() == 4001
        else:
            live.wait_for(lambda o: o.get("type") == "message.created" and o["rev"] >= 20, "the last", 15)
    for pid, port in zip(victims, (stack.port + 10, stack.port + 11), strict=True):
        wait_until(lambda pid=pid, port=port: pid_at(port) not in (0, pid), "it is replaced", 15)
    assert {ann.send_direct(bob.id, f"again {n}").status_code for n in range(20)} == {201}
    for process in (stack.api, stack.push):
        assert "it ended with status 0" in logged(process, "process_died")[-1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_signal_is_passed_on_and_all_drain(make_stack: MakeStack, how: signal.Signals) -> None:
    stack = make_stack(MANY | {"push.drain_ms": "1500"})
    ann = Person.new(stack, "ann")
    nodes = connect_directly(ann, PUSHES)
    pids = members(stack.push) + members(stack.api)
    for process in (stack.push, stack.api):
        assert process.child
        process.child.send_signal(how)
    for live in nodes.values():
        if how == signal.SIGTERM:
            live.event("reconnect")
        assert live.wait_closed(10) == 4001
    for process in (stack.push, stack.api):
        assert process.child
        assert process.child.wait(10) == 0, process.tail()
        assert logged(process, "ending") and logged(process, "ended")
    assert len(pids) == PUSHES + APIS
    assert not (stack.run / "api.sock").exists()
    for process in (stack.api, stack.push):
        process.start()
    stack.wait_ready()


def test_a_signal_to_the_whole_group_lets_all_sockets_drain(make_stack: MakeStack) -> None:
    """As by a terminal, or by systemd: each process gets it twice, from there and from its parent."""
    stack = make_stack(MANY | {"push.drain_ms": "1500"})
    ann = Person.new(stack, "ann")
    nodes = connect_directly(ann, PUSHES)
    os.killpg(stack.push.pid, signal.SIGTERM)
    for live in nodes.values():
        live.event("reconnect")
    for live in nodes.values():
        assert live.wait_closed(10) == 4001, "told to go at its time, not cut off"
    assert stack.push.child
    assert stack.push.child.wait(10) == 0, stack.push.tail()
    assert len(logged(stack.push, "ending")) == 1
    assert [len(logged(stack.push, "draining")), len(logged(stack.push, "ended"))] == [PUSHES, PUSHES + 1]
    stack.push.start()
    stack.wait_ready()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["push", "api"])
def test_a_group_with_nothing_to_do_ends_well(make_stack: MakeStack, name: str, how: signal.Signals) -> None:
    """What comes twice finds processes that are through with everything but the way out."""
    stack = make_stack(MANY)
    process = stack.processes[name]
    for _ in range(3):
        os.killpg(process.pid, how)
        assert process.child
        assert process.child.wait(10) == 0, process.tail()
        assert not logged(process, "process_ended_badly"), process.tail()
        process.start()
        stack.wait_ready()


@pytest.mark.sqlite
def test_a_signal_to_the_whole_group_lets_a_request_end(make_stack: MakeStack) -> None:
    stack = make_stack(MANY)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    room = ann.conversation_with(bob)
    with database_held(stack) as holder, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(ann.send, room, "waits")
        wait_for_writer(stack)
        os.killpg(stack.api.pid, signal.SIGTERM)
        wait_until(lambda: len(logged(stack.api, "stopping")) == APIS, "all have heard")
        holder.kill()
        assert sending.result(10).status_code == 201
    assert stack.api.child
    assert stack.api.child.wait(10) == 0, stack.api.tail()
    stack.restart("api")


def test_a_later_signal_cuts_off(make_stack: MakeStack) -> None:
    stack = make_stack({"push.processes": "2", "push.drain_ms": "60000"})
    ann = Person.new(stack, "ann")
    with ann.connect(direct=True) as live:
        os.killpg(stack.push.pid, signal.SIGTERM)
        assert live.event("reconnect")["after_ms"] == 60000
        live.wait_while_open(ONE_REQUEST_S)
        assert live.request("ping")["ok"], "served until it is hurried"
        began = time.monotonic()
        os.killpg(stack.push.pid, signal.SIGTERM)
        assert stack.push.child
        assert stack.push.child.wait(5) == 0
        assert time.monotonic() - began < 3
    stack.push.start()
    stack.wait_ready()


def test_when_the_parent_is_killed_nobody_stays_and_a_successor_can_start(make_stack: MakeStack) -> None:
    stack = make_stack(MANY)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    pids = members(stack.push) + members(stack.api)
    with ExitStack() as exits:
        live = exits.enter_context(bob.connect())
        stack.push.kill()
        stack.api.kill()
        assert live.wait_closed() == 4001, "told to go, not cut off"
    wait_until(lambda: not [pid for pid in pids if alive(pid)], "all have ended")
    stack.api.start()
    stack.push.start()
    stack.wait_ready()
    assert ann.say(bob, "again")["seq"] == 1


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("name", ["push", "api"])
def test_one_that_cannot_begin_ends_all_with_its_reason(make_stack: MakeStack, name: str) -> None:
    stack = make_stack()
    process = stack.processes[name]
    assert process.end()[0] == 0
    process.env = process.env | {"STONECHAT_PUSH_PROCESSES": "2", "STONECHAT_API_PROCESSES": "2",
                                 "STONECHAT_METRICS_PORT": "65500"}  # fmt: skip
    taken = {"push": 65502, "api": 65503}[name]
    assert is_free(taken)

    with socket.create_server(("127.0.0.1", taken)):
        process.start()
        assert process.child
        assert process.child.wait(10) == 1
    assert f"port {taken}" in process.tail() and "event=process_not_ready" in process.tail()
    assert not (stack.run / "api.sock").exists() or name == "push"
    process.env = stack.env
    process.start()
    stack.wait_ready()
