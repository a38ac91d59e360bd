"""Limits at the real doors: what is refused, what headers say, who is who behind a proxy, what holds without Redis."""

from __future__ import annotations

import contextlib
import math
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support.client import PASSWORD, Api, Person, new_name
from support.live import Live
from support.metrics import api_metric, push_metric, read
from support.problems import problem
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until

# So slow that nothing comes back while a test runs.
SENDS = {"limits.send_per_minute": "1", "limits.send_burst": "4"}


def refused(answer: httpx.Response) -> dict[str, object]:
    found = problem(answer, 429)
    assert found["code"] == "rate_limited"
    assert found["retryable"] is True
    assert int(answer.headers["Retry-After"]) >= 1
    return found


def test_sends_of_a_person_are_limited_on_all_devices(make_stack: MakeStack) -> None:
    stack = make_stack(SENDS)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    other = ann.another_device()
    seen = [ann.send_direct(bob.id, f"number {i}") for i in range(2)]
    seen += [other.send_direct(bob.id, f"number {i}") for i in range(2, 4)]
    assert [answer.status_code for answer in seen] == [201] * 4
    assert [answer.headers["RateLimit-Remaining"] for answer in seen] == ["3", "2", "1", "0"]
    assert seen[0].headers["RateLimit-Limit"] == "4"
    assert 1 <= int(seen[0].headers["RateLimit-Reset"]) <= 60
    last = other.send_direct(bob.id, "one too many")
    refused(last)
    assert last.headers["RateLimit-Remaining"] == "0"
    assert 50 <= int(last.headers["Retry-After"]) <= 60
    assert ann.get("/users/me").status_code == 200, "another class"
    assert bob.send_direct(ann.id, "another person").status_code == 201


def test_both_doors_share(make_stack: MakeStack) -> None:
    stack = make_stack(SENDS)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    conversation_id = ann.conversation_with(bob)
    with ann.connect() as one, ann.connect() as other:
        created = one.request("message.send", conversation_id=conversation_id, content="by the first socket")
        assert other.request(
            "reaction.add", conversation_id=conversation_id, message_id=created["message"]["id"], emoji="👍"
        )["ok"]
        assert ann.send(conversation_id, "by REST").status_code == 201

        # What the other process has used is known with one's own next one.
        names = ("stonechat_rate_shared_total", "stonechat_rate_unshared_total")
        before = [push_metric(stack, name) for name in names]
        last = {"conversation_id": conversation_id, "content": "by the second socket"}
        assert other.request("message.send", **last)["ok"]
        wait_until(lambda: [push_metric(stack, name) for name in names] != before, "Redis has it", 10)
        if sum(metric(stack, names[1]) for metric in (api_metric, push_metric)):
            assert other.request("message.send", **last)["ok"], "Redis took 50 ms: each goes on by itself"
        error = other.request("message.send", **last)["error"]
        assert error["code"] == "rate_limited"
        assert error["retryable"] is True
        assert 0 < error["retry_after_ms"] <= 3 * 60_000
        assert other.request("ping")["ok"], "another class"
        wait_until(lambda: ann.send(conversation_id, "by REST").status_code == 429, "and the other way round", 10)


def test_two_api_processes_share(make_stack: MakeStack) -> None:
    stack = make_stack(SENDS)
    shared = {"database.url": stack.place.url, "redis.url": f"unix:{stack.run}/redis.sock"}
    other = make_stack(SENDS | shared)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    elsewhere = Person(other, Api(other).log_in(ann.username).json())
    told, lost = "stonechat_rate_shared_total", "stonechat_rate_unshared_total"

    def send(person: Person, where: Stack) -> int:
        before = api_metric(where, told), api_metric(where, lost)
        status = person.send_direct(bob.id, "hello").status_code
        if status == 201:
            wait_until(lambda: (api_metric(where, told), api_metric(where, lost)) != before, "Redis has it", 10)
        return status

    assert [send(ann, stack) for _ in range(3)] == [201] * 3
    assert send(elsewhere, other) == 201, "it learns the others with its own first"
    # On a machine so busy that Redis takes 50 ms, each goes on by itself.
    in_time = api_metric(stack, lost) + api_metric(other, lost) == 0
    assert send(elsewhere, other) == (429 if in_time else 201)


