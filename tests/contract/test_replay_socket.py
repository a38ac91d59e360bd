"""The examples of push/PROTOCOL.md, executed: client frames are accepted as they are shown, with ids that exist here,
and what the server says has the keys and types of what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from support import crowd
from support.client import Json, Person, new_id
from support.live import Live
from support.protocol import examples, is_from_client
from support.shape import differences
from support.shared import MakeStack
from support.stack import Stack

EXAMPLES = examples()
ASKED = {e["id"]: e for e in EXAMPLES if is_from_client(e)}
ACCEPTED = [e for e in EXAMPLES if e.get("ok") is True]
REFUSED = [e for e in EXAMPLES if e.get("ok") is False]
EVENTS = [e for e in EXAMPLES if "type" in e and "reply_to" not in e and not is_from_client(e)]

# Those that need a stack of their own, because Redis or push goes.
OF_AN_END = {"mode", "changes", "reconnect", "presence.unknown"}
# Others in a conversation of which only a number is told.
LARGE = 260
# Keys that the text names and no example shows.
SOMETIMES = {"gap": {"reset"}, "changes": {"snapshot"}, "conversation.removed": {"me"}}


class Scene:
    """Ann and Bob with a message of Ann's, and a third person for first words."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ann, self.bob = Person.new(stack, "ann"), Person.new(stack, "bob")
        self.message = self.ann.say(self.bob, "hi there")
        self.room: str = self.message["conversation_id"]
        self.epoch: str = self.ann.sync().json()["epoch"]
        self.head = self.message["rev"]
        self.sockets: list[Live] = []

    def socket(self, person: Person, **auth: object) -> Live:
        self.sockets.append(person.connect(**auth))
        return self.sockets[-1]

    def close(self) -> None:
        for one in (*self.sockets, self.ann, self.bob):
            one.close()

    def frame(self, example: Json) -> Json:
        """A client frame of the document with what stands here for its ids and its token."""
        here = {
            "token": self.ann.token,
            "epoch": self.epoch,
            "me": 0,
            "known": {self.room: 1},
            "conversation_id": self.room,
            "recipient_id": self.bob.id,
            "message_id": new_id() if example["type"] == "message.send" else self.message["id"],
            "reply_to_id": self.message["id"],
            "seq": self.message["seq"],
        }
        return example | {key: value for key, value in here.items() if key in example}


@pytest.fixture
def scene(stack: Stack) -> Iterator[Scene]:
    scene = Scene(stack)
    yield scene
    scene.close()


@pytest.mark.parametrize("example", ASKED.values(), ids=lambda e: f"{e['id']} {e['type']}")
def test_a_frame_is_accepted_as_it_is_shown(scene: Scene, example: Json) -> None:
    """And its reply, where one is shown, is like it."""
    live = Live(scene.stack.url) if example["type"] == "auth" else scene.socket(scene.ann)
    frame = scene.frame(example)
    if frame["type"] != "auth":
        # A socket of its own counts from 1 too.
        frame["id"] = f"shown {frame['id']}"
    live.send(frame)
    reply = live.wait_for(lambda o: o.get("reply_to") == frame["id"], f"the reply to {frame}")
    assert reply["ok"] is True, reply
    for shown in ACCEPTED:
        if shown["reply_to"] == example["id"]:
            assert differences(shown | {"reply_to": frame["id"]}, reply) == []
    live.close()


def test_every_reply_that_is_shown_has_its_frame() -> None:
    assert {e["reply_to"] for e in EXAMPLES if "reply_to" in e} <= ASKED.keys()


# -- refusals
def test_a_refusal_of_a_frame_is_as_shown(scene: Scene) -> None:
    (shown,) = [e for e in REFUSED if e["error"]["code"] == "bad_request"]
    frame = scene.frame(ASKED[shown["reply_to"]])
    del frame[shown["error"]["field"]]
    live = scene.socket(scene.ann)
    live.send(frame)
    reply = live.wait_for(lambda o: o.get("reply_to") == frame["id"], "its refusal")
    assert reply == shown


def test_a_refusal_of_too_many_is_as_shown(make_stack: MakeStack) -> None:
    (shown,) = [e for e in REFUSED if e["error"]["code"] == "rate_limited"]
    stack = make_stack({"limits.frames_per_second": "20", "limits.frames_burst": "60"})
    scene = Scene(stack)
    live = scene.socket(scene.ann)
    for _ in range(80):
        live.ask("ping")
    reply = live.wait_for(lambda o: o.get("ok") is False, "a refusal")
    assert differences(shown, reply) == []
    assert (reply["error"]["code"], reply["error"]["retryable"]) == ("rate_limited", True)
    assert 0 < reply["error"]["retry_after_ms"] <= shown["error"]["retry_after_ms"]
    scene.close()


# -- events: how each comes about
Cause = Callable[[Scene], Json]


def message_created(scene: Scene) -> Json:
    live = scene.socket(scene.bob)
    return live.created(scene.ann.say(scene.bob, "news")["id"])


def after(type_: str, act: Callable[[Live, dict[str, str]], object]) -> Cause:
    """The event that Bob gets for what Ann does to her message."""

    def cause(scene: Scene) -> Json:
        live, mine = scene.socket(scene.bob), scene.socket(scene.ann)
        act(mine, {"conversation_id": scene.room, "message_id": scene.message["id"]})
        return live.event(type_)

    return cause


def conversation_created(scene: Scene) -> Json:
    live, new = scene.socket(scene.bob), Person.new(scene.stack)
    new.say(scene.bob, "pleased to meet you")
    return live.event("conversation.created")


def conversation_removed(scene: Scene) -> Json:
    other = Person.new(scene.stack).conversation_with(Person.new(scene.stack))
    return scene.socket(scene.bob, epoch=scene.epoch, me=1, known={other: 1}).event("conversation.removed")


def read_updated(scene: Scene) -> Json:
    live = scene.socket(scene.bob.another_device())
    scene.bob.request("PUT", f"/conversations/{scene.room}/read", json={"seq": 1})
    return live.event("read.updated")


def passing(type_: str, said: str, **keys: object) -> Cause:
    """What Ann hears of Bob."""

    def cause(scene: Scene) -> Json:
        live, theirs = scene.socket(scene.ann), scene.socket(scene.bob)
        assert theirs.request(said, conversation_id=scene.room, **keys)["ok"]
        return live.event(type_)

    return cause


def in_a_group(type_: str, act: Callable[[Scene, str], object], **keys: object) -> Cause:
    """The event that Bob gets for what Ann does in a group of theirs."""

    def cause(scene: Scene) -> Json:
        group = scene.ann.make_group("Tea", scene.bob)
        live = scene.socket(scene.bob)
        answer = act(scene, group)
        assert isinstance(answer, httpx.Response) and answer.is_success, answer
        return live.event(type_, conversation_id=group, **keys)

    return cause


def add_somebody(scene: Scene, group: str) -> httpx.Response:
    return scene.ann.add(group, Person.new(scene.stack))


def by_oneself(type_: str, method: str, path: str, body: Json | None = None) -> Cause:
    """What Bob's devices hear of what he did himself."""

    def cause(scene: Scene) -> Json:
        live = scene.socket(scene.bob.another_device())
        here = path.format(room=scene.room, ann=scene.ann.id)
        assert scene.bob.request(method, here, json=body).is_success
        return live.event(type_)

    return cause


def presence_updated(scene: Scene) -> Json:
    live = scene.socket(scene.ann)
    assert live.request("presence.watch", user_ids=[scene.bob.id])["ok"]
    scene.socket(scene.bob)
    return live.event("presence.updated")


def presence_count(scene: Scene) -> Json:
    group, _ = crowd.make_group(scene.stack, scene.ann, LARGE)
    return scene.socket(scene.ann).event("presence.count", 30, conversation_id=group)


def user_updated(scene: Scene) -> Json:
    live = scene.socket(scene.ann)
    assert live.request("presence.watch", user_ids=[scene.bob.id])["ok"]
    assert scene.bob.request("PATCH", "/users/me", json={"display_name": "Robert"}).is_success
    return live.event("user.updated")


def session_revoked(scene: Scene) -> Json:
    live = scene.socket(scene.ann.another_device())
    live_id = scene.ann.get("/auth/sessions").json()["items"]
    (other,) = [item["id"] for item in live_id if not item["current"]]
    assert scene.ann.request("DELETE", f"/auth/sessions/{other}").status_code == 204
    return live.event("session.revoked")


def changes_of_the_person(scene: Scene) -> Json:
    live = scene.socket(scene.bob, epoch=scene.epoch, me=0, known={scene.room: scene.head})
    return live.wait_for(lambda o: o.get("type") == "changes" and "conversation_id" not in o, "changes without one")


def gap(scene: Scene) -> Json:
    for n in range(220):
        scene.ann.say(scene.bob, f"more than a repair holds {n}")
    live = scene.socket(scene.bob, epoch=scene.epoch, me=1, known={scene.room: 1})
    return live.event("gap", conversation_id=scene.room)


def gap_of_the_person(scene: Scene) -> Json:
    live = scene.socket(scene.bob, epoch=scene.epoch, me=10**6, known={scene.room: scene.head})
    return live.wait_for(lambda o: o.get("type") == "gap" and "conversation_id" not in o, "a gap without one")


CAUSES: dict[str, Cause] = {
    "message.created": message_created,
    "message.updated": after(
        "message.updated", lambda live, where: live.request("message.edit", content="ho", **where)
    ),
    "message.deleted": after("message.deleted", lambda live, where: live.request("message.delete", **where)),
    "reaction.updated": after(
        "reaction.updated", lambda live, where: live.request("reaction.add", emoji="👍", **where)
    ),
    "conversation.created": conversation_created,
    "conversation.removed": conversation_removed,
    "read.updated": read_updated,
    "read.updated in passing": passing("read.updated", "read.update", seq=1),
    "delivered.updated in passing": passing("delivered.updated", "delivered.update", seq=1),
    "typing.started in passing": passing("typing.started", "typing.start"),
    "member.joined": in_a_group("member.joined", add_somebody),
    "member.updated": in_a_group("member.updated", lambda s, group: s.ann.give_role(group, s.bob.id, "admin")),
    "member.left": in_a_group("member.left", lambda s, group: s.ann.remove(group, s.bob.id)),
    "conversation.updated": in_a_group(
        "conversation.updated",
        lambda s, group: s.ann.request("PATCH", f"/conversations/{group}", json={"title": "Tea!"}),
    ),
    "conversation.deleted": in_a_group(
        "conversation.deleted", lambda s, group: s.ann.request("DELETE", f"/conversations/{group}")
    ),
    "conversation.settings role": in_a_group(
        "conversation.settings", lambda s, group: s.ann.give_role(group, s.bob.id, "admin")
    ),
    "conversation.settings muted_until": by_oneself(
        "conversation.settings", "PUT", "/conversations/{room}/mute", {"until": "2099-01-31T23:59:59.123Z"}
    ),
    "block.updated": by_oneself("block.updated", "PUT", "/users/me/blocks/{ann}"),
    "presence.updated": presence_updated,
    "presence.count": presence_count,
    "user.updated": user_updated,
    "session.revoked": session_revoked,
    "changes of the person": changes_of_the_person,
    "gap": gap,
    "gap of the person": gap_of_the_person,
}


def name_of(event: Json) -> str:
    if event["type"] == "conversation.settings":
        return f"{event['type']} {(event.keys() - {'type', 'me', 'conversation_id'}).pop()}"
    if "user_id" in event and not {"me", "rev"} & event.keys():
        return f"{event['type']} in passing"
    streams = event["type"] in ("changes", "gap") and "conversation_id" not in event
    return f"{event['type']} of the person" if streams else str(event["type"])


def unlike(example: Json, real: Json) -> list[str]:
    """The differences that count."""
    sometimes = SOMETIMES.get(example["type"], set())
    return differences(example, {key: value for key, value in real.items() if key not in sometimes})


@pytest.mark.parametrize("example", [e for e in EVENTS if name_of(e) not in OF_AN_END], ids=name_of)
def test_an_event_is_what_really_comes(scene: Scene, example: Json) -> None:
    assert unlike(example, CAUSES[name_of(example)](scene)) == []


def test_without_the_bus_it_is_as_shown(own_stack: Stack) -> None:
    """The mode, and what was missing of a conversation, read from the database."""
    mode, changes = (next(e for e in EVENTS if name_of(e) == name) for name in ("mode", "changes"))
    (unknown,) = [e for e in EVENTS if e["type"] == "presence.unknown"]
    scene = Scene(own_stack)
    live = scene.socket(scene.bob)
    assert live.request("presence.watch", user_ids=[scene.ann.id])["ok"]
    own_stack.redis.kill()
    assert live.event("presence.unknown", timeout=20) == unknown
    assert live.event("mode", timeout=20, mode="degraded") == mode
    scene.ann.say(scene.bob, "by the database")
    assert unlike(changes, live.event("changes", timeout=20, conversation_id=scene.room)) == []
    own_stack.restart("redis")
    assert unlike(mode, live.event("mode", timeout=20, mode="normal")) == []
    scene.close()


def test_a_server_that_ends_says_so_as_shown(make_stack: MakeStack) -> None:
    (shown,) = [e for e in EVENTS if e["type"] == "reconnect"]
    scene = Scene(make_stack({"push.drain_ms": str(shown["after_ms"])}))
    live = scene.socket(scene.ann)
    assert scene.stack.push.child
    scene.stack.push.child.terminate()
    assert live.event("reconnect") == shown
    assert live.wait_closed(10) == 4001
    scene.stack.push.child.wait(10)
    scene.stack.restart("push")
    scene.close()


def test_the_server_says_nothing_that_is_not_shown(scene: Scene) -> None:
    """All that two people and their devices hear while they do what can be done."""
    shown = {e["type"] for e in EVENTS} | {"hello", "pong"}
    devices = [scene.socket(person) for person in (scene.ann, scene.bob, scene.bob.another_device())]
    mine, theirs = devices[:2]
    for cause in ("message.updated", "reaction.updated", "message.deleted", "read.updated", "conversation.created"):
        with suppress(KeyError):
            CAUSES[cause](scene)
    mine.say("and more", recipient_id=scene.bob.id)
    theirs.request("read.update", conversation_id=scene.room, seq=1)
    for live in devices:
        live.barrier()
        said = {o["type"] for o in live.objects if "type" in o}
        assert said <= shown
        for event in live.objects:
            alike = [e for e in EVENTS if e["type"] == event.get("type")]
            assert not alike or [] in [unlike(e, event) for e in alike], event
