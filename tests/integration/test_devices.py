"""A person with several devices: sessions, password, name, read cursors; direct conversations made on request."""

from __future__ import annotations

import threading

import httpx
import pytest

from support.client import PASSWORD, Json, Person, new_id
from support.live import Live
from support.problems import problem
from support.shared import MakePerson
from support.waiting import wait_until

NEW = "a new and better one"


def sessions(user: Person) -> list[Json]:
    answer = user.get("/auth/sessions")
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def change_password(user: Person, current: str = PASSWORD, new: str = NEW) -> httpx.Response:
    return user.request("PUT", "/users/me/password", json={"current_password": current, "new_password": new})


def nobody(user: Person) -> Person:
    device = user.another_device()
    device.token = None
    return device


# -- sessions
def test_sessions_are_listed_and_revoked(person: MakePerson) -> None:
    user = person()
    other = user.another_device()
    items = sessions(other)
    assert [item["current"] for item in items] == [True, False]
    assert items[0]["user_agent"].startswith("python-httpx") and items[0]["address"]
    page = user.get("/auth/sessions", limit=1).json()
    rest = user.get("/auth/sessions", limit=1, cursor=page["next_cursor"]).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [item["id"] for item in items]
    assert rest["next_cursor"] is None

    with Live(user.stack.url) as live:
        live.authenticate(str(other.token))
        path = f"/auth/sessions/{items[0]['id']}"
        for _ in range(2):
            assert user.request("DELETE", path).status_code == 204
        assert live.wait_closed() == 4403
    problem(other.get("/users/me"), 401, "session_ended")
    assert len(sessions(user)) == 1


def test_sessions_of_others_are_not_there(person: MakePerson) -> None:
    user, other = person(), person()
    for id_ in (sessions(other)[0]["id"], new_id(), "x"):
        problem(user.request("DELETE", f"/auth/sessions/{id_}"), 404, "session_not_found")
    problem(nobody(user).request("DELETE", f"/auth/sessions/{new_id()}"), 401, "token_missing")
    problem(nobody(user).get("/auth/sessions"), 401, "token_missing")
    problem(user.get("/auth/sessions", cursor="x"), 400, "cursor_invalid")
    problem(user.get("/auth/sessions", limit=0), 422, "out_of_range")


# -- the password
def test_a_new_password_ends_the_other_sessions(person: MakePerson) -> None:
    user = person()
    other = user.another_device()
    with Live(user.stack.url) as mine, Live(user.stack.url) as theirs:
        mine.authenticate(str(user.token))
        theirs.authenticate(str(other.token))
        assert change_password(user).status_code == 204
        assert theirs.wait_closed() == 4403
        assert mine.request("ping")["ok"]
    problem(other.get("/users/me"), 401, "session_ended")
    assert user.get("/users/me").status_code == 200
    problem(user.log_in(user.username), 401, "bad_credentials")
    assert user.log_in(user.username, NEW).status_code == 200


def test_a_password_is_changed_by_who_knows_it(person: MakePerson) -> None:
    user = person()
    problem(change_password(user, "another one"), 403, "password_wrong")
    problem(change_password(user, new="short"), 422, "password_too_short")
    problem(change_password(user, new="x" * 1025), 422, "password_too_long")
    problem(user.request("PUT", "/users/me/password", json={}), 400, "missing_key")
    problem(change_password(nobody(user)), 401, "token_missing")
    assert user.log_in(user.username).status_code == 200


