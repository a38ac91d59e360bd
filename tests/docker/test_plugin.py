"""The files for Compose by its version 2, `docker compose`: from nothing to healthy, an upgrade, the end.

What does not depend on who started the containers is in test_compose.py and test_image.py."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import pytest

from docker import test_compose
from docker.test_compose import ALL, BUILT, RUNNING
from support.compose import Deployment, shown
from support.engine import Engine
from support.stack import UNLIMITED, setting_name

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the plug-in is made for x86_64")

PROFILES = ("kafka", "monitoring")


@pytest.fixture(scope="module")
def plugged(engine: Engine) -> Engine:
    engine.add_compose_plugin()
    engine.forget_images()
    return engine


# Before the other, which has the same name.
def test_a_whole_node_in_one_container(plugged: Engine) -> None:
    node = Deployment(plugged, "docker-compose.one.yml", plugin=True)
    try:
        printed = node.up_from_nothing()
        assert " stonechat  Built\n" in printed and "Pulling" not in printed
        node.wait_healthy("stonechat")
        ann = node.somebody("ann")
        node.type(shown()["stop"])
        node.up()
        assert ann.get("/users/me").status_code == 200
        ann.close()
    finally:
        node.type("docker-compose down --volumes")


@pytest.fixture(scope="module")
def deployment(plugged: Engine) -> Iterator[Deployment]:
    limits = {setting_name(name): value for name, value in UNLIMITED.items()}
    deployment = Deployment(plugged, "docker-compose.yml", doors=True, plugin=True, **limits)
    try:
        deployment.up_from_nothing()
        deployment.wait_healthy(*RUNNING)
        yield deployment
    finally:
        deployment.type("docker-compose down --volumes")


exits = test_compose.exits
test_every_part_serves_people_and_every_device_hears = test_compose.test_every_part_serves_people_and_every_device_hears
test_the_subset_for_two_instances = test_compose.test_the_subset_for_two_instances
test_the_subset_for_two_hosts = test_compose.test_the_subset_for_two_hosts
test_addresses_are_the_peers = test_compose.test_addresses_are_the_peers_and_not_what_a_client_claims


def test_it_is_version_2_and_builds_each_image_once(deployment: Deployment) -> None:
    assert "Docker Compose version v2." in deployment.type("docker-compose version")
    printed = deployment.printed
    assert "already exists" not in printed and "Pulling" not in printed
    for service in BUILT:
        assert printed.count(f" {service}  Built\n") == 1


def test_the_commands_of_the_readme(deployment: Deployment) -> None:
    printed = deployment.type(shown()["look"])
    assert printed.count("(healthy)") == len(RUNNING) and "program=stonechat-api" in printed
    assert "#auth.sign_up = open" in printed


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_known(deployment: Deployment, profile: str) -> None:
    before = {service: deployment.container(service) for service in ALL}
    deployment.type(f"docker-compose --profile {profile} up -d")
    assert {service: deployment.container(service) for service in ALL} == before


def test_an_upgrade_and_an_end_keep_the_data(deployment: Deployment) -> None:
    ann, bob = deployment.somebody("ann"), deployment.somebody("bob")
    conversation_id = ann.conversation_with(bob)
    deployment.type("docker-compose up -d --build --force-recreate 2>&1")
    deployment.wait_healthy(*RUNNING)
    ann.say(bob, "after the upgrade")
    deployment.type(shown()["stop"])
    assert deployment.engine.run("docker", "ps", "--all", "--quiet") == ""
    deployment.up()
    assert [one["content"] for one in bob.history(conversation_id)] == ["hello", "after the upgrade"]
    for person in (ann, bob):
        person.close()
