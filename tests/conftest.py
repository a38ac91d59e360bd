"""Fixtures of all Python tests: the stack that most of them share, stacks of their own for some, and people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.client import Person
from support.recorder import RECORDER
from support.shared import MakePerson, MakeStack, Shared
from support.stack import Stack

RECORDER.watch_httpx()


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    shared = Shared()
    yield shared
    shared.still_works()
    wrong = [*shared.stack.stop(), *RECORDER.take()]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def stack(shared: Shared) -> Stack:
    """The shared stack: for tests that leave it as they found it."""
    return shared.stack


@pytest.fixture
def make_stack() -> Iterator[MakeStack]:
    """Starts stacks with other settings, or to be broken: make_stack({"limits.auth_ms": "300"}, pushes=2)."""
    made: list[Stack] = []

    def make(settings: dict[str, str] | None = None, **several: Any) -> Stack:
        made.append(Stack(settings, **several).start())
        return made[-1]

    yield make
    wrong = [line for stack in made for line in stack.stop()]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def own_stack(make_stack: MakeStack) -> Stack:
    """A stack of this test alone."""
    return make_stack()


@pytest.fixture
def person(stack: Stack) -> Iterator[MakePerson]:
    """Signs people up on the shared stack: person("ann")."""
    made: list[Person] = []

    def make(prefix: str = "p", **more: object) -> Person:
        made.append(Person.new(stack, prefix, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ann(person: MakePerson) -> Person:
    return person("ann")


@pytest.fixture
def bob(person: MakePerson) -> Person:
    return person("bob")


@pytest.fixture
def eve(person: MakePerson) -> Person:
    """A stranger to the others' conversation."""
    return person("eve")


@pytest.fixture(autouse=True)
def by_the_document() -> Iterator[None]:
    """Fails a test whose exchanges, or those of the fixtures that began before it, contradict api/openapi.yaml."""
    yield
    violations = RECORDER.take()
    assert not violations, "against api/openapi.yaml:\n" + "\n".join(violations)
