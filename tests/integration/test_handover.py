"""A group whose owner cannot log in: administrators and operators give it another one, and everybody hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support import truth
from support.admin_command import did, run
from support.client import Json, Person
from support.live import Live
from support.problems import problem
from support.shared import MakePerson, MakeStack
from support.stack import Stack

BUS_BOUND_S, CHECK_BOUND_S, PATIENCE = 1.0, 5.0, 3
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def admin(stack: Stack) -> Iterator[Person]:
    person = Person.new(stack, "admin")
    truth.make_admin(stack, person.id)
    yield person
    person.close()


def path(group_id: str) -> str:
    return f"/admin/conversations/{group_id}/handover"


def disable(admin: Person, person: Person, disabled: bool = True) -> None:
    answer = admin.request("PATCH", f"/admin/users/{person.id}", json={"disabled": disabled})
    assert answer.status_code == 200, answer.text


def role(person: Person, group_id: str) -> str:
    return str(person.get(f"/conversations/{group_id}").json()["role"])


def test_the_group_of_a_disabled_owner_is_handed_over(admin: Person, person: MakePerson) -> None:
    ann, bob, eve = person("owner"), person("heir"), person("member")
    group_id = ann.make_group("Tea", bob, eve)
    problem(admin.post(path(group_id), {"user_id": bob.id}), 409, "owner_active")
    disable(admin, ann)
    with bob.connect() as of_bob, eve.connect() as of_eve:
        answer = admin.post(path(group_id), {"user_id": bob.id})
        assert answer.status_code == 200, answer.text
        changed = {item["user_id"]: item["role"] for item in answer.json()["items"]}
        assert changed == {bob.id: "owner", ann.id: "admin"}
        for live in (of_bob, of_eve):
            event = live.event("member.updated", BUS_BOUND_S * PATIENCE, conversation_id=group_id)
            assert {row["user_id"]: row["role"] for row in event["members"]} == changed
        settings = of_bob.event("conversation.settings", BUS_BOUND_S * PATIENCE, conversation_id=group_id)
        assert settings["role"] == "owner"
    assert role(bob, group_id) == "owner" and bob.give_role(group_id, eve.id, "admin").status_code == 200
    (act,) = admin.get("/admin/audit", target=group_id).json()["items"]
    assert (act["action"], act["actor"]) == ("conversation.handed_over", admin.id)
    assert act["detail"] == {"from": ann.id, "to": bob.id}

    assert admin.post(path(group_id), {"user_id": bob.id}).json() == {"items": []}, "it is so already"
    disable(admin, ann, False)
    back = ann.another_device()
    assert role(back, group_id) == "admin", "who comes back finds an owner and stays an admin"
    assert back.remove(group_id).status_code == 204
    back.close()


def test_what_is_refused(admin: Person, person: MakePerson) -> None:
    ann, bob, eve = person("owner"), person("away"), person("stranger")
    group_id = ann.make_group("Tea", bob)
    direct = ann.say(bob, "hello")["conversation_id"]
    disable(admin, ann)
    disable(admin, bob)
    problem(bob.post(path(group_id), {"user_id": bob.id}), 401, "session_ended")
    problem(eve.post(path(group_id), {"user_id": eve.id}), 403, "admin_required")
    problem(admin.post(path(group_id), {"user_id": eve.id}), 404, "member_not_found")
    problem(admin.post(path(group_id), {"user_id": bob.id}), 422, "user_unavailable")
    problem(admin.post(path(group_id), {"user_id": "odd"}), 422, "id_invalid")
    problem(admin.post(path(group_id), {}), 400, "missing_key")
    problem(admin.post(path(direct), {"user_id": eve.id}), 409, "not_a_group")
    for nothing in (NOBODY, "odd"):
        problem(admin.post(path(nothing), {"user_id": eve.id}), 404, "conversation_not_found")
    assert admin.get("/admin/audit", target=group_id).json()["items"] == []


def without_bus(stack: Stack) -> None:
    stack.redis.kill()
    stack.wait_ready("degraded")


def without_records(stack: Stack) -> None:
    """Redis is there, and what the api has to say is lost."""
    stack.api.end()
    stack.api.env = stack.api.env | {"STONECHAT_FAULT_WRITER": "skip_publish"}
    stack.restart("api")


def is_repaired(live: Live, group_id: str) -> Json:
    """The row of one's own stream that brings the new role."""

    def tells(frame: Json) -> bool:
        rows = frame.get("memberships", []) if frame.get("type") == "changes" else []
        return any((row["conversation_id"], row["role"]) == (group_id, "owner") for row in rows)

    return live.wait_for(tells, "the role in a repair", CHECK_BOUND_S * PATIENCE)


