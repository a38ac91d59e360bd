"""What breaks, and what holds: kill -9 of each process, Redis gone, frozen processes. Each test has its own stack."""

from __future__ import annotations

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from support.client import Person, new_id
from support.problems import problem
from support.stack import Stack

# A bound of the contract is held with this much patience, for slow machines.
PATIENCE = 3
HEADS_CHECK_S = 5.0
SILENCE_S = 3.0


# -- durability
@pytest.mark.parametrize("turn", range(3))
def test_acknowledged_by_the_api_is_stored(own_stack: Stack, turn: int) -> None:
    """kill -9 of the api the moment it has answered, while others are still being served."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    acknowledged: dict[str, str] = {}
    enough = threading.Event()

    def send(person: Person, n: int) -> None:
        if enough.is_set():
            return
        chosen = new_id()
        try:
            answer = person.send(room, f"{turn} {n}", id=chosen)
        except httpx.HTTPError:
            return
        if answer.status_code == 201:
            acknowledged[chosen] = answer.json()["content"]
            if len(acknowledged) >= 40:
                enough.set()
                own_stack.api.kill()
        else:
            problem(answer, answer.status_code)
            assert answer.status_code >= 500

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(send, (ann, bob)[n % 2], n) for n in range(400)]:
            done.result()
    assert len(acknowledged) >= 40
    own_stack.restart("api")
    check_history(ann, room, acknowledged)
    assert ann.send(room, "and on").json()["seq"] == len(ann.history(room))


@pytest.mark.parametrize("turn", range(3))
def test_acknowledged_by_push_is_stored(own_stack: Stack, turn: int) -> None:
    """kill -9 of push the moment it has acknowledged."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    live = ann.connect(direct=turn == 1)
    asked: dict[int, str] = {}
    try:
        for n in range(200):
            chosen = new_id()
            asked[live.ask("message.send", conversation_id=room, message_id=chosen, content=f"{n}")] = chosen
            if n == 60:
                live.reply(next(iter(asked)))
                own_stack.push.kill()
    except ConnectionClosed:
        pass
    live.wait_closed()
    acknowledged = {
        asked[o["reply_to"]]: o["message"]["content"] for o in live.objects if o.get("reply_to") in asked and o["ok"]
    }
    assert acknowledged
    own_stack.restart("push")
    check_history(bob, room, acknowledged)
    with ann.connect() as again:
        for chosen, content in acknowledged.items():
            replayed = again.say(content, conversation_id=room, message_id=chosen)
            assert replayed["message"]["id"] == chosen
    check_history(bob, room, acknowledged)


def check_history(person: Person, room: str, acknowledged: dict[str, str]) -> None:
    """Everything acknowledged is there once, and the numbers have no holes."""
    history = person.history(room)
    assert [m["seq"] for m in history] == list(range(1, len(history) + 1))
    ids = [m["id"] for m in history]
    assert len(set(ids)) == len(ids)
    stored = {m["id"]: m["content"] for m in history}
    lost = {chosen for chosen, content in acknowledged.items() if stored.get(chosen) != content}
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged messages are lost"
    revs = [m["rev"] for m in history]
    assert revs == list(range(revs[0], revs[0] + len(revs)))


