"""The files for Compose as they are written: what old and new versions understand, and who builds which image.

What needs an engine is in the other files of this folder."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from support.stack import ROOT, setting_name

FILES = ("docker-compose.yml", "docker-compose.one.yml")
NEWER_THAN_1_29 = {"additional_contexts", "start_interval", "develop", "required", "env_file"}

# Of the container's inside, or said by docker-compose itself.
NOT_PASSED_ON = {"bind", "data", "api.socket", "push.bind", "push.port", "metrics.port"}


def content(file: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())
    return read


def keys(part: Any) -> set[str]:
    if isinstance(part, dict):
        return set(part).union(*map(keys, part.values()))
    return set().union(*map(keys, part)) if isinstance(part, list) else set()


# In docker-compose.yml the containers' names are the nodes'.
@pytest.mark.parametrize(
    ("file", "more"), [("docker-compose.yml", {"push.node"}), ("docker-compose.one.yml", set[str]())]
)
def test_every_setting_is_passed_on(file: str, more: set[str]) -> None:
    settings = re.findall(r"^#([a-z._]+) =", (ROOT / "conf/stonechat.conf").read_text(), re.MULTILINE)
    wanted = {setting_name(setting) for setting in set(settings) - NOT_PASSED_ON - more}
    # Alone, or with what holds when nothing is said: NAME=${NAME:-...}
    passed_on = re.findall(r"^ +- (STONECHAT_\w+)(?:=\$\{\1:-.*\})?$", (ROOT / file).read_text(), re.MULTILINE)
    assert set(passed_on) == wanted


def test_both_builders_understand_the_dockerfile() -> None:
    """docker-compose uses the engine's old one, unless told otherwise; the tests use the new one, BuildKit."""
    only_new = r"^# *syntax|<<-?['\"A-Z]|^(RUN|COPY|ADD) .*--(mount|network|security|link|chmod|exclude|parents)\b"
    assert not re.findall(only_new, (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("file", FILES)
def test_both_versions_of_compose_understand_it(file: str) -> None:
    read = content(file)
    assert {key for key in read if not key.startswith("x-")} <= {"services", "networks", "volumes"}
    assert not keys(read) & NEWER_THAN_1_29


def needs(services: dict[str, Any], name: str) -> set[str]:
    """The service and all that `up` of it starts before."""
    found = {name}
    for needed in services[name].get("depends_on", ()):
        found |= needs(services, needed)
    return found


@pytest.mark.parametrize("file", FILES)
def test_each_image_is_built_by_one_service_which_all_of_it_wait_for(file: str) -> None:
    """Two that build one name get into each other's way; one that finds no image would ask a registry for it."""
    services = content(file)["services"]
    for image in {service["image"] for service in services.values()}:
        builders = {name for name, service in services.items() if service["image"] == image and "build" in service}
        assert len(builders) == 1, image
        for name, service in services.items():
            if service["image"] == image:
                assert builders <= needs(services, name) and service["pull_policy"] == "never", name
