"""Who may do what at the WebSocket: every client frame of push/PROTOCOL.md, tried by everybody there is.

A frame without a rule fails here, so that nobody adds one without saying whose it is. The REST half is
test_access_matrix.py; that a refused frame and a missing conversation are told alike is the same rule here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from support import truth
from support.client import Json, Person, new_id
from support.live import Live
from support.protocol import client_frames, name_of
from support.shared import MakePerson
from support.stack import Stack

OK = "ok"
FRAMES = client_frames()
NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Rule:
    """What each is answered: OK or the code of the refusal. `disabled` is a member with a socket from before, which has
    not heard of it yet; `nobody` has not said auth, or said it with a token that is none, and is closed with 4401."""

    owner: str
    admin: str
    member: str  # who said the message that a frame names
    former: str
    stranger: str
    disabled: str = "session_ended"
    nobody: str = "unauthorized"


NOT_THERE = "conversation_not_found"
ANYBODY = Rule(OK, OK, OK, OK, OK)
# Asks no database and keeps nothing: the end of the socket, which is on its way, is soon enough.
ANY_SOCKET = Rule(OK, OK, OK, OK, OK, disabled=OK)
MEMBERS = Rule(OK, OK, OK, NOT_THERE, NOT_THERE)
THE_SENDER = Rule("not_sender", "not_sender", OK, NOT_THERE, NOT_THERE)

RULES = {
    "auth": Rule(OK, OK, OK, OK, OK, nobody="token_invalid"),
    "auth.refresh": ANY_SOCKET,
    "message.send": MEMBERS,
    "message.send to a person": ANYBODY,
    "message.edit": THE_SENDER,
    "message.delete": THE_SENDER,
    "reaction.add": MEMBERS,
    "reaction.remove": MEMBERS,
    "read.update": MEMBERS,
    "delivered.update": MEMBERS,
    "typing.start": Rule(OK, OK, OK, NOT_THERE, NOT_THERE, disabled=OK),
    "presence.watch": ANY_SOCKET,
    "ping": ANY_SOCKET,
}


def test_every_frame_has_a_rule() -> None:
    assert {name_of(frame) for frame in FRAMES} == RULES.keys()


class Scene:
    """A group with everybody there is, each with a socket but for nobody; a message of the member's."""

    def __init__(self, stack: Stack, person: MakePerson, exits: ExitStack) -> None:
        self.stack = stack
        self.people: dict[str, Person] = {
            role: person(role) for role in ("owner", "admin", "member", "former", "stranger", "disabled")
        }
        owner, admin, member, former, _, disabled = self.people.values()
        self.group = owner.make_group("Tea", admin, member, former, disabled)
        assert owner.give_role(self.group, admin.id, "admin").is_success
        self.before_leaving = former.send(self.group, "said while a member").json()
        self.message = member.send(self.group, "what frames name").json()
        self.bob = person("bob")
        self.eye = exits.enter_context(owner.connect())
        self.lives = {role: exits.enter_context(one.connect()) for role, one in self.people.items()}
        assert former.remove(self.group).is_success
        self.lives["former"].event("conversation.removed", conversation_id=self.group)
        truth.disable_user(stack, disabled.id)

    def keys(self, frame: Json, role: str) -> Json:
        """The frame's own keys with ids that exist here; a message that is sent has a new one."""
        values: Json = {
            "conversation_id": self.group,
            "message_id": new_id() if frame["type"] == "message.send" else self.message["id"],
            "reply_to_id": self.message["id"],
            "recipient_id": self.bob.id,
            "user_ids": [self.bob.id, self.people["owner"].id],
            "seq": self.message["seq"],
            "token": self.people[role].token if role in self.people else "nonsense",
        }
        left_out = ("id", "type", "epoch", "me", "known", "known_count")
        return {key: values.get(key, value) for key, value in frame.items() if key not in left_out}

    def outcome(self, frame: Json, role: str, **changed: object) -> str:
        """What this one is answered."""
        keys = self.keys(frame, role) | changed
        if role != "nobody" and frame["type"] != "auth":
            return code_of(self.lives[role].request(frame["type"], **keys))
        with Live(self.stack.url) as fresh:
            code = code_of(fresh.request(frame["type"], **keys))
            if code != OK:
                assert fresh.wait_closed() == (4403 if role == "disabled" else 4401)
            return code

    def state(self) -> Json:
        """What a frame could change, as others see it."""
        owner, path = self.people["owner"], f"/conversations/{self.group}"
        return {
            "group": owner.get(path).json(),
            "history": owner.history(self.group),
            "members": owner.get(f"{path}/members", limit=100).json()["items"],
            "lists": [one.conversations() for one in (self.people["former"], self.people["stranger"], self.bob)],
        }


