"""Two hosts behind a balancer while people talk: any one of what there is twice is killed; nobody notices for long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support.crew import kill, pid_at
from support.drill import Drills, Scene
from support.site import Site

pytestmark = pytest.mark.hosts

OUTAGE_S = 0.5


@pytest.fixture
def make_site() -> Iterator[Any]:
    made: list[Site] = []

    def make(settings: dict[str, str] | None = None) -> Site:
        made.append(Site(settings).start())
        return made[-1]

    yield make
    wrong = [line for site in made for line in site.stop()]
    assert not wrong, "\n".join(wrong)


def site_of(scene: Scene) -> Site:
    assert isinstance(scene.stack, Site)
    return scene.stack


async def whole_again(scene: Scene) -> None:
    """The balancer has found everybody well, and people are being served."""
    await asyncio.to_thread(site_of(scene).wait_ready)
    await scene.load.serve(1)


async def kill_and_restart(scene: Scene, name: str) -> None:
    scene.mark(f"kill -9 {name}")
    scene.stack.processes[name].kill()
    await scene.lasts(OUTAGE_S)
    scene.stack.processes[name].start()
    await whole_again(scene)


async def kill_push_process(scene: Scene, port: int) -> None:
    """One that a parent has: it is started again without us."""
    pid = await asyncio.to_thread(pid_at, port)
    assert pid
    scene.mark(f"kill -9 of the push process {pid}")
    await asyncio.to_thread(kill, pid)
    await whole_again(scene)


def test_kill_each_api(drills: Drills, make_site: Any) -> None:
    async def act(scene: Scene) -> None:
        for name in ("api_a", "api_b"):
            await kill_and_restart(scene, name)

    drills.run("two hosts: kill -9 each api", act, make_stack=make_site)


def test_kill_each_push(drills: Drills, make_site: Any) -> None:
    """The two of one host, that host's parent, and the only one of the other."""

    async def act(scene: Scene) -> None:
        for port in site_of(scene).hosts[0].push_metrics_ports:
            await kill_push_process(scene, port)
        for name in ("push_a", "push_b"):
            await kill_and_restart(scene, name)

    drills.run("two hosts: kill -9 each push", act, make_stack=make_site)


def test_kill_each_lighttpd(drills: Drills, make_site: Any) -> None:
    async def act(scene: Scene) -> None:
        for name in ("lighttpd_a", "lighttpd_b"):
            await kill_and_restart(scene, name)

    drills.run("two hosts: kill -9 each lighttpd", act, make_stack=make_site)


@pytest.mark.long
def test_kill_a_host(drills: Drills, make_site: Any) -> None:
    """All of it at once, as when its power is cut; then it is back."""

    async def act(scene: Scene) -> None:
        for host in site_of(scene).hosts:
            scene.mark(f"host {host.name} is gone")
            for name in host.processes:
                scene.stack.processes[name].kill()
            await scene.lasts(2)
            for name in host.processes:
                scene.stack.processes[name].start()
            await whole_again(scene)

    drills.run("two hosts: kill -9 all of one, then of the other", act, make_stack=make_site)


@pytest.mark.long
def test_take_each_host_out(drills: Drills, make_site: Any) -> None:
    """The balancer is told that it is down, and cuts nobody off; then its push drains, and it comes back."""

    async def act(scene: Scene) -> None:
        site = site_of(scene)
        for host in site.hosts:
            for backend in ("push", "site"):
                site.tell_balancer(f"set server {backend}/{host.name} state maint")
            await scene.load.serve(1)
            status, _ = await asyncio.to_thread(site.processes[f"push_{host.name}"].end)
            assert status == 0
            await scene.load.serve(1)
            site.processes[f"push_{host.name}"].start()
            for backend in ("push", "site"):
                site.tell_balancer(f"set server {backend}/{host.name} state ready")
            await whole_again(scene)

    drills.run(
        "two hosts: each is taken out, drained and put back",
        act,
        make_stack=make_site,
        settings={"push.drain_ms": "1000"},
    )


@pytest.mark.long
def test_kill_the_balancer(drills: Drills, make_site: Any) -> None:
    """The one thing that there is once: everybody is cut off and comes back."""

    async def act(scene: Scene) -> None:
        await kill_and_restart(scene, "haproxy")

    drills.run("two hosts: kill -9 of the balancer", act, make_stack=make_site)
