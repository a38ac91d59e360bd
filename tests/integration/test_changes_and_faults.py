"""A change of a message whose process dies between commit and publish, or whose record is lost: it is made once, its
sender is answered when they ask again, and every device comes to the same state. By the fault points of the build."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from support.client import Json, Person
from support.live import Live
from support.problems import problem
from support.process import Process
from support.stack import Stack
from support.waiting import wait_until

PATIENCE = 3
HEADS_CHECK_S = 5.0
WAVE = "👋"
FAULT = "STONECHAT_FAULT_WRITER"
FRAMES: dict[str, Json] = {
    "message.edit": {"content": "Hello"},
    "reaction.add": {"emoji": WAVE},
    "reaction.remove": {"emoji": WAVE},
    "message.delete": {},
}


class Talk:
    """Ann's message to Bob, and a socket of Bob's."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ann, self.bob = Person.new(stack), Person.new(stack)
        self.message = self.ann.say(self.bob, "Helo")
        self.conversation: str = self.message["conversation_id"]
        self.path = f"/conversations/{self.conversation}/messages/{self.message['id']}"
        self.where = {"conversation_id": self.conversation, "message_id": self.message["id"]}

    def ask(self, type_: str) -> httpx.Response:
        """What a frame of this type asks for, by REST."""
        reaction = f"{self.path}/reactions/{quote(WAVE)}"
        ways: dict[str, Callable[[], httpx.Response]] = {
            "message.edit": lambda: self.ann.request("PATCH", self.path, json=FRAMES["message.edit"]),
            "reaction.add": lambda: self.ann.request("PUT", reaction),
            "reaction.remove": lambda: self.ann.request("DELETE", reaction),
            "message.delete": lambda: self.ann.request("DELETE", self.path),
        }
        return ways[type_]()

    def check(self, type_: str, rev: int) -> Json:
        """That the change has been made, by one revision, for both; the message."""
        found: list[Json] = [person.get(self.path).json() for person in (self.ann, self.bob)]
        assert found[0] == found[1]
        message = found[0]
        assert message["rev"] == rev
        assert message["deleted"] is (type_ == "message.delete")
        assert message["content"] == (None if message["deleted"] else "Hello")
        assert bool(message["reactions"]) is (type_ == "reaction.add")
        pulled = self.bob.changes(self.conversation, after_rev=rev - 1).json()
        assert (pulled["messages"], pulled["last_rev"]) == ([message], rev)
        return message

    def told(self, live: Live, message: Json) -> None:
        """That a device hears of it without a record: as a change that holds it, or as a gap that leads to it."""

        def tells(o: Json) -> bool:
            if o.get("conversation_id") != self.conversation:
                return False
            if o.get("type") == "gap":
                return bool(o["last_rev"] >= message["rev"])
            return o.get("type") == "changes" and message in o["messages"]

        live.wait_for(tells, f"told of rev {message['rev']}", HEADS_CHECK_S * PATIENCE)


@pytest.fixture
def talk(own_stack: Stack) -> Talk:
    if FAULT.encode() not in (own_stack.build / "stonechat-api").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    return Talk(own_stack)


def start_with(stack: Stack, process: Process, fault: str | None) -> None:
    """Starts it anew, with this fault or as it should be."""
    if process.running:
        process.kill()
    process.env = stack.env | ({FAULT: fault} if fault else {})
    stack.restart(process.name)


def dies(process: Process) -> None:
    assert process.child is not None
    wait_until(lambda: not process.running, f"{process.name} has died at the fault point")
    assert process.child.returncode == 42


def test_the_api_dies_before_it_has_told_of_a_change(talk: Talk) -> None:
    api, rev = talk.stack.api, talk.message["rev"]
    with talk.bob.connect() as live:
        for type_ in FRAMES:
            rev += 1
            start_with(talk.stack, api, "exit_after_commit")
            lost = talk.ask(type_)
            assert lost.status_code >= 500 and problem(lost, lost.status_code)["retryable"] is True
            dies(api)
            start_with(talk.stack, api, None)
            message = talk.check(type_, rev)
            again = talk.ask(type_)
            assert (again.status_code, again.json()) == (200, message)
            talk.check(type_, rev)
        talk.told(live, message)


@pytest.mark.parametrize("direct", [False, True], ids=["lighttpd", "push"])
def test_push_dies_before_it_has_told_of_a_change(talk: Talk, direct: bool) -> None:
    push, rev = talk.stack.push, talk.message["rev"]
    epoch, me = talk.bob.sync().json()["epoch"], talk.bob.sync().json()["me"]["rev"]
    for type_, keys in FRAMES.items():
        rev += 1
        start_with(talk.stack, push, "exit_after_commit")
        live = talk.ann.connect(direct=direct)
        with pytest.raises((AssertionError, ConnectionClosed)):
            live.reply(live.ask(type_, **talk.where, **keys))
        dies(push)
        live.close()
        start_with(talk.stack, push, None)
        known = {talk.conversation: rev - 1}
        with talk.bob.connect(epoch=epoch, me=me, known=known, known_count=1) as back, talk.ann.connect() as mine:
            message = talk.check(type_, rev)
            talk.told(back, message)
            again = mine.request(type_, **talk.where, **keys)
            assert (again["ok"], again["unchanged"], again["message"]) == (True, True, message)
        talk.check(type_, rev)


def test_a_change_whose_record_is_lost_is_found(talk: Talk) -> None:
    rev = talk.message["rev"]
    start_with(talk.stack, talk.stack.api, "skip_publish")
    with talk.bob.connect() as live:
        for type_ in FRAMES:
            rev += 1
            answer = talk.ask(type_)
            assert answer.status_code == 200
            assert talk.check(type_, rev) == answer.json()
        talk.told(live, answer.json())
        assert not [
            o for o in live.objects if o.get("type") in ("message.updated", "message.deleted", "reaction.updated")
        ]
