"""Groups: made, renamed, ended; people added and removed, roles and ownership, and who learns of it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from support import truth
from support.client import Json, Person, new_id
from support.follower import Follower
from support.live import Live
from support.problems import problem
from support.shared import MakePerson, MakeStack
from support.stack import Stack
from support.streams import Request

HEADS_CHECK_S = 5.0
PATIENCE = 3
AT_ONCE_S = 3.0  # three times the promise
FULL = 10_000
NOBODY = "00000000-0000-4000-8000-000000000000"


def members(person: Person, group_id: str) -> dict[str, str]:
    """Roles by user id, read in pages of two."""
    found: dict[str, str] = {}
    cursor: Json = {}
    while True:
        answer = person.get(f"/conversations/{group_id}/members", limit=2, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found |= {item["user_id"]: item["role"] for item in page["items"]}
        if not page["next_cursor"]:
            return found
        cursor = {"cursor": page["next_cursor"]}


def item(person: Person, group_id: str) -> Json:
    answer = person.get(f"/conversations/{group_id}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def change(person: Person, group_id: str, **body: object) -> httpx.Response:
    return person.request("PATCH", f"/conversations/{group_id}", json=body)


def delete(person: Person, group_id: str) -> httpx.Response:
    return person.request("DELETE", f"/conversations/{group_id}")


# -- making one
def test_a_group_is_made_with_its_members(ann: Person, bob: Person, eve: Person) -> None:
    group_id = ann.make_group("Tea", bob)
    made = item(bob, group_id)
    assert (made["kind"], made["title"], made["member_count"], made["slow_mode_s"]) == ("group", "Tea", 2, 0)
    assert made["role"] == "member" and item(ann, group_id)["role"] == "owner"
    assert members(ann, group_id) == {ann.id: "owner", bob.id: "member"}
    problem(eve.get(f"/conversations/{group_id}"), 404, "conversation_not_found")
    problem(eve.get(f"/conversations/{group_id}/members"), 404, "conversation_not_found")
    assert bob.send(group_id, "hello").status_code == 201


def test_the_same_id_is_the_same_group(ann: Person, bob: Person, eve: Person) -> None:
    body = {"kind": "group", "title": "Tea", "member_ids": [bob.id], "id": new_id()}
    answers = [ann.post("/conversations", body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert answers[0].json() == answers[2].json()
    problem(ann.post("/conversations", body | {"title": "Coffee"}), 409, "id_reused")
    problem(ann.post("/conversations", body | {"member_ids": []}), 409, "id_reused")
    assert change(ann, body["id"], title="Coffee").status_code == 200
    assert ann.post("/conversations", body).json()["title"] == "Coffee", "the row as it is now"
    problem(bob.post("/conversations", body | {"member_ids": []}), 409, "id_reused")
    problem(ann.post("/conversations", body | {"member_ids": [eve.id]}), 409, "id_reused")


def test_nobody_takes_the_id_of_a_direct_conversation(ann: Person, bob: Person) -> None:
    direct = ann.conversation_with(bob)
    problem(ann.post("/conversations", {"kind": "group", "title": "x", "id": direct}), 422, "id_invalid")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "group"}, 400, "missing_key"),
        ({"kind": "direct"}, 400, "missing_key"),
        ({"kind": "group", "title": "x", "user_id": NOBODY}, 400, "unknown_key"),
        ({"kind": "direct", "user_id": NOBODY, "title": "x"}, 400, "unknown_key"),
        ({"kind": "party", "user_id": NOBODY}, 422, "kind_unsupported"),
        ({"kind": "group", "title": " "}, 422, "title_invalid"),
        ({"kind": "group", "title": "x" * 101}, 422, "title_invalid"),
        ({"kind": "group", "title": "a\u202eb"}, 422, "title_invalid"),
        ({"kind": "group", "title": "\u2800"}, 422, "title_invalid"),
        ({"kind": "group", "title": "\u0301"}, 422, "title_invalid"),
        ({"kind": "group", "title": "x", "member_ids": [1]}, 400, "wrong_type"),
        ({"kind": "group", "title": "x", "member_ids": ["x"]}, 422, "id_invalid"),
        ({"kind": "group", "title": "x", "member_ids": [NOBODY, NOBODY]}, 422, "id_repeated"),
        ({"kind": "group", "title": "x", "member_ids": [NOBODY]}, 422, "user_unavailable"),
        ({"kind": "group", "title": "x", "member_ids": [new_id() for _ in range(101)]}, 422, "too_many"),
    ],
)
def test_what_makes_no_group(ann: Person, body: Json, status: int, code: str) -> None:
    before = len(ann.conversations())
    problem(ann.post("/conversations", body), status, code)
    assert len(ann.conversations()) == before


# -- who may do what
def test_roles(person: MakePerson) -> None:
    owner, admin, member, former, new = (person(name) for name in ("owner", "admin", "member", "former", "new"))
    group_id = owner.make_group("Tea", admin, member, former)
    assert owner.give_role(group_id, admin.id, "admin").json()["items"][0]["role"] == "admin"
    assert former.remove(group_id).status_code == 204
    problem(former.remove(group_id), 404, "conversation_not_found")
    before = item(owner, group_id)["last_rev"]

    for who in (member, former):
        status, code = (403, "role_too_low") if who is member else (404, "conversation_not_found")
        problem(change(who, group_id, title="x"), status, code)
        problem(delete(who, group_id), status, code)
        problem(who.add(group_id, new), status, code)
        problem(who.request("PUT", f"/conversations/{group_id}/members/{new.id}"), status, code)
        problem(who.give_role(group_id, member.id, "admin"), status, code)
        problem(who.remove(group_id, admin.id), status, code)
    problem(delete(admin, group_id), 403, "role_too_low")
    problem(admin.give_role(group_id, admin.id, "owner"), 403, "role_too_low")
    problem(admin.remove(group_id, owner.id), 403, "role_too_low")
    problem(owner.remove(group_id), 409, "last_owner")
    problem(owner.give_role(group_id, owner.id, "member"), 409, "last_owner")
    problem(owner.give_role(group_id, former.id, "admin"), 404, "member_not_found")
    problem(owner.remove(group_id, NOBODY), 404, "member_not_found")
    problem(owner.give_role(group_id, member.id, "king"), 422, "role_invalid")
    problem(change(owner, group_id, slow_mode_s=3601), 422, "out_of_range")
    problem(change(owner, group_id, slow_mode_s=-1), 422, "out_of_range")
    problem(change(owner, group_id, name="x"), 400, "unknown_key")
    problem(owner.request("PATCH", f"/conversations/{group_id}/members/{member.id}", json={}), 400, "missing_key")
    problem(owner.post(f"/conversations/{group_id}/members", {}), 400, "missing_key")
    problem(owner.get(f"/conversations/{group_id}/members", cursor="x"), 400, "cursor_invalid")
    problem(owner.get(f"/conversations/{group_id}/members", limit=0), 422, "out_of_range")
    assert item(owner, group_id)["last_rev"] == before, "what is refused changes nothing"

    assert admin.add(group_id, new).status_code == 200
    assert admin.remove(group_id, new.id).status_code == 204
    assert owner.give_role(group_id, admin.id, "owner").status_code == 200
    assert members(owner, group_id) == {owner.id: "admin", admin.id: "owner", member.id: "member"}
    assert owner.remove(group_id).status_code == 204
    assert item(admin, group_id)["member_count"] == 2


def test_what_is_so_already_changes_nothing(ann: Person, bob: Person, eve: Person) -> None:
    group_id = ann.make_group("Tea", bob, eve)
    assert ann.remove(group_id, eve.id).status_code == 204
    before = item(ann, group_id)["last_rev"]
    assert ann.add(group_id, bob).json() == {"items": []}
    assert change(ann, group_id, title="Tea", slow_mode_s=0).status_code == 200
    assert change(ann, group_id).status_code == 200
    assert ann.give_role(group_id, bob.id, "member").status_code == 200
    assert ann.remove(group_id, eve.id).status_code == 204
    assert item(ann, group_id)["last_rev"] == before


def test_who_cannot_be_added(stack: Stack, ann: Person, bob: Person, eve: Person) -> None:
    """Nobody of a request is added when one of them cannot be."""
    group_id = ann.make_group("Tea")
    path = f"/conversations/{group_id}/members"
    truth.disable_user(stack, eve.id)
    for who in (eve.id, NOBODY):
        refused = problem(ann.post(path, {"user_ids": [bob.id, who]}), 422, "user_unavailable")
        assert who in refused["detail"]
        problem(ann.request("PUT", f"{path}/{who}"), 404, "user_not_found")
    truth.enable_user(stack, eve.id)
    truth.delete_user(stack, eve.id)
    problem(ann.post(path, {"user_ids": [eve.id]}), 422, "user_unavailable")
    problem(ann.post(path, {"user_ids": []}), 422, "invalid")
    problem(ann.post(path, {"user_ids": [bob.id, bob.id]}), 422, "id_repeated")
    problem(ann.post(path, {"user_ids": [new_id() for _ in range(101)]}), 422, "too_many")
    assert members(ann, group_id) == {ann.id: "owner"}
    for _ in range(2):
        assert ann.request("PUT", f"{path}/{bob.id}").status_code == 200
    assert members(ann, group_id) == {ann.id: "owner", bob.id: "member"}


def test_a_full_group_takes_nobody(stack: Stack, ann: Person, bob: Person, eve: Person) -> None:
    group_id = ann.make_group("Tea", bob)
    truth.write(stack, "UPDATE conversations SET member_count = ? WHERE id = ?", FULL, group_id)
    before = item(ann, group_id)
    problem(ann.add(group_id, eve), 409, "conversation_full")
    problem(ann.request("PUT", f"/conversations/{group_id}/members/{eve.id}"), 409, "conversation_full")
    problem(eve.get(f"/conversations/{group_id}"), 404, "conversation_not_found")
    assert item(ann, group_id) == before and members(ann, group_id) == {ann.id: "owner", bob.id: "member"}
    assert ann.add(group_id, bob).status_code == 200, "who is in it already needs no place"
    assert bob.remove(group_id).status_code == 204
    assert ann.add(group_id, eve).status_code == 200, "the place that became free"
    problem(ann.add(group_id, bob), 409, "conversation_full")


def test_a_direct_conversation_is_no_group(ann: Person, bob: Person, eve: Person) -> None:
    direct = ann.conversation_with(bob)
    problem(change(ann, direct, title="x"), 409, "not_a_group")
    problem(delete(ann, direct), 409, "not_a_group")
    problem(ann.add(direct, eve), 409, "not_a_group")
    problem(ann.request("PUT", f"/conversations/{direct}/members/{eve.id}"), 409, "not_a_group")
    problem(ann.remove(direct), 409, "not_a_group")
    problem(ann.give_role(direct, bob.id, "admin"), 409, "not_a_group")


def test_without_a_token(ann: Person, bob: Person) -> None:
    group_id = ann.make_group("Tea", bob)
    ann.token = None
    path = f"/conversations/{group_id}"
    for method, at, body in (
        ("PATCH", path, {"title": "x"}), ("DELETE", path, None), ("GET", f"{path}/members", None),
        ("POST", f"{path}/members", {"user_ids": [bob.id]}), ("PUT", f"{path}/members/{bob.id}", None),
        ("PATCH", f"{path}/members/{bob.id}", {"role": "admin"}), ("DELETE", f"{path}/members/{bob.id}", None),
    ):  # fmt: skip
        problem(ann.request(method, at, json=body) if body else ann.request(method, at), 401)


# -- who learns of it
def told(live: Live, type_: str, group_id: str) -> Json:
    return live.event(type_, timeout=AT_ONCE_S, conversation_id=group_id)


def test_every_member_is_told(ann: Person, bob: Person, eve: Person) -> None:
    with ann.connect() as of_ann, bob.connect() as of_bob, bob.connect() as of_bob_too, eve.connect() as of_eve:
        group_id = ann.make_group("Tea", bob)
        assert told(of_bob, "conversation.created", group_id)["conversation"]["title"] == "Tea"
        told(of_bob_too, "conversation.created", group_id)
        ann.send(group_id, "before Eve")
        assert change(ann, group_id, title="Coffee", slow_mode_s=0).status_code == 200
        assert told(of_bob, "conversation.updated", group_id)["conversation"]["title"] == "Coffee"
        assert ann.add(group_id, eve).status_code == 200
        assert told(of_eve, "conversation.created", group_id)["conversation"]["unread_count"] == 0
        snapshot = of_eve.wait_for(lambda o: o.get("type") == "changes" and o.get("snapshot"), "a snapshot")
        assert [row["content"] for row in snapshot["messages"]] == ["before Eve"], "she has what was said before"
        assert ann.give_role(group_id, bob.id, "admin").status_code == 200
        assert told(of_eve, "member.updated", group_id)["members"][0]["role"] == "admin"
        for live in (of_bob, of_bob_too):
            assert told(live, "conversation.settings", group_id)["role"] == "admin"

        assert ann.remove(group_id, bob.id).status_code == 204
        for live in (of_bob, of_bob_too):
            told(live, "conversation.removed", group_id)
        secret = ann.send(group_id, "not for Bob").json()["id"]
        of_eve.created(secret)
        for live in (of_bob, of_bob_too):
            live.barrier()
            assert all(event["message"]["id"] != secret for event in live.all_created(group_id))
        problem(bob.messages(group_id), 404, "conversation_not_found")
        problem(bob.send(group_id, "x"), 404, "conversation_not_found")

        assert delete(ann, group_id).status_code == 204
        told(of_eve, "conversation.removed", group_id)
        told(of_ann, "conversation.deleted", group_id)
        problem(eve.get(f"/conversations/{group_id}"), 404, "conversation_not_found")
        problem(delete(ann, group_id), 404, "conversation_not_found")


def test_a_former_member_is_added_again(ann: Person, bob: Person) -> None:
    group_id = ann.make_group("Tea", bob)
    assert bob.remove(group_id).status_code == 204
    missed = ann.send(group_id, "without Bob").json()["id"]
    with bob.connect() as live:
        assert ann.add(group_id, bob).status_code == 200
        told(live, "conversation.created", group_id)
        later = ann.send(group_id, "with Bob").json()
        live.told_of(later, 10.0)  # by the event, or with the snapshot when that was slower
    assert [row["id"] for row in bob.history(group_id)] == [missed, later["id"]]


def test_who_comes_back_has_muted_nothing_and_missed_nothing(ann: Person, bob: Person, eve: Person) -> None:
    group_id = ann.make_group("Tea", bob)
    assert bob.request("PUT", f"/conversations/{group_id}/mute", json={}).status_code == 200
    assert bob.remove(group_id).status_code == 204
    ann.send(group_id, "without Bob")
    with bob.connect() as of_bob, eve.connect() as of_eve:
        assert ann.add(group_id, bob, eve).status_code == 200
        for live in (of_bob, of_eve):
            assert told(live, "conversation.created", group_id)["conversation"]["muted_until"] is None
    rows = ann.get(f"/conversations/{group_id}/members").json()["items"]
    cursors = {row["user_id"]: (row["read_seq"], row["delivered_seq"]) for row in rows}
    for person in (bob, eve):
        assert item(person, group_id)["muted_until"] is None
        assert cursors[person.id] == (1, 1), "what was said before is read, so it has arrived"


def is_out(o: Json) -> bool:
    """Any of what tells a device that it is out of its only group."""
    if o.get("type") in ("conversation.deleted", "conversation.removed"):
        return True
    return o.get("type") == "changes" and any(not row["member"] for row in o.get("memberships", []))


def without_bus(stack: Stack) -> None:
    stack.redis.kill()
    stack.wait_ready("degraded")


def without_records(stack: Stack) -> None:
    stack.api.end()
    stack.api.env = stack.api.env | {"STONECHAT_FAULT_WRITER": "skip_publish"}
    stack.restart("api")


def with_all(stack: Stack) -> None:
    del stack


@pytest.mark.parametrize(("breaks", "within_s"), [(with_all, 3.0), (without_bus, 15.0), (without_records, 15.0)])
def test_two_nodes(make_stack: MakeStack, breaks: Callable[[Stack], None], within_s: float) -> None:
    """Added and removed on two push processes, whatever becomes of the bus; 5 s are promised: three times that."""
    stack = make_stack(pushes=2)
    ann, bob, eve = (Person.new(stack, name) for name in ("ann", "bob", "eve"))
    group_id = ann.make_group("Tea", eve)
    breaks(stack)
    with bob.connect(push=0) as one, bob.connect(push=1) as other, eve.connect(push=1) as of_eve:
        began = time.monotonic()
        assert ann.add(group_id, bob).status_code == 200
        for live in (one, other):
            live.wait_for(lambda o: (o.get("type"), o.get("snapshot")) == ("changes", True), "a snapshot", within_s)
        print(f"added after {time.monotonic() - began:.2f} s")
        began = time.monotonic()
        assert ann.remove(group_id, bob.id).status_code == 204
        secret = ann.send(group_id, "not for Bob").json()
        for live in (one, other):
            live.wait_for(is_out, "to be out of it", within_s)
        print(f"removed after {time.monotonic() - began:.2f} s")
        of_eve.told_of(secret, within_s)
        for live in (one, other):
            live.barrier()
            assert all(event["message"]["id"] != secret["id"] for event in live.all_created(group_id))
        assert delete(ann, group_id).status_code == 204
        of_eve.wait_for(is_out, "the end of it", within_s)


def test_a_role_whose_record_is_lost_is_told(own_stack: Stack) -> None:
    if b"STONECHAT_FAULT_WRITER" not in (own_stack.build / "stonechat-api").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    group_id = ann.make_group("Tea", bob)
    without_records(own_stack)
    with ann.connect() as of_ann, bob.connect() as of_bob:
        for role, former in (("admin", "owner"), ("owner", "admin")):
            assert ann.give_role(group_id, bob.id, role).status_code == 200
            rows = told_rows(of_bob, role)
            assert [(row["conversation_id"], row["role"]) for row in rows] == [(group_id, role)]
            [row] = [row for row in bob.sync().json()["me"]["memberships"] if row["conversation_id"] == group_id]
            assert row["role"] == role and item(ann, group_id)["role"] == former
        assert [row["role"] for row in told_rows(of_ann, "admin")] == ["admin"], "who handed over"
    assert bob.request("PUT", f"/conversations/{group_id}/mute", json={}).json()["role"] == "owner"


def told_rows(live: Live, role: str) -> list[Json]:
    """The rows of the person's stream that bring a role, as the repair finds them."""
    frame = live.wait_for(
        lambda o: o.get("type") == "changes" and any(row["role"] == role for row in o.get("memberships", [])),
        f"the role {role} in a repair",
        HEADS_CHECK_S * PATIENCE,
    )
    rows: list[Json] = frame["memberships"]
    return rows