def code_of(reply: Json) -> str:
    return OK if reply["ok"] else str(reply["error"]["code"])


@pytest.fixture
def scene(stack: Stack, person: MakePerson) -> Iterator[Scene]:
    with ExitStack() as exits:
        yield Scene(stack, person, exits)


@pytest.mark.parametrize("frame", FRAMES, ids=name_of)
def test_access(scene: Scene, frame: Json) -> None:
    rule = RULES[name_of(frame)]
    wanted = vars(rule)
    if frame["type"] == "reaction.remove":
        for role in ("owner", "admin", "member"):
            keys = {"conversation_id": scene.group, "message_id": scene.message["id"], "emoji": frame["emoji"]}
            assert scene.lives[role].request("reaction.add", **keys)["ok"]
    before = scene.state()
    refused = [role for role, code in wanted.items() if code != OK]
    got = {role: scene.outcome(frame, role) for role in refused}
    assert scene.state() == before, "who is refused changes nothing"
    assert_not_told_of(scene, refused)
    got |= {role: scene.outcome(frame, role) for role in wanted if role not in got}
    assert got == wanted


def assert_not_told_of(scene: Scene, refused: list[str]) -> None:
    """Of what passes no trace is kept: so nobody must have been told. A later event comes by the same way."""
    said = scene.people["owner"].send(scene.group, "afterwards").json()
    scene.eye.created(said["id"])
    ids = {scene.people[role].id for role in refused if role in ("former", "stranger")}
    told = [o for o in scene.eye.objects if o.get("user_id") in ids and o["type"] != "hello"]
    assert told == []


@pytest.mark.parametrize("frame", [f for f in FRAMES if "conversation_id" in f], ids=name_of)
def test_what_is_others_looks_like_what_is_not_there(scene: Scene, frame: Json) -> None:
    for role in ("stranger", "former"):
        replies = []
        for conversation_id in (scene.group, NOBODY):
            keys = scene.keys(frame, role) | {"conversation_id": conversation_id}
            reply = scene.lives[role].request(frame["type"], **keys)
            reply.pop("reply_to")
            replies.append(reply)
        assert replies[0] == replies[1] and replies[0]["ok"] is False


@pytest.mark.parametrize("type_", ["message.edit", "message.delete", "reaction.add"])
def test_who_has_left_changes_nothing_of_what_they_said(scene: Scene, type_: str) -> None:
    [frame] = [frame for frame in FRAMES if frame["type"] == type_]
    before = scene.state()
    assert scene.outcome(frame, "former", message_id=scene.before_leaving["id"]) == NOT_THERE
    assert scene.state() == before


def test_a_socket_is_one_log_ins(scene: Scene) -> None:
    """Another's token, or another log-in's of the same person, is none for auth.refresh; auth comes once."""
    live = scene.lives["member"]
    for token in (scene.people["owner"].token, scene.people["member"].another_device().token):
        assert code_of(live.request("auth.refresh", token=token)) == "other_session"
    assert code_of(live.request("auth", token=scene.people["owner"].token)) == "bad_request"
    assert (
        live.say("still the member", conversation_id=scene.group)["message"]["sender_id"] == scene.people["member"].id
    )
