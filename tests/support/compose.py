"""What a file for Compose starts, on a port of its own: up, down, and looking into its containers.

Commands are typed as a person types them, in the checkout; the blocks of README.md are among them. The images are built
by the file itself, on the base of the tests (tests/docker/build*.yml)."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any, NamedTuple

import httpx

from support.client import Person
from support.engine import BASE, Engine
from support.ports import free_block
from support.stack import ROOT, Stack
from support.waiting import wait_until

PROJECT = "stonechat-test"
DOORS = ("web-1", "web-2", "push-1", "push-2")
READY_WITHIN_S = 60.0
BUILT_WITHIN_S = 1800.0
BLOCK = re.compile(r"^<!-- docker: (?P<name>[\w-]+) -->\n+```sh\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)

# A page of the documents has no terminal here.
NO_TERMINAL = ("docker-compose exec ", "docker-compose exec -T ")


def shown() -> dict[str, str]:
    """The blocks of README.md by their names."""
    return {found["name"]: found["text"] for found in BLOCK.finditer((ROOT / "README.md").read_text())}


class Door(NamedTuple):
    """The web container of a host, as tests of several hosts ask for it."""

    site_port: int


class ComposeSite(Stack):
    """The addresses of a running deployment, for tests of a Stack that break nothing."""

    def __init__(self, url: str, door_ports: dict[str, int], *, by_doors: bool = False) -> None:
        """`by_doors`: `urls` and `push_urls` are those of single containers instead of the address of all."""
        self.url = self.push_url = url
        self.urls = self.push_urls = [url]
        self.hosts = [Door(port) for name, port in door_ports.items() if name.startswith("web")]
        if by_doors:
            self.urls, self.push_urls = (
                [f"http://127.0.0.1:{port}" for name, port in door_ports.items() if name.startswith(kind)]
                for kind in ("web", "push")
            )

    def nodes(self) -> int:
        return 2


class Deployment:
    """The services of one file; a container is named by its service.

    With `doors`, each web and push container is published too, on the ports that tests/docker/doors.yml names. With
    `plugin`, version 2 of Compose (`docker compose`) does all, with the builder that it prefers."""

    def __init__(self, engine: Engine, file: str, *, doors: bool = False, plugin: bool = False, **env: str) -> None:
        self.engine = engine
        self.program = "docker compose" if plugin else "docker-compose"
        self.printed = ""  # by the first up
        self.port = free_block()
        self.url = f"http://127.0.0.1:{self.port}"
        self.door_ports = {name: self.port + 1 + n for n, name in enumerate(DOORS)} if doors else {}
        self.env = {
            "STONECHAT_PORT": str(self.port),
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": f"{file}:{file.replace('docker-compose', 'tests/docker/build')}",
            "STONECHAT_TEST_BASE": BASE,
        }
        if doors:
            self.env["COMPOSE_FILE"] += ":tests/docker/doors.yml"
        if plugin:
            self.env["DOCKER_BUILDKIT"] = "1"
        self.env |= {name.upper().replace("-", "_"): str(port) for name, port in self.door_ports.items()} | env

    def type(self, text: str, *, timeout: float = 180, **env: str) -> str:
        """Types commands in the checkout; what they printed."""
        text = text.replace(*NO_TERMINAL).replace("docker-compose ", f"{self.program} ")
        return self.engine.run("bash", "-euo", "pipefail", "-c", text, cwd=ROOT, timeout=timeout, **(self.env | env))

    def up(self) -> str:
        """As README.md says; what it printed, also of the building."""
        printed = self.type(f"{{\n{shown()['start']}}} 2>&1", timeout=BUILT_WITHIN_S)
        self.wait_ready()
        return printed

    def up_from_nothing(self) -> str:
        """With none of the images there."""
        for image in self.images():
            assert not self.engine.run("docker", "images", "--quiet", image), f"{image} is there already"
        self.printed = self.up()
        return self.printed

    def wait_ready(self) -> None:
        try:
            wait_until(self.ready, "/readyz is 200", READY_WITHIN_S)
        except AssertionError as failure:
            logs = self.type("docker-compose ps; docker-compose logs --no-color --tail 30")
            raise AssertionError(f"{failure}\n{logs}") from None

    def ready(self) -> bool:
        try:
            return httpx.get(self.url + "/readyz", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def logs(self) -> str:
        return self.type("docker-compose logs --no-color")

    def images(self) -> list[str]:
        """The names of all that the file starts."""
        config = self.type("docker-compose config")
        return sorted(set(re.findall(r"^ *image: (\S+)$", config, re.MULTILINE)))

    # -- containers
    def services(self) -> list[str]:
        return sorted(self.type("docker-compose ps --services").split())

    def container(self, service: str) -> str:
        """Its id, also when it has ended."""
        labels = {"project": PROJECT, "service": service, "oneoff": "False"}
        filters = [f"--filter=label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        return self.engine.run("docker", "ps", "--all", "--quiet", "--no-trunc", *filters).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.engine.run("docker", "inspect", self.container(service)))
        return found[0]

    def state(self, service: str) -> dict[str, Any]:
        state: dict[str, Any] = self.inspect(service)["State"]
        return state

    def wait_healthy(self, *services: str) -> None:
        for service in services:
            wait_until(
                lambda service=service: self.state(service).get("Health", {}).get("Status") == "healthy",
                f"{service} is healthy",
                READY_WITHIN_S,
            )

    def inside(self, service: str, script: str) -> str:
        return self.engine.run("docker", "exec", self.container(service), "bash", "-euc", script)

    def send_signal(self, service: str, number: signal.Signals) -> None:
        """To process 1 of a container, from outside: to the engine it then ends by itself, not by somebody's wish."""
        os.kill(self.state(service)["Pid"], number)

    def status(self, service: str) -> str:
        """/proc/PID/status of all processes of a container, one after the other."""
        return self.inside(service, "cat /proc/[0-9]*/status")

    # -- people
    def site(self, *, by_doors: bool = False) -> ComposeSite:
        return ComposeSite(self.url, self.door_ports, by_doors=by_doors)

    def somebody(self, prefix: str) -> Person:
        """A person who comes in by the address of all."""
        return Person.new(self.site(), prefix)