def view_of(person: Person, live: Live) -> Follower:
    """What this device shows once it has applied all it was sent and asked what that calls for."""
    follower, now = Follower(person.id), 0
    follower.auth()
    for one in live.objects:
        if one.get("type") and ("reply_to" not in one or one["type"] == "hello"):
            follower.frame(one, now)
    for now in range(1000, 30_000, 1000):
        for request in follower.requests(now):
            answer_to(person, follower, request, now)
    assert follower.wake_at() is None, "it has come to rest"
    return follower


def answer_to(person: Person, follower: Follower, request: Request, now: int) -> None:
    path = f"/conversations/{request.conversation_id}"
    if request.kind == "sync":
        answers = [person.post("/sync", request.body)]
    elif request.kind == "changes":
        answers = [person.changes(str(request.conversation_id), after_rev=request.after_rev)]
    else:
        answers = [person.get(path), person.get(f"{path}/messages")]
    if any(answer.status_code == 404 for answer in answers):
        return follower.failed(request, now, gone=True)
    assert all(answer.status_code == 200 for answer in answers)
    bodies = [answer.json() for answer in answers]
    body = bodies[0] if len(bodies) == 1 else {"conversation": bodies[0], "page": bodies[1]}
    return follower.answer(request, body, now)


def hammer(admin: Person, group_id: str, people: list[Person], seed: int) -> None:
    """Adds and removes at random what others add and remove at the same time."""
    rng = random.Random(seed)
    for _ in range(25):
        who = rng.sample(people, 2)
        answer = admin.add(group_id, *who) if rng.random() < 0.5 else admin.remove(group_id, who[0].id)
        assert answer.status_code in (200, 204, 404), answer.text


def test_concurrent_changes_end_in_one_state(make_stack: MakeStack) -> None:
    """Three devices of the owner add and remove the same people: revisions are dense, the size is right, and every
    device at both nodes shows what the database says."""
    stack = make_stack(pushes=2)
    owner = Person.new(stack, "owner")
    people = [Person.new(stack, f"p{n}") for n in range(5)]
    group_id = owner.make_group("Tea")
    first = item(owner, group_id)["last_rev"]
    admins = [owner, owner.another_device(), owner.another_device()]
    devices = [(one, one.connect(push=push)) for one in [owner, *people] for push in (0, 1)]
    threads = [threading.Thread(target=hammer, args=(one, group_id, people, n)) for n, one in enumerate(admins)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = item(owner, group_id)["last_rev"]
    assert change(owner, group_id, title="Done").status_code == 200
    there = members(owner, group_id)
    assert item(owner, group_id)["member_count"] == len(there)
    rows = truth.read(stack, "SELECT user_id, left_at FROM members WHERE conversation_id = ?", group_id)
    assert {user_id for user_id, left_at in rows if left_at is None} == set(there)

    for person, live in devices:
        if person.id in there:
            live.wait_for(lambda o: heard(o, group_id) > last, "the last change")
        live.barrier()
        held = view_of(person, live).conversations.get(group_id)
        assert (held is not None) == (person.id in there), person.username
        if held:
            assert held.title == "Done" and held.known == last + 1
            assert {id_ for id_, row in held.members.items() if not row.get("left_at")} == set(there)
        assert person.get(f"/conversations/{group_id}").status_code == (200 if held else 404)

    events = [o for o in devices[0][1].objects if o.get("conversation_id") == group_id and "rev" in o and "me" not in o]
    assert [event["rev"] for event in events] == list(range(first + 1, last + 2)), "one event a revision, in order"
    for person, live in devices:
        live.close()
        person.close()


def heard(o: Json, group_id: str) -> int:
    """The revision of the group's stream that an object tells of."""
    if o.get("conversation_id") != group_id or o.get("type") == "conversation.removed":
        return 0
    return int(o.get("rev") or o.get("last_rev") or 0)
