"""Personal access tokens, and logging all other devices out."""

from __future__ import annotations

import re
import time
from datetime import datetime

import pytest

from support.client import PASSWORD, Api, Json, Person
from support.live import Live
from support.problems import problem
from support.shared import Shared
from support.stack import Stack
from support.waiting import wait_until


def make(person: Person, **more: object) -> Json:
    answer = person.post("/auth/tokens", {"name": "a script"} | more)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def script(person: Person, token: str) -> Person:
    """Somebody who holds the token."""
    return Person(person.stack, {"access_token": token, "user": person.user})


def test_a_token_is_shown_once_and_does_what_its_owner_may(ann: Person, bob: Person) -> None:
    made = make(ann, name="nightly report")
    assert re.fullmatch(r"stonechat_pat_[0-9a-f]{8}_[\w-]{43}", made["token"])
    assert made["token"].startswith(made["prefix"] + "_")
    life = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert life.days == 90

    holder = script(ann, made["token"])
    said = holder.say(bob, "from a script")
    assert said["sender_id"] == ann.id
    assert holder.get("/users/me").json() == ann.get("/users/me").json()
    assert holder.sync().status_code == 200

    listed = ann.get("/auth/tokens")
    assert made["token"] not in listed.text
    [item] = listed.json()["items"]
    assert item["last_used_at"], "it has been used by now"
    del made["token"], made["last_used_at"], item["last_used_at"]
    assert item == made
    assert all(item["id"] != made["id"] for item in ann.get("/auth/sessions").json()["items"]), "devices only"
    assert bob.get("/auth/tokens").json()["items"] == []


def test_a_token_has_no_power_over_log_ins(ann: Person) -> None:
    made = make(ann)
    holder = script(ann, made["token"])
    for method, path, body in (
        ("GET", "/auth/sessions", None),
        ("DELETE", "/auth/sessions", None),
        ("DELETE", f"/auth/sessions/{made['id']}", None),
        ("GET", "/auth/tokens", None),
        ("POST", "/auth/tokens", {"name": "another"}),
        ("DELETE", f"/auth/tokens/{made['id']}", None),
        ("PUT", "/users/me/password", {"current_password": PASSWORD, "new_password": PASSWORD + "!"}),
    ):
        problem(holder.request(method, path, json=body), 403, "token_not_allowed")
    assert holder.refresh(made["token"]).status_code == 401, "it is no refresh token"
    problem(holder.post("/auth/logout", {}), 403, "token_not_allowed")
    assert ann.post("/auth/logout", {"refresh_token": made["token"]}).status_code == 204
    assert holder.get("/users/me").status_code == 200, "and a log-out does not end it"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a", "expires_in": 59}, "expires_in"),
        ({"name": "a", "expires_in": 366 * 86400 + 1}, "expires_in"),
    ],
)
def test_a_wish_out_of_range_names_its_field(ann: Person, body: Json, field: str) -> None:
    assert [e["field"] for e in problem(ann.post("/auth/tokens", body), 422)["errors"]] == [field]
    assert ann.get("/auth/tokens").json()["items"] == []


def test_a_person_has_at_most_fifty(ann: Person) -> None:
    made = [make(ann, name=f"script {i}") for i in range(50)]
    problem(ann.post("/auth/tokens", {"name": "one more"}), 409, "too_many_tokens")
    assert ann.request("DELETE", f"/auth/tokens/{made[7]['id']}").status_code == 204
    make(ann)
    assert len(ann.get("/auth/tokens").json()["items"]) == 50


@pytest.mark.parametrize("change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t[:22], str.upper])
def test_nearly_a_token_is_none(ann: Person, change: object) -> None:
    assert callable(change)
    problem(script(ann, change(make(ann)["token"])).get("/users/me"), 401, "token_invalid")


def test_a_token_opens_a_socket_and_its_end_closes_it(ann: Person, bob: Person) -> None:
    made = make(ann, expires_in=3600)
    live = Live(ann.stack.url)
    hello = live.authenticate(made["token"])
    assert 3500 < hello["token_expires_in"] <= 3600
    wait_until(lambda: ann.get("/auth/tokens").json()["items"][0]["last_used_at"], "the use is noted")
    begun = time.monotonic()
    assert ann.request("DELETE", f"/auth/tokens/{made['id']}").status_code == 204
    assert live.wait_closed(timeout=3.0) == 4403
    print(f"closed after {time.monotonic() - begun:.3f} s (promised: 1 s)")
    problem(script(ann, made["token"]).get("/users/me"), 401, "token_invalid")
    assert ann.request("DELETE", f"/auth/tokens/{made['id']}").status_code == 204, "already"
    problem(bob.request("DELETE", f"/auth/tokens/{made['id']}"), 404, "token_not_found")
    assert ann.get("/users/me").status_code == 200


def test_a_password_change_ends_tokens_too(ann: Person) -> None:
    holder = script(ann, make(ann)["token"])
    change = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
    assert ann.request("PUT", "/users/me/password", json=change).status_code == 204
    problem(holder.get("/users/me"), 401, "token_invalid")


def test_revoke_sessions_ends_all_other_devices_and_no_token(ann: Person, stack: Stack) -> None:
    holder = script(ann, make(ann)["token"])
    others = [ann.another_device() for _ in range(3)]
    sockets = [other.connect() for other in others]
    own = ann.connect()
    begun = time.monotonic()
    assert ann.request("DELETE", "/auth/sessions").status_code == 204
    for socket in sockets:
        assert socket.wait_closed(timeout=3.0) == 4403
    print(f"closed after {time.monotonic() - begun:.3f} s (promised: 1 s)")
    for other in others:
        problem(other.get("/users/me"), 401, "session_ended")
        problem(Api(stack).refresh(str(other.refresh_token)), 401, "session_ended")
    [only] = ann.get("/auth/sessions").json()["items"]
    assert only["current"]
    assert holder.get("/users/me").status_code == 200
    assert ann.request("DELETE", "/auth/sessions").status_code == 204, "again"
    own.close()


def test_a_token_does_not_administer(shared: Shared) -> None:
    founder = Person(shared.stack, shared.founder_answer.json()).another_device()
    made = make(founder)
    holder = script(founder, made["token"])
    problem(holder.get("/admin/users"), 403, "token_not_allowed")
    problem(holder.post(f"/admin/users/{holder.id}/password-reset", {}), 403, "token_not_allowed")
    assert founder.get("/admin/users").status_code == 200
    assert founder.request("DELETE", f"/auth/tokens/{made['id']}").status_code == 204
