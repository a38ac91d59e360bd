"""The image of a whole node and docker-compose.one.yml, built and started by a real engine as README.md says.

Two people talk, the message is there after down and up, nothing runs as root, and all ends in order."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from support.compose import Deployment, shown
from support.engine import BASE, Engine
from support.waiting import wait_until

IMAGE_MB_MAX = 40  # beyond the base
USER_ID = "800"
NODE = "stonechat"


@pytest.fixture(scope="module")
def node(engine: Engine) -> Iterator[Deployment]:
    node = Deployment(engine, "docker-compose.one.yml")
    try:
        assert "\nBuilding stonechat\n" in node.up_from_nothing()
        yield node
    finally:
        node.type("docker-compose down --volumes")


def test_the_image_is_small(node: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    whole, base = node.engine.size_mb(NODE), node.engine.size_mb(BASE)
    with capsys.disabled():
        print(f"\nthe image has {whole:.0f} MB, {base:.0f} MB of them its base")
    assert whole - base < IMAGE_MB_MAX


def test_two_people_talk_and_the_message_stays(node: Deployment) -> None:
    ann, bob = node.somebody("ann"), node.somebody("bob")
    conversation_id = ann.conversation_with(bob)
    live = bob.connect()
    message = ann.say(bob, "through a container")
    assert live.created(message["id"])["message"]["content"] == "through a container"
    live.close()

    container = node.container(NODE)
    node.type(shown()["stop"])
    assert node.engine.run("docker", "ps", "--all", "--quiet") == ""
    node.up()
    assert node.container(NODE) != container
    # The same tokens: keys are data as well.
    assert [one["content"] for one in bob.history(conversation_id)] == ["hello", "through a container"]
    assert ann.say(bob, "and again")["seq"] == 3
    for person in (ann, bob):
        person.close()


def test_the_page_is_there(node: Deployment) -> None:
    page = httpx.get(node.url, trust_env=False)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    script = re.search(r'src="(/assets/[^"]+\.js)"', page.text)
    assert script and httpx.get(node.url + script[1], trust_env=False).status_code == 200


def test_nothing_runs_as_root_or_writes_beside_its_data(node: Deployment) -> None:
    status = node.inside(NODE, "cat /proc/[0-9]*/status")
    for name in ("stonechat-api", "stonechat-push", "lighttpd", "redis-server", "s6-svscan"):
        assert re.search(rf"^Name:\t{name}$", status, re.MULTILINE), f"{name} does not run"
    found = {
        "users": set(re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)),
        "groups": set(re.findall(r"^Gid:\t(\d+)", status, re.MULTILINE)),
        "capabilities": set(re.findall(r"^CapBnd:\t(\w+)", status, re.MULTILINE)),
        "may gain none": set(re.findall(r"^NoNewPrivs:\t(\d)", status, re.MULTILINE)),
        "writes": node.inside(NODE, "touch /var/tmp/x 2>/dev/null && echo beside; touch /data/x && echo data").split(),
        "data": node.inside(NODE, "stat -c '%a %U' /data").strip(),
    }
    assert found == {
        "users": {USER_ID},
        "groups": {USER_ID},
        "capabilities": {"0" * 16},
        "may gain none": {"1"},
        "writes": ["data"],
        "data": "700 stonechat",
    }


def test_stopping_is_graceful(node: Deployment) -> None:
    ann = node.somebody("ann")
    live = ann.connect()
    node.type("docker-compose stop")
    assert live.wait_closed() == 4001
    state = node.state(NODE)
    assert (state["Status"], state["ExitCode"]) == ("exited", 0), state
    logs = node.logs()
    assert "does not end when told to" not in logs and "died" not in logs
    node.up()
    ann.close()


def test_health_is_what_readyz_says(node: Deployment) -> None:
    node.wait_healthy(NODE)
    kind, *command = node.inspect(NODE)["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    check = ["docker", "exec", node.container(NODE), *command]
    node.engine.run(*check)
    # Push is frozen, so /readyz says 503.
    node.inside(NODE, "s6-svc -p /data/run/service/push")
    assert subprocess.run(check, env=node.engine.env, capture_output=True, timeout=30, check=False).returncode != 0
    node.inside(NODE, "s6-svc -c /data/run/service/push")
    node.engine.run(*check)


def test_a_program_that_dies_is_started_again(node: Deployment) -> None:
    pid = node.inside(NODE, "s6-svstat -o pid /data/run/service/api")
    node.inside(NODE, f"kill -9 {pid}")
    wait_until(
        lambda: node.inside(NODE, "s6-svstat -o pid /data/run/service/api") not in (pid, "-1\n"), "api runs again"
    )
    node.wait_ready()
    assert "api died (killed by signal" in node.logs()
    # Process 1 has left no dead child behind.
    assert "zombie" not in node.inside(NODE, "cat /proc/[0-9]*/status")


def test_the_log_and_the_command_line(node: Deployment) -> None:
    printed = node.logs() + node.type("docker-compose exec stonechat stonechat config print")
    assert "Stonechat is ready" in printed and "program=stonechat-api" in printed
    assert "#auth.sign_up = open" in printed


def test_settings_come_from_the_environment(node: Deployment) -> None:
    asked = "docker-compose run --rm -T stonechat stonechat config get auth.sign_up"
    assert node.type(asked) == "open\n"
    assert node.type(f"STONECHAT_AUTH_SIGN_UP=closed {asked}") == "closed\n"
