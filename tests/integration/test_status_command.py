"""`stonechat status`: the site's readiness and every process of the host, for people and as JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support.client import Person
from support.crew import kill, members, pid_at
from support.stack import Stack
from support.waiting import wait_until

MANY = {"push.processes": "2", "api.processes": "2"}


@pytest.fixture(scope="module")
def crowd() -> Iterator[Stack]:
    stack = Stack(MANY).start()
    yield stack
    wrong = stack.stop()
    assert not wrong, "\n".join(wrong)


def status(stack: Stack, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [str(stack.build / "stonechat"), "status", *arguments]
    return subprocess.run(argv, env=stack.env | env, capture_output=True, text=True, timeout=30, check=False)


def told(stack: Stack, **env: str) -> tuple[int, list[dict[str, Any]]]:
    done = status(stack, "--json", **env)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_all_processes_are_shown(crowd: Stack) -> None:
    ann = Person.new(crowd, "ann")
    wait_until(lambda: told(crowd)[0] == 0, "all is there")
    with ann.connect(direct=True):
        code, (site, *processes) = told(crowd)
    assert code == 0 and site["readyz"] == 200 and site["told"]["push"] == "ok"
    found = {(one["program"], one["process"]): one for one in processes}
    programs = ("stonechat-api", "stonechat-push")
    assert list(found) == [(program, number) for program in programs for number in (1, 2)]
    for program, process in zip(programs, (crowd.api, crowd.push), strict=True):
        assert sorted(found[program, number]["pid"] for number in (1, 2)) == members(process)
    assert sum(found["stonechat-push", number]["sockets"] for number in (1, 2)) == 1
    assert found["stonechat-api", 1]["sockets"] is None
    assert {one["redis"] for one in processes} == {"ok"}
    assert all(1e6 < one["memory_bytes"] < 1e10 and one["started_at"].startswith("20") for one in processes)
    text = status(crowd)
    assert text.returncode == 0
    assert f"port {crowd.port}: ready (database ok, redis ok, push ok)" in text.stdout
    assert len(text.stdout.splitlines()) == 2 + 1 + 4


def test_a_restart_is_counted(crowd: Stack) -> None:
    victim = pid_at(crowd.port + 12)
    kill(victim)
    wait_until(lambda: pid_at(crowd.port + 12) not in (0, victim), "it is replaced")
    restarts = {one["process"]: one["restarts"] for one in told(crowd)[1] if one.get("program") == "stonechat-push"}
    assert restarts == {1: 0, 2: 1}


def test_who_is_missing_is_named(crowd: Stack) -> None:
    crowd.push.end()
    code, (site, *processes) = told(crowd)
    assert (code, site["readyz"], site["told"]["push"]) == (1, 503, "failed")
    assert {(one["program"], one["there"]) for one in processes} == {("stonechat-api", True), ("stonechat-push", False)}
    text = status(crowd)
    assert text.returncode == 1
    assert "not ready (database ok, redis ok, push failed)" in text.stdout
    assert f"nobody answers on the metrics port {crowd.port + 12}" in text.stdout
    crowd.lighttpd.end()
    assert "nobody answers (lighttpd)" in status(crowd).stdout
    for process in (crowd.push, crowd.lighttpd):
        process.start()
    crowd.wait_ready()


def test_one_of_several_that_is_missing_is_enough(crowd: Stack) -> None:
    """The site is ready, and yet not all that the settings ask for is there."""
    code, (site, *processes) = told(crowd, STONECHAT_API_PROCESSES="3")
    assert (code, site["readyz"]) == (1, 200)
    assert [one["there"] for one in processes if one["program"] == "stonechat-api"] == [True, True, False]


def test_called_wrongly(crowd: Stack) -> None:
    done = status(crowd, "--fast")
    assert done.returncode == 2 and "--json" in done.stderr
