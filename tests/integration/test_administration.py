"""What administrators do over REST: accounts, invites, sign-up, audit; and people who delete themselves."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from support import truth
from support.client import PASSWORD, Api, Json, Person, new_name
from support.database import DatabaseError
from support.problems import problem
from support.shared import MakePerson, MakeStack
from support.stack import Stack
from support.waiting import wait_until

BUS_BOUND_S, CHECK_BOUND_S, PATIENCE = 1.0, 5.0, 3
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def admin(stack: Stack) -> Iterator[Person]:
    person = Person.new(stack, "admin")
    truth.make_admin(stack, person.id)
    yield person
    person.close()


def patch(admin: Person, user_id: str, **body: object) -> Json:
    answer = admin.request("PATCH", f"/admin/users/{user_id}", json=body)
    assert answer.status_code == 200, answer.text
    account: Json = answer.json()
    return account


def audit(admin: Person, **filters: str) -> list[Json]:
    answer = admin.get("/admin/audit", **filters)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def at(time: str) -> datetime:
    return datetime.fromisoformat(time)


def reset(admin: Person, user_id: str) -> str:
    answer = admin.post(f"/admin/users/{user_id}/password-reset", None)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["password"])


def test_accounts_are_listed_and_filtered(admin: Person, person: MakePerson) -> None:
    ann = person("listed")
    patch(admin, ann.id, disabled=True)
    for query, found in (({}, True), ({"state": "disabled"}, True), ({"state": "active"}, False)):
        items = admin.get("/admin/users", query=ann.username, **query).json()["items"]
        assert [item["id"] for item in items] == ([ann.id] if found else [])
    first = admin.get("/admin/users", limit=1).json()
    second = admin.get("/admin/users", limit=1, cursor=first["next_cursor"]).json()
    assert first["items"][0]["username"] < second["items"][0]["username"] or first["items"] != second["items"]
    problem(admin.get("/admin/users", state="odd"), 422, "out_of_range")
    problem(admin.get("/admin/users", cursor="odd"), 400, "cursor_invalid")
    problem(admin.get("/admin/users", query="x" * 65), 422, "out_of_range")
    problem(admin.get(f"/admin/users/{NOBODY}"), 404, "user_not_found")
    problem(admin.get("/admin/users/odd"), 404, "user_not_found")


def without_bus(stack: Stack) -> None:
    stack.redis.kill()
    stack.wait_ready("degraded")


def without_records(stack: Stack) -> None:
    """Redis is there, and what the api has to say is lost."""
    stack.api.end()
    stack.api.env = stack.api.env | {"STONECHAT_FAULT_WRITER": "skip_publish"}
    stack.restart("api")


@pytest.mark.parametrize(
    ("breaks", "bound_s"),
    [(None, BUS_BOUND_S), (without_bus, CHECK_BOUND_S), (without_records, CHECK_BOUND_S)],
    ids=["bus", "no bus", "no records"],
)
def test_disabling_ends_everything_at_once(
    make_stack: MakeStack, breaks: Callable[[Stack], None] | None, bound_s: float
) -> None:
    stack = make_stack(pushes=2)
    admin, ann = Person.new(stack, "root"), Person.new(stack, "ann")
    if breaks:
        breaks(stack)
    phone, laptop = ann.connect(push=0), ann.another_device().connect(push=1)
    began = time.monotonic()
    assert patch(admin, ann.id, disabled=True)["state"] == "disabled"
    problem(ann.get("/users/me"), 401, "session_ended")
    for live in (phone, laptop):
        assert live.wait_closed(bound_s * PATIENCE) == 4403
        live.close()
    print(f"sockets closed after {time.monotonic() - began:.2f} s (promised: {bound_s:g} s)")
    problem(ann.log_in(ann.username), 401, "bad_credentials")
    problem(ann.refresh(str(ann.refresh_token)), 401)
    patch(admin, ann.id, disabled=False)
    assert ann.log_in(ann.username).status_code == 200
    problem(ann.get("/users/me"), 401, "session_ended")


def test_what_is_so_already_is_noted_nowhere(admin: Person, person: MakePerson) -> None:
    ann = person()
    patch(admin, ann.id, disabled=False, role="member")
    patch(admin, ann.id)
    assert audit(admin, target=ann.id) == []
    patch(admin, ann.id, role="admin")
    patch(admin, ann.id, role="admin")
    (entry,) = audit(admin, target=ann.id)
    assert (entry["action"], entry["actor"]) == ("user.role_changed", admin.id)
    assert entry["detail"] == {"from": "member", "to": "admin"} and entry["address"] == "127.0.0.1"
    assert ann.get("/admin/users").status_code == 200, "the role counts at once"
    patch(admin, ann.id, role="member")
    problem(ann.get("/admin/users"), 403, "admin_required")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"role": "king"}, 422, "out_of_range"),
        ({"role": 1}, 400, "wrong_type"),
        ({"disabled": "yes"}, 400, "wrong_type"),
        ({"username": "x"}, 400, "unknown_key"),
    ],
)
def test_a_wrong_change_is_refused(admin: Person, person: MakePerson, body: Json, status: int, code: str) -> None:
    problem(admin.request("PATCH", f"/admin/users/{person().id}", json=body), status, code)


def test_nobody_is_no_account(admin: Person) -> None:
    problem(admin.request("PATCH", f"/admin/users/{NOBODY}", json={"disabled": True}), 404, "user_not_found")
    problem(admin.request("DELETE", f"/admin/users/{NOBODY}"), 404, "user_not_found")
    problem(admin.post(f"/admin/users/{NOBODY}/password-reset", None), 404, "user_not_found")
    problem(admin.request("DELETE", f"/admin/invites/{NOBODY}"), 404, "invite_not_found")


def test_the_last_administrator_stays(make_stack: MakeStack) -> None:
    stack = make_stack()
    root, ann = Person.new(stack, "root"), Person.new(stack, "ann")
    path = f"/admin/users/{root.id}"
    for body in ({"disabled": True}, {"role": "member"}):
        problem(root.request("PATCH", path, json=body), 409, "last_admin")
    problem(root.request("DELETE", path), 409, "last_admin")
    problem(root.request("DELETE", "/users/me", json={"password": PASSWORD}), 409, "last_admin")
    patch(root, ann.id, role="admin")
    patch(ann, root.id, role="member")
    problem(root.get("/admin/users"), 403, "admin_required")


def test_a_one_time_password_is_for_one_thing(stack: Stack, admin: Person, person: MakePerson) -> None:
    ann, bob = person(), person()
    with ann.connect() as live:
        once = reset(admin, ann.id)
        assert live.wait_closed(BUS_BOUND_S * PATIENCE) == 4403
    problem(ann.get("/users/me"), 401, "session_ended")
    problem(Api(stack).log_in(ann.username), 401, "bad_credentials")
    fresh = Person(stack, Api(stack).log_in(ann.username, once).json())
    assert fresh.get("/users/me").json()["must_change_password"] is True
    for answer in (fresh.get("/conversations"), fresh.send_direct(bob.id, "hi")):
        problem(answer, 403, "password_change_required")
    with pytest.raises(AssertionError):
        fresh.connect()
    same = {"current_password": once, "new_password": once}
    problem(fresh.request("PUT", "/users/me/password", json=same), 422, "password_unchanged")
    chosen = {"current_password": once, "new_password": "one of my own"}
    assert fresh.request("PUT", "/users/me/password", json=chosen).status_code == 204
    assert fresh.get("/users/me").json()["must_change_password"] is False
    assert fresh.send_direct(bob.id, "hi").status_code == 201
    assert [e["action"] for e in audit(admin, target=ann.id)] == ["user.password_reset"]


def test_a_one_time_password_expires(make_stack: MakeStack) -> None:
    """Unused, it is good for nothing; the next one counts from its own reset, and a chosen one is for ever."""
    stack = make_stack({"auth.one_time_password_s": "3"})
    admin, ann = Person.new(stack), Person.new(stack)
    told = admin.post(f"/admin/users/{ann.id}/password-reset", None).json()
    once = told["password"]
    (act,) = audit(admin, target=ann.id)
    assert at(told["expires_at"]) - at(act["at"]) == timedelta(seconds=3), "counted from the act"

    def expired() -> bool:
        return Api(stack).log_in(ann.username, once).status_code == 401

    wait_until(expired, "an expired password")
    reset(admin, Person.new(stack).id)  # neither the same act on somebody else nor another one on Ann counts
    patch(admin, ann.id, role="admin")
    problem(Api(stack).log_in(ann.username, once), 401, "password_expired")
    problem(Api(stack).log_in(ann.username, "a wrong one"), 401, "bad_credentials")
    again = reset(admin, ann.id)
    fresh = Person(stack, Api(stack).log_in(ann.username, again).json())
    wait_until(lambda: Api(stack).log_in(ann.username, again).status_code == 401, "an expired password again")
    chosen = {"current_password": again, "new_password": "one of my own"}
    assert fresh.request("PUT", "/users/me/password", json=chosen).status_code == 204
    assert Api(stack).log_in(ann.username, "one of my own").status_code == 200


def invite(admin: Person, **body: object) -> Json:
    answer = admin.post("/admin/invites", body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def test_an_invite_lets_one_person_in_once(make_stack: MakeStack) -> None:
    stack = make_stack({"auth.sign_up": "invite"})
    api = Api(stack)
    problem(api.sign_up(new_name()), 403, "invite_required")
    operator(stack, "admin", "sign-up", "open")
    root = Person.new(stack, "root")
    operator(stack, "admin", "sign-up", "default")
    assert root.get("/admin/settings").json() == {"sign_up": "invite"}

    made = invite(root, note="for Carol", expires_in=3600)
    assert made["state"] == "open"
    problem(api.sign_up("x", invite_code=made["code"]), 422, "username_invalid")
    carol = api.sign_up(new_name(), invite_code=made["code"])
    assert carol.status_code == 201
    problem(api.sign_up(new_name(), invite_code=made["code"]), 403, "invite_invalid")
    problem(api.sign_up(new_name(), invite_code="never was"), 403, "invite_invalid")
    (shown,) = root.get("/admin/invites").json()["items"]
    assert (shown["state"], shown["used_by"]) == ("used", carol.json()["user"]["id"]) and "code" not in shown

    taken_back, late = invite(root), invite(root)
    assert root.request("DELETE", f"/admin/invites/{taken_back['id']}").status_code == 204
    problem(api.sign_up(new_name(), invite_code=taken_back["code"]), 403, "invite_invalid")
    truth.write(stack, "UPDATE invites SET expires_at = 1 WHERE id = ?", late["id"])
    problem(api.sign_up(new_name(), invite_code=late["code"]), 403, "invite_invalid")
    page = root.get("/admin/invites", limit=2).json()
    assert [item["state"] for item in page["items"]] == ["expired", "revoked"]
    assert root.get("/admin/invites", cursor=page["next_cursor"]).json()["items"] == [shown]


def test_the_note_of_the_invite_goes_with_the_account(stack: Stack, admin: Person) -> None:
    used, other = invite(admin, note="for Carol"), invite(admin, note="for Dan")
    carol = Person(stack, Api(stack).sign_up(new_name(), invite_code=used["code"]).json())
    Person(stack, Api(stack).sign_up(new_name(), invite_code=other["code"]).json()).close()
    assert carol.request("DELETE", "/users/me", json={"password": PASSWORD}).status_code == 204
    notes = {item["id"]: item["note"] for item in admin.get("/admin/invites").json()["items"]}
    assert (notes[used["id"]], notes[other["id"]]) == (None, "for Dan")


def test_the_first_persons_role_is_in_the_audit(make_stack: MakeStack) -> None:
    stack = make_stack()
    root, _ = Person.new(stack), Person.new(stack)
    (act,) = audit(root)
    assert (act["action"], act["actor"], act["target"]) == ("user.role_changed", root.id, root.id)
    assert act["detail"] == {"from": "member", "to": "admin"} and act["address"] == "127.0.0.1" and act["request_id"]


def test_of_many_at_once_one_uses_the_invite(stack: Stack, admin: Person) -> None:
    code = invite(admin)["code"]

    def attempt(_: int) -> int:
        return Api(stack).sign_up(new_name(), invite_code=code).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(attempt, range(6))) == [201] + [403] * 5


def test_administrators_cannot_demote_each_other_at_once(make_stack: MakeStack) -> None:
    stack = make_stack()
    root, ann = Person.new(stack, "root"), Person.new(stack, "ann")
    for _ in range(5):
        for one in (root, ann):
            truth.make_admin(stack, one.id)
        with ThreadPoolExecutor(2) as pool:
            tries = [(root, ann), (ann, root)]
            list(pool.map(lambda t: t[0].request("PATCH", f"/admin/users/{t[1].id}", json={"role": "member"}), tries))
        assert any(one.get("/users/me").json()["role"] == "admin" for one in (root, ann))


def test_an_access_token_ends_with_the_password(stack: Stack, admin: Person, person: MakePerson) -> None:
    ann = person()
    token = ann.post("/auth/tokens", {"name": "script"}).json()["token"]
    script = Api(stack, token)
    assert script.get("/users/me").status_code == 200
    reset(admin, ann.id)
    problem(script.get("/users/me"), 401)


def test_the_sign_up_is_closed_while_the_server_runs(make_stack: MakeStack) -> None:
    stack = make_stack()
    root, api = Person.new(stack, "root"), Api(stack)
    code = invite(root)["code"]
    for value, status, reason in (("closed", 403, "sign_up_closed"), ("invite", 403, "invite_required")):
        assert root.request("PATCH", "/admin/settings", json={"sign_up": value}).json() == {"sign_up": value}
        problem(api.sign_up(new_name()), status, reason)
    assert root.request("PATCH", "/admin/settings", json={"sign_up": "closed"}).status_code == 200
    problem(api.sign_up(new_name(), invite_code=code), 403, "sign_up_closed")
    assert root.request("PATCH", "/admin/settings", json={"sign_up": "default"}).json() == {"sign_up": "open"}
    assert api.sign_up(new_name()).status_code == 201
    problem(root.request("PATCH", "/admin/settings", json={"sign_up": "ajar"}), 422, "out_of_range")
    problem(root.request("PATCH", "/admin/settings", json={}), 400, "missing_key")
    assert [e["action"] for e in audit(root, action="settings")] == ["settings.sign_up"] * 4


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in": 59},
        {"expires_in": 31536001},
        {"note": "x" * 201},
        {"note": "\x07"},
        {"note": "for \u202eann"},
        {"note": "for\u200bann"},
    ],
)
def test_an_invite_out_of_range_is_refused(admin: Person, body: Json) -> None:
    problem(admin.post("/admin/invites", body), 422, "out_of_range")


def test_the_audit_is_paged_and_append_only(stack: Stack, admin: Person, person: MakePerson) -> None:
    ann = person()
    for disabled in (True, False):
        patch(admin, ann.id, disabled=disabled)
    page = admin.get("/admin/audit", target=ann.id, limit=1).json()
    assert [e["action"] for e in page["items"]] == ["user.enabled"]
    page = admin.get("/admin/audit", target=ann.id, cursor=page["next_cursor"]).json()
    assert [e["action"] for e in page["items"]] == ["user.disabled"] and page["next_cursor"] is None
    assert len(audit(admin, target=ann.id, action="user")) == 2 and audit(admin, action="use") == []
    assert audit(admin, actor=ann.id) == []
    problem(admin.post("/admin/invites", {"code": "mine"}), 400, "unknown_key")
    problem(admin.get("/admin/audit", actor="x" * 65), 422, "out_of_range")
    for path in ("/admin/audit", "/admin/invites"):
        problem(admin.get(path, limit=0), 422, "out_of_range")
        problem(admin.get(path, cursor="odd"), 400, "cursor_invalid")
    replacing = (
        []
        if stack.place.is_postgres
        else [
            "INSERT OR REPLACE INTO audit (id, at, actor, action, detail) SELECT id, at, 'x', action, detail FROM audit"
        ]
    )
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", *replacing):
        with pytest.raises(DatabaseError, match="append-only"):
            truth.write(stack, statement)


def test_who_is_deleted_leaves_what_they_said(stack: Stack, admin: Person, person: MakePerson) -> None:
    ann, bob = person("gone"), person()
    said = ann.say(bob, "I was here")
    room = said["conversation_id"]
    with ann.connect() as live, bob.connect() as other:
        assert admin.request("DELETE", f"/admin/users/{ann.id}").status_code == 204
        assert live.wait_closed(BUS_BOUND_S * PATIENCE) == 4403
        assert other.open
    problem(ann.get("/users/me"), 401, "session_ended")
    problem(Api(stack).log_in(ann.username), 401, "bad_credentials")
    problem(bob.get(f"/users/{ann.id}"), 404, "user_not_found")
    assert [m["content"] for m in bob.history(room)] == ["I was here"]
    (shown,) = [m for m in bob.get(f"/conversations/{room}").json()["members"] if m["user_id"] == ann.id]
    assert shown["display_name"] == "deleted user" and ann.username not in str(shown)
    problem(Api(stack).sign_up(ann.username), 409, "username_taken")
    account = admin.get(f"/admin/users/{ann.id}").json()
    assert (account["state"], account["username"]) == ("deleted", "deleted")
    kept = truth.read(stack, "SELECT password_hash, display_name_key FROM users WHERE id = ?", ann.id)
    assert kept == [("", "")]
    assert admin.request("DELETE", f"/admin/users/{ann.id}").status_code == 204, "again, as after a broken connection"
    problem(admin.request("PATCH", f"/admin/users/{ann.id}", json={"disabled": True}), 404, "user_not_found")
    assert [e["action"] for e in audit(admin, target=ann.id)] == ["user.deleted"]


def test_people_delete_themselves_by_their_password(person: MakePerson) -> None:
    ann = person()
    problem(ann.request("DELETE", "/users/me", json={"password": "not mine"}), 403, "password_wrong")
    problem(ann.request("DELETE", "/users/me", json={}), 400, "missing_key")
    assert ann.get("/users/me").status_code == 200
    assert ann.request("DELETE", "/users/me", json={"password": PASSWORD}).status_code == 204
    problem(ann.get("/users/me"), 401, "session_ended")


def roles(person: Person, group_id: str) -> dict[str, str]:
    answer = person.get(f"/conversations/{group_id}/members")
    assert answer.status_code == 200, answer.text
    return {m["user_id"]: m["role"] for m in answer.json()["items"]}


def test_what_they_owned_gets_another_owner(person: MakePerson) -> None:
    ann, bob, eve = person(), person(), person()
    led, shared, alone, bobs = (
        ann.make_group("Led", eve, bob),
        ann.make_group("Shared", eve),
        ann.make_group("Alone"),
        bob.make_group("Bob's", ann),
    )
    assert ann.give_role(led, bob.id, "admin").status_code == 200
    ann.send(led, "goodbye")
    with bob.connect() as live:
        assert ann.request("DELETE", "/users/me", json={"password": PASSWORD}).status_code == 204
        updated = live.event("member.updated", conversation_id=led)
        left = live.event("member.left", conversation_id=led)
        assert updated["rev"] + 1 == left["rev"]
        live.event("member.left", conversation_id=bobs)
    assert roles(bob, led) == {bob.id: "owner", eve.id: "member"}, "the admin goes before who was there longer"
    assert roles(eve, shared) == {eve.id: "owner"}
    assert roles(bob, bobs) == {bob.id: "owner"}
    assert bob.history(led)[-1]["content"] == "goodbye"
    assert bob.get(f"/conversations/{led}").json()["member_count"] == 2
    assert eve.get(f"/conversations/{alone}").status_code == 404


def test_a_deletion_that_was_broken_off_is_finished(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann, bob, cleo = (Person.new(stack, name) for name in ("ann", "bob", "cleo"))
    owned, joined = ann.make_group("owned", bob, cleo), bob.make_group("joined", ann)
    stack.api.end()
    truth.delete_user(stack, ann.id)
    stack.restart("api")
    wait_until(lambda: roles(bob, joined) == {bob.id: "owner"}, "she has left what she was in", 20)
    wait_until(lambda: ann.id not in roles(bob, owned), "she has left what she owned", 20)
    assert sorted(roles(bob, owned).values()) == ["member", "owner"]


def operator(stack: Stack, *argv: str, status: int = 0) -> str:
    """stonechat …; what it printed, on both ways out."""
    done = subprocess.run(
        [str(stack.build / "stonechat"), *argv], env=stack.env, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr
