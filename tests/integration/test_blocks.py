"""Blocking a person: they can't write to the blocker, and can't tell that from a disabled account."""

from __future__ import annotations

import pytest

from support import truth
from support.client import Json, Person, new_id
from support.follower import Follower
from support.problems import problem
from support.shared import MakePerson
from support.stack import Stack

WAVE = "👋"


def block(person: Person, other: Person) -> None:
    assert person.request("PUT", f"/users/me/blocks/{other.id}").status_code == 204


def unblock(person: Person, other: Person) -> None:
    assert person.request("DELETE", f"/users/me/blocks/{other.id}").status_code == 204


def blocked(person: Person) -> list[str]:
    return [item["user"]["id"] for item in person.get("/users/me/blocks").json()["items"]]


def attempts(bob: Person, ann: Person, said: Json) -> dict[str, Json]:
    """All ways to tell Ann something, each refused; what Bob is told, without what differs by request."""
    room = said["conversation_id"]
    message = f"/conversations/{room}/messages/{said['id']}"
    answers = {
        "direct": bob.send_direct(ann.id, "psst"),
        "send": bob.send(room, "psst"),
        "edit": bob.request("PATCH", message, json={"content": "psst"}),
        "react": bob.request("PUT", f"{message}/reactions/{WAVE}"),
    }
    told = {name: problem(answer, 404, "user_not_found") for name, answer in answers.items()}
    with bob.connect() as live:
        reply = live.request("message.send", conversation_id=room, content="psst")
        told["frame"] = reply["error"]
    for one in told.values():
        one.pop("request_id", None), one.pop("instance", None)
    return told


def test_who_is_blocked_is_told_what_a_disabled_account_would_tell(stack: Stack, person: MakePerson) -> None:
    ann, bob = person(), person()
    said = bob.say(ann, "hello")
    room = said["conversation_id"]
    block(ann, bob)
    before = ann.history(room), ann.get(f"/conversations/{room}").json()
    by_block = attempts(bob, ann, said)
    assert (ann.history(room), ann.get(f"/conversations/{room}").json()) == before
    assert bob.get(f"/users/{ann.id}").status_code == 200
    assert bob.sync().json()["me"]["blocks"] == [], "it is Ann's alone"

    unblock(ann, bob)
    truth.disable_user(stack, ann.id)
    assert attempts(bob, ann, said) == by_block
    truth.enable_user(stack, ann.id)
    assert bob.say(ann, "again")["seq"] == 2


def test_who_is_blocked_adds_nobody_who_blocks_them(person: MakePerson) -> None:
    ann, bob, eve = person(), person(), person()
    block(ann, bob)
    wanted = {"kind": "group", "title": "You cannot hide", "member_ids": [ann.id]}
    problem(bob.post("/conversations", wanted), 422, "user_unavailable")
    group = bob.make_group("Tea", eve)
    problem(bob.add(group, ann), 422, "user_unavailable")
    unblock(ann, bob)
    assert bob.add(group, ann).is_success


def test_a_block_goes_one_way_and_keeps_what_was_said(person: MakePerson) -> None:
    ann, bob = person(), person()
    id_ = new_id()
    said = bob.say(ann, "hello", id=id_)
    block(ann, bob)
    replayed = bob.send_direct(ann.id, "hello", id=id_)
    assert replayed.status_code == 200 and replayed.json()["id"] == id_, "what was accepted stays accepted"
    assert bob.request("DELETE", f"/conversations/{said['conversation_id']}/messages/{id_}").status_code == 200
    assert ann.say(bob, "I may still write")["seq"] == 2


def test_nobody_who_is_blocked_begins_a_conversation(person: MakePerson) -> None:
    ann, bob = person(), person()
    block(ann, bob)
    draft = {"kind": "direct", "user_id": ann.id}
    problem(bob.post("/conversations", draft), 404, "user_not_found")
    problem(bob.send_direct(ann.id, "psst"), 404, "user_not_found")
    assert ann.conversations() == bob.conversations() == []
    unblock(ann, bob)
    assert bob.post("/conversations", draft).status_code == 201


def test_blocks_are_listed_and_repeating_changes_nothing(person: MakePerson) -> None:
    ann, others = person(), [person() for _ in range(3)]
    for other in others:
        block(ann, other)
    before = ann.sync().json()["me"]
    block(ann, others[0])
    assert ann.sync().json()["me"] == before, "it was so already"
    assert set(blocked(ann)) == {other.id for other in others}
    page = ann.get("/users/me/blocks", limit=2).json()
    rest = ann.get("/users/me/blocks", limit=2, cursor=page["next_cursor"]).json()
    assert [i["user"]["id"] for i in page["items"] + rest["items"]] == blocked(ann)
    assert rest["next_cursor"] is None
    unblock(ann, others[0])
    unblock(ann, others[0])
    assert others[0].id not in blocked(ann)
    epoch = ann.sync().json()["epoch"]
    [row] = ann.sync(me=before["rev"], epoch=epoch).json()["me"]["blocks"]
    assert (row["user_id"], row["blocked"]) == (others[0].id, False)


@pytest.mark.parametrize("nobody", [new_id(), "x"])
def test_nobody_cannot_be_blocked(ann: Person, nobody: str) -> None:
    problem(ann.request("PUT", f"/users/me/blocks/{nobody}"), 404, "user_not_found")
    unblocked = ann.request("DELETE", f"/users/me/blocks/{nobody}")
    problem(unblocked, 404, "user_not_found")
    problem(ann.request("PUT", f"/users/me/blocks/{ann.id}"), 422, "block_oneself")


def test_the_persons_devices_hear_of_it(ann: Person, bob: Person) -> None:
    phone, other = ann.connect(), ann.connect(direct=True)
    theirs = bob.connect()
    block(ann, bob)
    for live in (phone, other):
        assert live.event("block.updated", user_id=bob.id)["blocked"] is True
    unblock(ann, bob)
    for live in (phone, other):
        assert live.event("block.updated", user_id=bob.id, blocked=False)
    theirs.barrier()
    assert not [o for o in theirs.objects if o.get("type") == "block.updated"]
    for live in (phone, other, theirs):
        live.close()


def test_a_lost_record_is_repaired(own_stack: Stack, person: MakePerson) -> None:
    """The bus never hears of it: the heads check does, and the changes of the person's stream say it."""
    if b"STONECHAT_FAULT_WRITER" not in (own_stack.build / "stonechat-api").read_bytes():
        pytest.skip("built without faults")
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    own_stack.api.kill()
    own_stack.api.env = own_stack.env | {"STONECHAT_FAULT_WRITER": "skip_publish"}
    own_stack.restart("api")
    with ann.connect() as live:
        block(ann, bob)
        frame = live.wait_for(lambda o: o.get("type") == "changes" and o.get("blocks"), "the repair", 15)
        assert [(row["user_id"], row["blocked"]) for row in frame["blocks"]] == [(bob.id, True)]


def test_a_client_holds_whom_its_person_blocks() -> None:
    """Rows in any order; the newest about a person counts."""
    follower = Follower(new_id())
    bob, eve = new_id(), new_id()
    rows = [{"user_id": bob, "blocked": True, "me": 5}, {"user_id": eve, "blocked": True, "me": 6}]
    follower.blocks.apply(rows)
    follower.blocks.apply([{"user_id": bob, "blocked": False, "me": 7}])
    follower.blocks.apply(rows)
    assert follower.blocks.users == {eve}
