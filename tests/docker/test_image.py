"""The image and docker-compose.yml, built and started by a real engine as README.md says.

Two people talk, the message is there after down and up, nothing runs as root, and all ends in order.

The engine is the test's own (support/engine.py)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from support.client import Person
from support.engine import BASE, Engine, UnavailableError
from support.ports import free_block
from support.stack import ROOT, Stack, setting_name
from support.waiting import wait_until

READY_WITHIN_S = 30.0
IMAGE_MB_MAX = 40  # beyond the base
USER_ID = "800"

# Of the container's inside, or said by docker-compose itself.
NOT_PASSED_ON = {"bind", "data", "api.socket", "push.bind", "push.port", "metrics.port"}
BLOCK = re.compile(r"^<!-- docker: (?P<name>[\w-]+) -->\n+```sh\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)

# A page of the documents has no terminal here.
NO_TERMINAL = ("docker-compose exec ", "docker-compose exec -T ")


@dataclass
class Node:
    """What docker-compose.yml starts, on a port of its own."""

    engine: Engine
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def type(self, text: str) -> str:
        """Types commands in the checkout; what they printed."""
        return self.engine.run(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            text.replace(*NO_TERMINAL),
            cwd=ROOT,
            timeout=120,
            STONECHAT_PORT=str(self.port),
            COMPOSE_PROJECT_NAME="stonechat-test",
            COMPOSE_FILE="docker-compose.yml",
        )

    def up(self) -> None:
        self.type(shown()["start"])
        try:
            wait_until(self.ready, "/readyz is 200", READY_WITHIN_S)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.type('docker-compose logs --tail 50')}") from None

    def ready(self) -> bool:
        try:
            return httpx.get(self.url + "/readyz", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def container(self) -> str:
        return self.type("docker-compose ps -q stonechat").strip()

    def inspect(self, what: str) -> str:
        return self.engine.run("docker", "inspect", "--format", "{{" + what + "}}", self.container).strip()

    def inside(self, script: str) -> str:
        return self.engine.run("docker", "exec", self.container, "bash", "-euc", script)

    def somebody(self, prefix: str) -> Person:
        """A person on this node; of a Stack only the addresses are used."""
        stack = Stack.__new__(Stack)
        stack.url = stack.push_url = self.url
        return Person.new(stack, prefix)


def shown() -> dict[str, str]:
    """The blocks of README.md by their names."""
    return {found["name"]: found["text"] for found in BLOCK.finditer((ROOT / "README.md").read_text())}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("an engine needs root")
    engine = Engine()
    try:
        engine.start()
        engine.make_base()
        yield engine
    except UnavailableError as reason:
        raise pytest.fail.Exception(str(reason), pytrace=False) from None
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    """The image, built on the base of the test; the host's network stands for the engine's, which has no way out."""
    engine.run(
        "docker", "build", "--network=host", f"--build-arg=BASE={BASE}", "--tag=stonechat", str(ROOT), timeout=1800
    )
    return "stonechat"


@pytest.fixture
def node(engine: Engine, image: str) -> Iterator[Node]:
    node = Node(engine, free_block())
    try:
        node.up()
        yield node
    finally:
        node.type("docker-compose down --volumes")


def test_every_setting_is_passed_on() -> None:
    settings = re.findall(r"^#([a-z._]+) =", (ROOT / "conf/stonechat.conf").read_text(), re.MULTILINE)
    passed_on = re.findall(r"^ +- (STONECHAT_\w+)$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    assert set(passed_on) == {setting_name(setting) for setting in set(settings) - NOT_PASSED_ON}


def test_the_image_is_small_and_has_no_tools(engine: Engine, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole, base = engine.size_mb(image), engine.size_mb(BASE)
    with capsys.disabled():
        print(f"\nthe image has {whole:.0f} MB, {base:.0f} MB of them its base")
    assert whole - base < IMAGE_MB_MAX
    tools = "type -P cc node npm python3 || :"
    assert engine.run("docker", "run", "--rm", "--network=none", image, "bash", "-c", tools) == ""


def test_two_people_talk_and_the_message_stays(node: Node) -> None:
    ann, bob = node.somebody("ann"), node.somebody("bob")
    conversation_id = ann.conversation_with(bob)
    live = bob.connect()
    message = ann.say(bob, "through a container")
    assert live.created(message["id"])["message"]["content"] == "through a container"
    live.close()

    container = node.container
    node.type(shown()["stop"])
    assert node.engine.run("docker", "ps", "--all", "--quiet") == ""
    node.up()
    assert node.container != container
    # The same tokens: keys are data as well.
    assert [one["content"] for one in bob.history(conversation_id)] == ["hello", "through a container"]
    assert ann.say(bob, "and again")["seq"] == 3
    for person in (ann, bob):
        person.close()


def test_the_page_is_there(node: Node) -> None:
    page = httpx.get(node.url, trust_env=False)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    script = re.search(r'src="(/assets/[^"]+\.js)"', page.text)
    assert script and httpx.get(node.url + script[1], trust_env=False).status_code == 200


def test_nothing_runs_as_root_or_writes_beside_its_data(node: Node) -> None:
    status = node.inside("cat /proc/[0-9]*/status")
    for name in ("stonechat-api", "stonechat-push", "lighttpd", "redis-server", "s6-svscan"):
        assert re.search(rf"^Name:\t{name}$", status, re.MULTILINE), f"{name} does not run"
    found = {
        "users": set(re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)),
        "groups": set(re.findall(r"^Gid:\t(\d+)", status, re.MULTILINE)),
        "capabilities": set(re.findall(r"^CapBnd:\t(\w+)", status, re.MULTILINE)),
        "may gain none": set(re.findall(r"^NoNewPrivs:\t(\d)", status, re.MULTILINE)),
        "writes": node.inside("touch /var/tmp/x 2>/dev/null && echo beside; touch /data/x && echo data").split(),
        "data": node.inside("stat -c '%a %U' /data").strip(),
    }
    assert found == {
        "users": {USER_ID},
        "groups": {USER_ID},
        "capabilities": {"0" * 16},
        "may gain none": {"1"},
        "writes": ["data"],
        "data": "700 stonechat",
    }


def test_stopping_is_graceful(node: Node) -> None:
    ann = node.somebody("ann")
    live = ann.connect()
    node.type("docker-compose stop")
    assert live.wait_closed() == 4001
    state = json.loads(node.inspect("json .State"))
    assert (state["Status"], state["ExitCode"]) == ("exited", 0), state
    logs = node.type("docker-compose logs --no-color")
    assert "does not end when told to" not in logs and "died" not in logs
    ann.close()


def test_health_is_what_readyz_says(node: Node) -> None:
    wait_until(lambda: node.inspect(".State.Health.Status") == "healthy", "the container is healthy", 30)
    kind, *command = json.loads(node.inspect("json .Config.Healthcheck.Test"))
    assert kind == "CMD"
    check = ["docker", "exec", node.container, *command]
    node.engine.run(*check)
    # Push is frozen, so /readyz says 503.
    node.inside("s6-svc -p /data/run/service/push")
    assert subprocess.run(check, env=node.engine.env, capture_output=True, timeout=30, check=False).returncode != 0
    node.inside("s6-svc -c /data/run/service/push")
    node.engine.run(*check)


def test_a_program_that_dies_is_started_again(node: Node) -> None:
    pid = node.inside("s6-svstat -o pid /data/run/service/api")
    node.inside(f"kill -9 {pid}")
    wait_until(lambda: node.inside("s6-svstat -o pid /data/run/service/api") not in (pid, "-1\n"), "api runs again")
    wait_until(node.ready, "/readyz is 200 again", READY_WITHIN_S)
    assert "api died (killed by signal" in node.type("docker-compose logs --no-color")
    # Process 1 has left no dead child behind.
    assert "zombie" not in node.inside("cat /proc/[0-9]*/status")


def test_the_commands_of_the_readme(node: Node) -> None:
    printed = node.type(shown()["look"])
    assert "Stonechat is ready" in printed and "program=stonechat-api" in printed
    assert "#auth.sign_up = open" in printed


def test_settings_come_from_the_environment(node: Node) -> None:
    asked = "docker-compose run --rm -T stonechat stonechat config get auth.sign_up"
    assert node.type(asked) == "open\n"
    assert node.type(f"STONECHAT_AUTH_SIGN_UP=closed {asked}") == "closed\n"
