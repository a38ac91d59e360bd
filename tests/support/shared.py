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
        # The logs of this one are read for secrets at the end: let there be much to read.
        self.stack = Stack({"log.level": "debug"}).start()
        self.founder_answer = Api(self.stack).sign_up("founder")

    def still_works(self) -> None:
        """After all that the tests did to it: two people sign up, and one hears the other."""
        self.stack.wait_ready()
        one, two = Person.new(self.stack, "last"), Person.new(self.stack, "last")
        with two.connect() as live:
            message = one.say(two, "the last word of this run")
            live.told_of(message, timeout=10)
        one.close()
        two.close()
