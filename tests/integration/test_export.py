"""The export: people take along what is theirs, and what is known about them."""

from __future__ import annotations

from support.admin_command import did
from support.client import Json, Person
from support.problems import problem
from support.shared import MakePerson, MakeStack
from support.waiting import wait_until


def patch(admin: Person, user_id: str, **change: object) -> None:
    answer = admin.request("PATCH", f"/admin/users/{user_id}", json=change)
    assert answer.status_code == 200, answer.text


def export(person: Person, limit: int) -> list[Json]:
    items: list[Json] = []
    cursor: Json = {}
    while True:
        answer = person.get("/users/me/export", limit=limit, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


def test_people_take_along_what_is_theirs(person: MakePerson) -> None:
    ann, bob, eve = person(), person(), person()
    assert ann.post("/auth/tokens", {"name": "never used"}).status_code == 201
    said = [ann.say(other, f"{n}") for n in range(3) for other in (bob, eve)]
    theirs = bob.say(ann, "not hers")
    for emoji in ("\U0001f44d", "\U0001f44b"):
        path = f"/conversations/{theirs['conversation_id']}/messages/{theirs['id']}/reactions/{emoji}"
        assert ann.request("PUT", path).status_code == 200
    whole = export(ann, 200)
    assert export(ann, 1) == export(ann, 2) == whole
    by_kind: dict[str, list[Json]] = {}
    for one in whole:
        by_kind.setdefault(one["kind"], []).append(one)
    assert [one["id"] for one in by_kind["profile"]] == [ann.id]
    assert {one["type"] for one in by_kind["session"]} == {"device", "token"} and "refresh_hash" not in str(whole)
    assert len(by_kind["membership"]) == 2
    assert {one["id"] for one in by_kind["message"]} == {one["id"] for one in said}
    assert len(by_kind["message"]) == len(said) and "not hers" not in str(whole)
    assert {one["seq"] for one in by_kind["reaction"]} == {theirs["seq"]} and len(by_kind["reaction"]) == 2
    problem(ann.get("/users/me/export", cursor="odd"), 400, "cursor_invalid")
    problem(ann.get("/users/me/export", limit=0), 422, "out_of_range")


def test_they_also_take_along_what_is_known_about_them(make_stack: MakeStack) -> None:
    """Where they logged in, when they were last there, whom they were invited by, and what was done to the account."""
    stack = make_stack({"presence.grace_ms": "0", "auth.sign_up": "invite"})
    code = did(stack, "invite", "--note", "for the first")[0]["code"]
    root = Person.new(stack, "root", invite_code=code)
    invite = root.post("/admin/invites", {"note": "for Ann"}).json()
    ann = Person.new(stack, "ann", invite_code=invite["code"])
    bob = Person.new(stack, "bob", invite_code=root.post("/admin/invites", {}).json()["code"])
    with ann.connect():
        pass
    patch(root, ann.id, role="admin")
    made = ann.post("/auth/tokens", {"name": "a script"}).json()
    direct = bob.say(ann, "read this")["conversation_id"]
    assert ann.request("PUT", f"/conversations/{direct}/read", json={"seq": 1}).status_code == 200
    dan = Person.new(stack, "dan", invite_code=root.post("/admin/invites", {}).json()["code"])
    eve = Person.new(stack, "eve", invite_code=root.post("/admin/invites", {}).json()["code"])
    group_id, other_id = dan.make_group("Tea", ann, eve), dan.make_group("Coffee", eve, ann)
    patch(root, dan.id, disabled=True)
    for where, heir in ((group_id, ann), (other_id, eve)):
        handed_over = root.post(f"/admin/conversations/{where}/handover", {"user_id": heir.id})
        assert handed_over.status_code == 200, handed_over.text
    patch(ann, bob.id, disabled=True)

    def last_seen() -> object:
        (profile,) = [one for one in export(ann, 200) if one["kind"] == "profile"]
        return profile["last_seen"]

    wait_until(last_seen, "when she left")
    whole = export(ann, 200)
    assert export(ann, 1) == whole
    assert {one["address"] for one in whole if one.get("type") == "device"} == {"127.0.0.1"}
    (token,) = [one for one in whole if one.get("type") == "token"]
    assert (token["prefix"], token["expires_at"]) == (made["prefix"], made["expires_at"])
    cursors = [(one["read_seq"], one["delivered_seq"]) for one in whole if one["kind"] == "membership"]
    assert sorted(cursors) == [(0, 0), (0, 0), (1, 1)]
    (used,) = [one for one in whole if one["kind"] == "invite"]
    assert (used["id"], used["note"]) == (invite["id"], "for Ann") and used["used_at"] and "code" not in str(used)
    suffered, handed, done = [one for one in whole if one["kind"] == "act"]
    assert (handed["action"], handed["target"], handed["actor"]) == ("conversation.handed_over", group_id, None)
    assert handed["detail"] == {"from": dan.id, "to": ann.id} and handed["address"] is None
    assert (suffered["action"], suffered["target"]) == ("user.role_changed", ann.id)
    assert suffered["detail"] == {"from": "member", "to": "admin"}
    assert suffered["actor"] is None and suffered["address"] is None, "who administers is not told"
    assert (done["action"], done["actor"], done["target"]) == ("user.disabled", ann.id, bob.id)
    assert done["address"] == "127.0.0.1" and root.id not in str(whole)
