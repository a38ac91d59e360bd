"""The stack of the whole run, and the types of the fixtures that make people and stacks."""

from __future__ import annotations

from collections.abc import Callable

from support.client import Api, Person
from support.stack import Stack

MakeStack = Callable[..., Stack]
MakePerson = Callable[..., Person]


class Shared:
    """One stack with its first person, who is the admin."""

    def __init__(self) -> None:
        self.stack = Stack().start()
        self.founder_answer = Api(self.stack).sign_up("founder")