def test_everything_survives_a_restart_of_everything(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    chosen = new_id()
    message = ann.say(bob, "remember", id=chosen)
    epoch = ann.sync().json()["epoch"]
    for name in ("lighttpd", "push", "api", "redis"):
        own_stack.processes[name].kill()
    own_stack.migrate()
    own_stack.redis.start()
    own_stack.api.start()
    own_stack.push.start()
    own_stack.restart("lighttpd")
    assert ann.history(message["conversation_id"]) == [message]
    assert ann.send_direct(bob.id, "remember", id=chosen).status_code == 200
    assert ann.sync().json()["epoch"] == epoch
    assert ann.refresh(str(ann.refresh_token)).status_code == 200
    with ann.connect() as live:
        assert live.hello["epoch"] == epoch


def test_only_the_first_person_ever_is_admin(own_stack: Stack) -> None:
    first, second = Person.new(own_stack), Person.new(own_stack)
    own_stack.api.kill()
    own_stack.restart("api")
    third = Person.new(own_stack)
    assert [p.user["role"] for p in (first, second, third)] == ["admin", "member", "member"]


# -- without Redis
def test_without_redis_messages_are_stored_and_told_of(own_stack: Stack) -> None:
    """The heads check finds what the bus does not say."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    with ann.connect() as mine, bob.connect() as theirs:
        own_stack.redis.kill()
        for live in (mine, theirs):
            live.event("mode", mode="degraded", timeout=5 * PATIENCE)
        own_stack.wait_ready(redis="degraded")
        sent = [ann.send(room, "by rest").json(), mine.say("by websocket", conversation_id=room)["message"]]
        for message in sent:
            theirs.told_of(message, timeout=HEADS_CHECK_S * PATIENCE)
        mine.told_of(sent[0], timeout=HEADS_CHECK_S * PATIENCE)
        assert [m["content"] for m in bob.history(room)] == ["hello", "by rest", "by websocket"]
        with bob.connect() as late:
            assert late.hello["mode"] == "degraded"
        own_stack.redis.start()
        own_stack.wait_ready(redis="ok")
        for live in (mine, theirs):
            live.event("mode", mode="normal", timeout=5 * PATIENCE)
        message = ann.send(room, "and back").json()
        theirs.created(message["id"])
        mine.created(message["id"])


def test_log_out_without_redis_closes_the_socket(own_stack: Stack) -> None:
    ann = Person.new(own_stack)
    with ann.connect() as live:
        own_stack.redis.kill()
        own_stack.wait_ready(redis="degraded")
        assert ann.log_out().status_code == 204
        assert live.wait_closed(HEADS_CHECK_S * PATIENCE) == 4403


def test_a_first_message_without_redis(own_stack: Stack) -> None:
    """A conversation that did not exist is found, too."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    with bob.connect() as live:
        own_stack.redis.kill()
        live.event("mode", mode="degraded", timeout=5 * PATIENCE)
        before = live.hello["me"]
        ann.say(bob, "can you hear me")

        def told(o: dict[str, Any]) -> bool:
            of_the_person = o.get("type") in ("gap", "changes") and not o.get("conversation_id")
            return o.get("type") == "conversation.created" or (of_the_person and o["last_rev"] > before)

        live.wait_for(told, "told of the new conversation", HEADS_CHECK_S * PATIENCE)


def test_a_stack_that_starts_without_redis(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    for name in ("push", "api", "redis"):
        own_stack.processes[name].kill()
    own_stack.api.start()
    own_stack.push.start()
    own_stack.wait_ready(redis="degraded")
    with bob.connect() as live:
        message = ann.say(bob, "still here")
        assert bob.history(message["conversation_id"]) == [message]
        own_stack.redis.start()
        own_stack.wait_ready(redis="ok")
        live.event("mode", mode="normal", timeout=5 * PATIENCE)


def test_a_redis_that_hangs_holds_nobody_up(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    with bob.connect() as live:
        own_stack.redis.freeze()
        frozen_at = time.monotonic()
        took = []
        for n in range(10):
            began = time.monotonic()
            assert ann.send(room, str(n)).status_code == 201
            took.append(time.monotonic() - began)
        assert sorted(took)[5] < 0.5, "the breaker is open"
        live.event("mode", mode="degraded", timeout=SILENCE_S * PATIENCE)
        print(f"a Redis that hangs was noticed within {time.monotonic() - frozen_at:.1f} s (bound {SILENCE_S:g} s)")
        last = ann.history(room)[-1]
        live.told_of(last, timeout=HEADS_CHECK_S * PATIENCE)
        own_stack.redis.thaw()
        own_stack.wait_ready(redis="ok")


def test_a_long_outage_ends_once(own_stack: Stack) -> None:
    """However long it was: degraded once, normal once, and so it stays."""
    ann = Person.new(own_stack)
    with ann.connect() as live:
        own_stack.redis.kill()
        live.event("mode", mode="degraded", timeout=5 * PATIENCE)
        live.wait_while_open(9)
        own_stack.redis.start()
        live.event("mode", mode="normal", timeout=5 * PATIENCE)
        live.wait_while_open(6)
        assert [o["mode"] for o in live.objects if o.get("type") == "mode"] == ["degraded", "normal"]


def test_a_redis_that_takes_no_records_is_down(own_stack: Stack) -> None:
    """It confirms subscriptions and refuses to publish: degraded once, normal once when it publishes again."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    redis = ["redis-cli", "-s", str(own_stack.run / "redis.sock"), "ACL", "SETUSER", "default"]
    with bob.connect() as live:
        subprocess.run([*redis, "-publish"], check=True, stdout=subprocess.DEVNULL)
        live.event("mode", mode="degraded", timeout=SILENCE_S * PATIENCE)
        for n in range(4):
            live.told_of(ann.send(room, str(n)).json(), timeout=HEADS_CHECK_S * PATIENCE)
            live.wait_while_open(2)
        subprocess.run([*redis, "+publish"], check=True, stdout=subprocess.DEVNULL)
        live.event("mode", mode="normal", timeout=5 * PATIENCE)
        live.wait_while_open(4)
        assert [o["mode"] for o in live.objects if o.get("type") == "mode"] == ["degraded", "normal"]


def test_a_hello_in_a_hiccup_is_set_right(own_stack: Stack) -> None:
    """Redis is slow for a moment: who is greeted then is told when the bus has confirmed its streams after all."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    ann.conversation_with(bob)
    own_stack.redis.freeze()
    with ann.connect() as live:
        own_stack.redis.thaw()
        assert live.hello["mode"] == "degraded"
        live.event("mode", mode="normal", timeout=5 * PATIENCE)


def test_a_lost_publish_is_found(own_stack: Stack) -> None:
    """The api dies between commit and publish, or its publish is lost: nobody but the heads check can know."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    with bob.connect() as live:
        own_stack.redis.kill()
        live.event("mode", mode="degraded", timeout=5 * PATIENCE)
        own_stack.push.freeze()
        message = ann.send(room, "unheard").json()
        own_stack.redis.start()
        own_stack.push.thaw()
        live.told_of(message, timeout=HEADS_CHECK_S * PATIENCE)
        own_stack.wait_ready(redis="ok")


# -- frozen processes
def test_a_frozen_push_catches_up(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    with bob.connect() as live:
        own_stack.push.freeze()
        sent = [ann.send(room, str(n)).json() for n in range(50)]
        own_stack.push.thaw()
        for message in sent:
            live.told_of(message, timeout=HEADS_CHECK_S * PATIENCE)
        later = ann.send(room, "later").json()
        live.created(later["id"])


def test_a_reader_that_stalls_holds_nobody_up(own_stack: Stack) -> None:
    """More than any buffer holds for one socket: it gets a gap, the others everything."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    stalled = bob.connect(direct=True)
    # Not read any more: the library's buffer fills, then the kernel's, then the server's lane.
    stalled.connection.recv_messages.pause()
    with bob.connect(direct=True) as reads, ann.connect(direct=True) as writes:
        replies = writes.say_many(["x" * 4000] * 1500, conversation_id=room)
        assert all(reply["ok"] for reply in replies)
        last = replies[-1]["message"]
        reads.told_of(last, timeout=30)
    stalled.connection.recv_messages.resume()
    stalled.told_of(last, timeout=30)
    stalled.event("gap", conversation_id=room)
    assert len(stalled.all_created(room)) < len(replies), "what did not fit was dropped, and said"
    stalled.close()


def run_program(stack: Stack, name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(stack.build / name), *arguments], env=stack.env | settings, capture_output=True, text=True, timeout=20
    )


PROGRAMS = ("stonechat-api", "stonechat-push", "stonechat")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_setting_that_is_wrong_is_one_clear_sentence(stack: Stack, program: str) -> None:
    for setting, value in (
        ("STONECHAT_PORT", "many"),
        ("STONECHAT_PUSH_PORT", "70000"),
        ("STONECHAT_PIPELINE", "carrier-pigeon"),
        ("STONECHAT_LIMITS_BODY_BYTES", "65537"),
    ):
        done = run_program(stack, program, **{setting: value})
        assert (done.returncode, done.stdout) == (2, "")
        (sentence,) = done.stderr.splitlines()
        assert sentence.startswith(f"{program}: ")
        assert setting in sentence
        assert value in sentence


@pytest.mark.parametrize("program", PROGRAMS)
def test_how_programs_are_called(stack: Stack, program: str) -> None:
    for arguments in (["nonsense"], ["-h"], ["--no.such=1"], ["--port"]):
        done = run_program(stack, program, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"{program}: ")
    done = run_program(stack, program, "--port=many", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: {program} " in done.stdout
    assert "--limits.body_bytes=" in done.stdout


@pytest.mark.parametrize("program", ["stonechat-api", "stonechat-push"])
def test_a_daemon_that_cannot_start_says_why(stack: Stack, program: str) -> None:
    taken = "STONECHAT_METRICS_PORT" if program == "stonechat-api" else "STONECHAT_PUSH_PORT"
    port = stack.port + 10 if program == "stonechat-api" else stack.push_port
    elsewhere = {"STONECHAT_API_SOCKET": str(stack.run / "other.sock")}
    for settings, reason in (
        ({taken: str(port)}, str(port)),
        ({"STONECHAT_DATABASE_URL": f"sqlite:{stack.data}/no/such.db"}, "no/such.db"),
        ({"STONECHAT_PIPELINE": "kafka"}, "kafka"),
    ):
        done = run_program(stack, program, **(elsewhere | settings))
        assert (done.returncode, done.stdout) == (1, "")
        said = [line for line in done.stderr.splitlines() if line.startswith(f"{program}: ")]
        assert len(said) == 1 and reason in said[0], done.stderr