def test_two_push_processes_share(make_stack: MakeStack) -> None:
    stack = make_stack(SENDS, pushes=2)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    draft = {"conversation_id": ann.conversation_with(bob), "content": "hello"}
    told, lost = "stonechat_rate_shared_total", "stonechat_rate_unshared_total"

    def send(live: Live, process: int) -> dict[str, Any]:
        before = read(stack, process, told), read(stack, process, lost)
        reply = live.request("message.send", **draft)
        if reply["ok"]:
            wait_until(lambda: (read(stack, process, told), read(stack, process, lost)) != before, "Redis has it", 10)
        return reply

    with ann.connect(push=0) as one, ann.connect(push=1) as other:
        assert all(send(one, 1)["ok"] for _ in range(3))
        assert send(other, 2)["ok"], "it learns the others with its own first"
        if read(stack, 1, lost) + read(stack, 2, lost):
            assert send(other, 2)["ok"], "Redis took 50 ms: each goes on by itself"
        else:
            assert send(other, 2)["error"]["code"] == "rate_limited"
            assert send(one, 1)["error"]["code"] == "rate_limited"


@pytest.mark.parametrize("operation", ["sign_up", "search", "general"])
def test_other_classes(make_stack: MakeStack, operation: str) -> None:
    stack = make_stack({f"limits.{operation}_per_minute": "1", f"limits.{operation}_burst": "2"})
    ann = Person.new(stack, "ann")
    calls = {
        "sign_up": lambda: Api(stack).sign_up(new_name()),
        "search": lambda: ann.get("/users", query="a"),
        "general": lambda: ann.get("/users/me"),
    }
    answers = [calls[operation]() for _ in range(3)]
    expected = [201, 429, 429] if operation == "sign_up" else [200, 200, 429]
    assert [answer.status_code for answer in answers] == expected
    refused(answers[-1])