def test_of_two_new_passwords_at_once_one_is_taken(person: MakePerson) -> None:
    """Both knew the current one; the second is told that it is not current any more."""
    user, current = person(), PASSWORD

    def change_twice() -> list[tuple[str, httpx.Response]]:
        answers: dict[str, httpx.Response] = {}
        threads = [
            threading.Thread(target=lambda new=new: answers.update({new: change_password(user, current, new)}))
            for new in (current + "a", current + "b")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(answers.items(), key=lambda item: item[1].status_code)

    for _ in range(20):
        (current, taken), (_, refused) = change_twice()
        assert taken.status_code == 204
        assert user.log_in(user.username, current).status_code == 200
        if refused.status_code == 409:
            problem(refused, 409, "password_changed")
            return
        problem(refused, 403, "password_wrong")
    pytest.fail("the two never met")


# -- the name
def test_a_new_display_name_is_in_all_that_is_read(person: MakePerson) -> None:
    ann, bob = person(), person()
    path = f"/conversations/{ann.conversation_with(bob)}"
    etag = bob.get(path).headers["ETag"]
    for _ in range(2):
        answer = ann.request("PATCH", "/users/me", json={"display_name": "Ann Ünï"})
        assert (answer.status_code, answer.json()) == (200, ann.user | {"display_name": "Ann Ünï"})
    assert bob.get(f"/users/{ann.id}").json()["display_name"] == "Ann Ünï"
    assert ann.id in [item["id"] for item in bob.get("/users", query="ann ü").json()["items"]]
    again = bob.request("GET", path, headers={"If-None-Match": etag})
    assert again.status_code == 200 and "Ann Ünï" in again.text


def test_names_and_people_that_cannot_be(person: MakePerson) -> None:
    user = person()
    for name in ("", "x" * 65, "\u202e", " "):
        problem(user.request("PATCH", "/users/me", json={"display_name": name}), 422)
    problem(user.request("PATCH", "/users/me", json={"username": "other"}), 400, "unknown_key")
    problem(nobody(user).request("PATCH", "/users/me", json={"display_name": "x"}), 401, "token_missing")
    for id_ in (new_id(), "x"):
        problem(user.get(f"/users/{id_}"), 404, "user_not_found")
    problem(nobody(user).get(f"/users/{user.id}"), 401, "token_missing")


# -- conversations
def create(user: Person, user_id: str, kind: str = "direct") -> httpx.Response:
    return user.post("/conversations", {"kind": kind, "user_id": user_id})


def test_a_direct_conversation_is_made_once(person: MakePerson) -> None:
    ann, bob = person(), person()
    with Live(bob.stack.url) as live:
        live.authenticate(str(bob.token))
        answers: list[httpx.Response] = []
        people = [Person(ann.stack, {"access_token": who.token, "user": who.user}) for who in (ann, ann, bob, bob)]
        threads = [
            threading.Thread(target=lambda who=who: answers.append(create(who, bob.id if who.id == ann.id else ann.id)))
            for who in people
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        made = next(answer for answer in answers if answer.status_code == 201)
        assert made.headers["Location"] == f"/api/v1/conversations/{made.json()['id']}"
        assert live.event("conversation.created")["conversation_id"] == made.json()["id"]
    assert ann.say(bob, "hello")["conversation_id"] == made.json()["id"]


def test_conversations_that_cannot_be(person: MakePerson) -> None:
    user = person()
    assert create(user, user.id).status_code == 201
    problem(create(user, new_id()), 404, "user_not_found")
    problem(create(user, "x"), 422, "id_invalid")
    problem(create(user, user.id, "group"), 400, "unknown_key")
    problem(create(user, user.id, "channel"), 422, "kind_unsupported")
    problem(user.post("/conversations", {"kind": "direct"}), 400, "missing_key")
    problem(create(nobody(user), user.id), 401, "token_missing")


# -- reading
def unread(user: Person) -> int:
    count: int = user.conversations()[0]["unread_count"]
    return count


def mark(user: Person, conversation: str, seq: object) -> httpx.Response:
    return user.request("PUT", f"/conversations/{conversation}/read", json={"seq": seq})


def test_reading_on_one_device_is_known_on_the_others(person: MakePerson) -> None:
    ann, bob = person(), person()
    for text in ("one", "two", "three"):
        conversation = ann.say(bob, text)["conversation_id"]
    assert (unread(bob), unread(ann)) == (3, 0)
    with Live(bob.stack.url) as phone, Live(bob.stack.url) as laptop:
        me = phone.authenticate(str(bob.token))["me"]
        laptop.authenticate(str(bob.another_device().token))
        answer = mark(bob, conversation, 2)
        assert answer.status_code == 200
        assert (answer.json()["read_seq"], answer.json()["me"]) == (2, me + 1)
        for lower in (2, 1, 0):
            assert mark(bob, conversation, lower).json() == answer.json()
        for live in (phone, laptop):
            event = live.event("read.updated", conversation_id=conversation)
            assert (event["seq"], event["me"], event["user_id"]) == (2, me + 1, bob.id)
        assert unread(bob) == 1

        reply = phone.request("read.update", conversation_id=conversation, seq=3)
        assert (reply["ok"], reply["read_seq"], reply["me"]) == (True, 3, me + 2)
        assert laptop.event("read.updated", me=me + 2)["seq"] == 3
        assert unread(bob) == 0
        membership = bob.post("/sync", {"me": me}).json()["me"]["memberships"]
        assert [row["read_seq"] for row in membership if row["conversation_id"] == conversation] == [3]


def test_a_cursor_without_id_gets_no_reply(person: MakePerson) -> None:
    ann, bob = person(), person()
    conversation = ann.conversation_with(bob)
    with Live(bob.stack.url) as live:
        live.authenticate(str(bob.token))
        live.send({"type": "read.update", "conversation_id": conversation, "seq": 1})
        live.send({"type": "read.update", "conversation_id": conversation, "seq": 99})
        reply = live.request("read.update", conversation_id=conversation, seq=99)
        assert reply["error"]["code"] == "bad_request"
        wait_until(lambda: unread(bob) == 0, "the cursor moved")
        live.barrier()
        replies = [o["reply_to"] for o in live.objects if "reply_to" in o]
        assert None not in replies and len(replies) == 3, "hello, the one with an id, the pong"


@pytest.mark.parametrize(
    ("seq", "status", "code"),
    [(2, 422, "out_of_range"), (-1, 422, "out_of_range"), ("1", 400, "wrong_type"), (2**53, 400, "wrong_type")],
)
def test_cursors_that_cannot_be(person: MakePerson, seq: object, status: int, code: str) -> None:
    ann, bob = person(), person()
    conversation = ann.conversation_with(bob)
    problem(mark(bob, conversation, seq), status, code)
    problem(mark(person(), conversation, 1), 404, "conversation_not_found")
    problem(mark(nobody(bob), conversation, 1), 401, "token_missing")