@pytest.mark.parametrize("breaks", [without_bus, without_records])
def test_a_handover_whose_record_is_lost_is_told(make_stack: MakeStack, breaks: Callable[[Stack], None]) -> None:
    stack = make_stack()
    if b"STONECHAT_FAULT_WRITER" not in (stack.build / "stonechat-api").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    root, ann, bob = (Person.new(stack, name) for name in ("root", "ann", "bob"))
    group_id = ann.make_group("Tea", bob)
    disable(root, ann)
    breaks(stack)
    with bob.connect() as live:
        assert root.post(path(group_id), {"user_id": bob.id}).status_code == 200
        is_repaired(live, group_id)
    rows = bob.sync().json()["me"]["memberships"]
    assert [row["role"] for row in rows if row["conversation_id"] == group_id] == ["owner"]
    changed = bob.changes(group_id, after_rev=1).json()["members"]
    assert {row["user_id"]: row["role"] for row in changed} == {ann.id: "admin", bob.id: "owner"}


def test_by_the_command_line(stack: Stack, admin: Person, person: MakePerson) -> None:
    ann, bob, eve = person("owner"), person("heir"), person("member")
    owned, other = ann.make_group("Tea", bob, eve), bob.make_group("Coffee", ann)
    assert ann.give_role(owned, eve.id, "admin").status_code == 200
    groups = {group["id"]: group for group in did(stack, "groups", ann.username)}
    assert groups[owned] == {"id": owned, "title": "Tea", "role": "owner", "member_count": 3, "heir": eve.id}
    assert groups[other] == {"id": other, "title": "Coffee", "role": "member", "member_count": 2, "heir": None}
    refused = run(stack, "handover", owned, bob.username)
    assert refused.returncode == 1 and "only they may hand it over" in refused.stderr
    disable(admin, eve)
    groups = {group["id"]: group for group in did(stack, "groups", ann.username)}
    assert groups[owned]["heir"] == bob.id, "the admin cannot log in"
    disable(admin, ann)
    disable(admin, bob)
    groups = {group["id"]: group for group in did(stack, "groups", ann.username)}
    assert groups[owned]["heir"] is None and "next:" not in run(stack, "groups", ann.username).stdout
    disable(admin, bob, False)
    bob = bob.another_device()
    with bob.connect() as live:
        done = run(stack, "handover", owned, bob.username)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{bob.username} is the owner of {owned}\n"
        live.event("member.updated", BUS_BOUND_S * PATIENCE, conversation_id=owned)
    assert did(stack, "handover", owned, bob.id) == [{"conversation_id": owned, "owner_id": bob.id}]
    assert f"{owned}  admin " in run(stack, "groups", ann.username).stdout
    (act,) = did(stack, "audit", "--action", "conversation", "--target", owned)
    assert act["actor"].startswith("operator:") and act["detail"] == {"from": ann.id, "to": bob.id}
    for argv, code in ((("handover", owned), 2), (("handover", "odd", bob.id), 1), (("groups", "nobody-at-all"), 1)):
        assert run(stack, *argv).returncode == code