def test_log_ins_of_an_address(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.log_in_per_minute": "1", "limits.log_in_burst": "2"})
    ann = Person.new(stack, "ann")
    answers = [Api(stack).log_in(ann.username) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused(answers[2])


def log_in_from(stack: Stack, address: str, username: str, password: str) -> httpx.Response:
    body = {"username": username, "password": password}
    return Api(stack).post("/auth/login", body, headers={"X-Forwarded-For": address})


def test_wrong_passwords_delay_only_where_they_come_from(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.log_in_delay_max_s": "60", "limits.trusted_proxies": "127.0.0.0/8"})
    ann = Person.new(stack, "ann")
    for name in (ann.username, "nobody-here"):
        for _ in range(5):
            assert log_in_from(stack, "203.0.113.7", name, "wrong password").status_code == 401
        answer = log_in_from(stack, "203.0.113.7", name, PASSWORD)
        refused(answer)
        assert answer.headers["Retry-After"] == "1"
    assert log_in_from(stack, "198.51.100.9, 203.0.113.8", ann.username, PASSWORD).status_code == 200

    answers = []

    def gets_in() -> bool:
        answers.append(log_in_from(stack, "203.0.113.7", ann.username, PASSWORD))
        return answers[-1].status_code == 200

    wait_until(gets_in, "the delay is over", 3 * 1.0 + 1)
    assert log_in_from(stack, "203.0.113.7", ann.username, "wrong password").status_code == 401
    assert log_in_from(stack, "203.0.113.7", ann.username, PASSWORD).status_code == 200, "forgiven"


def test_wrong_passwords_sent_at_once_gain_nothing(make_stack: MakeStack) -> None:
    """Whatever comes at once counts before it is known how it ends; who has the right one gets in within the delay."""
    stack = make_stack({"limits.log_in_delay_max_s": "60"})
    ann = Person.new(stack, "ann")
    doors = [Api(stack) for _ in range(40)]

    def guess(door: Api) -> httpx.Response:
        return door.log_in(ann.username, "wrong password")

    began = time.monotonic()
    with ThreadPoolExecutor(len(doors)) as pool:
        answers = list(pool.map(guess, doors))
    lasted = time.monotonic() - began
    verified = [answer for answer in answers if answer.status_code == 401]
    print(f"{len(verified)} of {len(answers)} tries were looked at in {lasted:.2f} s")
    assert len(verified) >= 5, "the free ones and the first that costs a delay"
    # One more for each delay that was over meanwhile: after 1 s, after 2 more, ...
    assert len(verified) <= 5 + math.log2(lasted + 1)
    late = [answer for answer in answers if answer.status_code != 401]
    for answer in late:
        refused(answer)
    wait_until(lambda: ann.log_in(ann.username).status_code == 200, "the delay is over", 3 * 1.0 + 4)
    assert ann.log_in(ann.username, "wrong password").status_code == 401, "forgiven"
    for door in doors:
        door.close()


def failures_in_redis(stack: Stack) -> dict[str, tuple[int, int]]:
    """What is counted there of wrong passwords, and for how many ms more; a key of an address has a space."""

    def ask(*words: str) -> list[str]:
        argv = ["redis-cli", "-s", str(stack.run / "redis.sock"), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()

    counts = {key: ask("HGET", key, "n") + ask("PTTL", key) for key in ask("--scan", "--pattern", "miss:*")}
    return {key: (int(count[0] or 0), int(count[1])) for key, count in counts.items()}


def counted(stack: Stack, username: str) -> list[tuple[int, int]]:
    """Of one name at an address."""
    found = failures_in_redis(stack).items()
    return [value for key, value in found if key.endswith(f" {compared(username)}") and value[0] > 0]


def compared(username: str) -> str:
    """Names are compared without their separators, and with o and l for 0 and 1."""
    return re.sub("[-_.]", "", username).translate(str.maketrans("01", "ol"))


def await_count(stack: Stack, username: str) -> None:
    """Asks without a pause: the try is under way for some ten milliseconds only."""
    ends = time.monotonic() + 5.0
    with socket.socket(socket.AF_UNIX) as redis:
        redis.connect(str(stack.run / "redis.sock"))
        while time.monotonic() < ends:
            redis.sendall(f'HGET "miss:5:127.0.0.1 {compared(username)}" n\r\n'.encode())
            if not redis.recv(100).startswith(b"$-1"):
                return
    raise AssertionError("not within 5 s: a count in Redis")


def test_a_try_of_a_process_that_died_is_forgotten_like_a_failure(make_stack: MakeStack) -> None:
    """It waits behind others for its turn at the only thread that looks at passwords when the process dies."""
    stack = make_stack({"limits.log_in_delay_max_s": "60", "auth.password_threads": "1"})
    ann = Person.new(stack, "ann")
    doors = [Api(stack) for _ in range(11)]

    def guess(door: Api, name: str) -> int:
        with contextlib.suppress(httpx.HTTPError):
            return door.log_in(name, "wrong password").status_code
        return 0

    with ThreadPoolExecutor(len(doors)) as pool:
        for i, door in enumerate(doors[1:]):
            pool.submit(guess, door, f"somebody-{i}")
        wait_until(lambda: failures_in_redis(stack), "the others wait", 5.0)
        tried = pool.submit(guess, doors[0], ann.username)
        await_count(stack, ann.username)
        stack.api.kill()
        assert tried.result() != 401, "its password was looked at before the process died"
    ((n, left_ms),) = counted(stack, ann.username)
    assert n == 1
    assert 0 < left_ms <= 15 * 60 * 1000
    stack.restart("api")
    wait_until(lambda: ann.log_in(ann.username).status_code == 200, "the right password", 3 * 4.0)
    wait_until(lambda: not counted(stack, ann.username), "forgiven", 5.0)
    for door in doors:
        door.close()


def test_a_right_password_forgives_at_both_processes(make_stack: MakeStack) -> None:
    """Also when Redis does not answer at that moment."""
    stack = make_stack({"limits.log_in_delay_max_s": "60"}, apis=2)
    ann = Person.new(stack, "ann")
    one, other = Api(stack), Api(stack, api=1)

    def refuses_for_long(door: Api) -> bool:
        answer = door.log_in(ann.username, "wrong password")
        return answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 8

    def guess() -> None:
        """Until the other one, alone, refuses for 8 s; the first one saw too few to refuse for long."""
        assert [one.log_in(ann.username, "wrong password").status_code for _ in range(5)] == [401] * 5
        wait_until(lambda: refuses_for_long(other), "a long delay", 60.0)

    guess()
    assert one.log_in(ann.username, PASSWORD).status_code == 200
    wait_until(lambda: other.log_in(ann.username, PASSWORD).status_code == 200, "forgiven at the other", 4.0)

    guess()
    unshared = api_metric(stack, "stonechat_rate_unshared_total")
    redis = stack.processes["redis"]
    redis.freeze()
    try:
        assert one.log_in(ann.username, PASSWORD).status_code == 200
        wait_until(lambda: api_metric(stack, "stonechat_rate_unshared_total") > unshared, "nothing answers", 5.0)
    finally:
        redis.thaw()
    wait_until(lambda: other.log_in(ann.username, PASSWORD).status_code == 200, "forgiven after the outage", 4.0)
    one.close()
    other.close()


def test_wrong_passwords_from_many_addresses_delay_a_name(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.log_in_delay_max_s": "60", "limits.trusted_proxies": "127.0.0.0/8"})
    ann = Person.new(stack, "ann")
    assert log_in_from(stack, "2001:db8:1:2::5", ann.username, PASSWORD).status_code == 200
    for name in (ann.username, "nobody-here"):
        answers = [log_in_from(stack, f"203.0.113.{i}", name, "wrong password") for i in range(60)]
        assert {answer.status_code for answer in answers[:51]} == {401}, "a few are free, and one is tried"
        late = [answer for answer in answers[51:] if answer.status_code == 429]
        assert late
        assert all(1 <= int(answer.headers["Retry-After"]) <= 5 for answer in late)
        refused(late[0])
    at_home = [log_in_from(stack, "2001:db8:1:2:ffff::6", ann.username, PASSWORD) for _ in range(3)]
    assert [answer.status_code for answer in at_home] == [200] * 3, "where a device of hers is logged in"
    wait_until(
        lambda: log_in_from(stack, "198.51.100.9", ann.username, PASSWORD).status_code == 200, "others wait", 3 * 5.0
    )


def test_a_stolen_session_guesses_no_password(make_stack: MakeStack) -> None:
    ann = Person.new(make_stack({"limits.log_in_delay_max_s": "60"}), "ann")

    def change(current: str) -> httpx.Response:
        return ann.request(
            "PUT", "/users/me/password", json={"current_password": current, "new_password": "another one"}
        )

    for _ in range(5):
        assert problem(change("wrong password"), 403)["code"] == "password_wrong"
    refused(change(PASSWORD))


def test_a_forged_address_changes_nothing(make_stack: MakeStack) -> None:
    stack = make_stack({"limits.log_in_per_minute": "1", "limits.log_in_burst": "2"})
    ann = Person.new(stack, "ann")
    answers = [log_in_from(stack, f"203.0.113.{i}", ann.username, PASSWORD) for i in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    sessions = ann.get("/auth/sessions").json()["items"]
    assert {session["address"] for session in sessions} == {"127.0.0.1"}


def test_behind_a_trusted_proxy_each_client_counts(make_stack: MakeStack) -> None:
    limits = {"limits.log_in_per_minute": "1", "limits.log_in_burst": "1", "limits.trusted_proxies": "127.0.0.1, ::1"}
    stack = make_stack(limits)
    ann = Person.new(stack, "ann")

    def status(address: str) -> int:
        return log_in_from(stack, address, ann.username, PASSWORD).status_code

    assert status("203.0.113.1") == 200
    assert status("203.0.113.2") == 200
    assert status("198.51.100.1, 203.0.113.1") == 429, "what stands left of it is its own claim"
    assert status("2001:db8:1:2::5") == 200
    assert status("2001:db8:1:2:ffff::6") == 429, "one customer's network"
    addresses = {session["address"] for session in ann.get("/auth/sessions").json()["items"]}
    assert {"203.0.113.1", "203.0.113.2", "2001:db8:1:2::5"} <= addresses


def test_without_redis_the_limits_go_on(make_stack: MakeStack) -> None:
    stack = make_stack(SENDS)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    stack.redis.kill()
    answers = [ann.send_direct(bob.id, f"number {i}") for i in range(5)]
    assert [answer.status_code for answer in answers] == [201] * 4 + [429]


def test_slow_mode_at_both_doors(make_stack: MakeStack) -> None:
    stack = make_stack()
    olga, ann, bob = (Person.new(stack, name) for name in ("olga", "ann", "bob"))
    group = olga.post("/conversations", {"kind": "group", "title": "slow", "member_ids": [ann.id, bob.id]})
    conversation_id = group.json()["id"]
    slow = olga.request("PATCH", f"/conversations/{conversation_id}", json={"slow_mode_s": 60})
    assert slow.status_code == 200
    assert [olga.send(conversation_id, text).status_code for text in ("its owner", "is exempt")] == [201] * 2
    first = ann.send(conversation_id, "first")
    assert first.status_code == 201
    second = ann.send(conversation_id, "second")
    assert problem(second, 429)["code"] == "slow_mode"
    assert 50 <= int(second.headers["Retry-After"]) <= 60
    with ann.connect() as live:
        reply = live.request("message.send", conversation_id=conversation_id, content="by a socket")
        assert reply["error"]["code"] == "slow_mode"
        assert reply["error"]["retryable"] is True
        assert 50_000 <= reply["error"]["retry_after_ms"] <= 60_000
        edit = {"conversation_id": conversation_id, "message_id": first.json()["id"]}
        assert live.request("message.edit", content="edited", **edit)["ok"], "no send"
    body = {"content": "first", "id": first.json()["id"]}
    again = ann.post(f"/conversations/{conversation_id}/messages", body)
    assert again.status_code == 200, "a replay is none either"
    assert bob.send(conversation_id, "Bob's own pace").status_code == 201
