"""Reading: list_messages, list_changes, list_conversations, get_conversation, sync."""

from __future__ import annotations

from typing import Any

import pytest

from support.client import Person, new_id
from support.problems import problem
from support.shared import MakePerson

Json = dict[str, Any]


@pytest.fixture
def room(ann: Person, bob: Person) -> str:
    """A conversation of ann and bob with 120 messages, alternating."""
    conversation_id = ann.say(bob, "1")["conversation_id"]
    for n in range(2, 121):
        answer = (ann if n % 2 else bob).send(conversation_id, str(n))
        assert answer.status_code == 201
    return str(conversation_id)


def page(person: Person, conversation_id: str, **params: Any) -> Json:
    answer = person.messages(conversation_id, **params)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def seqs(body: Json) -> list[int]:
    """The seqs of a page, whose contents are their own numbers in `room`."""
    assert [m["content"] for m in body["items"]] == [str(m["seq"]) for m in body["items"]]
    return [m["seq"] for m in body["items"]]


def span(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


# -- list_messages
@pytest.mark.parametrize(
    ("params", "expected", "before", "after"),
    [
        ({}, span(71, 120), True, False),
        ({"limit": 10}, span(111, 120), True, False),
        ({"limit": 200}, span(1, 120), False, False),
        ({"before_seq": 71}, span(21, 70), True, True),
        ({"before_seq": 21}, span(1, 20), False, True),
        ({"before_seq": 51}, span(1, 50), False, True),
        ({"before_seq": 52}, span(2, 51), True, True),
        ({"before_seq": 1}, [], False, True),
        ({"before_seq": 10**9, "limit": 3}, span(118, 120), True, False),
        ({"after_seq": 0, "limit": 5}, span(1, 5), False, True),
        ({"after_seq": 70}, span(71, 120), True, False),
        ({"after_seq": 69}, span(70, 119), True, True),
        ({"after_seq": 119}, [120], True, False),
        ({"after_seq": 120}, [], True, False),
        ({"after_seq": 10**9}, [], True, False),
        ({"around_seq": 1, "limit": 5}, None, False, True),
        ({"around_seq": 60, "limit": 11}, None, True, True),
        ({"around_seq": 120, "limit": 5}, None, True, False),
    ],
)
def test_pages(ann: Person, room: str, params: Json, expected: list[int] | None, before: bool, after: bool) -> None:
    body = page(ann, room, **params)
    if expected is not None:
        assert seqs(body) == expected
    else:
        got = seqs(body)
        assert params["around_seq"] in got
        assert got == span(got[0], got[-1])
        assert len(got) <= params["limit"]
        if before and after:
            middle = (got[0] + got[-1]) / 2
            assert abs(middle - params["around_seq"]) <= 1, "it stands in the middle"
    assert (body["has_more_before"], body["has_more_after"]) == (before, after)
    assert body["last_seq"] == 120
    assert body["last_rev"] >= 120


def test_paging_back_and_forth_meets_every_message_once(bob: Person, room: str) -> None:
    back: list[int] = []
    body = page(bob, room, limit=7)
    back = seqs(body) + back
    while body["has_more_before"]:
        body = page(bob, room, limit=7, before_seq=back[0])
        back = seqs(body) + back
    assert back == span(1, 120)
    assert [m["seq"] for m in bob.history(room)] == back


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": "0"}, 422),
        ({"limit": "201"}, 422),
        ({"limit": "x"}, 400),
        ({"limit": "1.5"}, 400),
        ({"limit": ""}, 400),
        ({"before_seq": "x"}, 400),
        ({"after_seq": "99999999999999999999999"}, 400),
        ({"after_seq": "1", "before_seq": "5"}, 400),
        ({"around_seq": "5", "after_seq": "1"}, 400),
        ({"unheard_of": "1"}, 400),
        ({"limit": ["1", "2"]}, 400),
    ],
)
def test_bad_parameters(ann: Person, bob: Person, params: Json, status: int) -> None:
    problem(ann.messages(ann.conversation_with(bob), **params), status)


def test_an_unchanged_page_costs_no_body(ann: Person, bob: Person) -> None:
    """ETag is a function of the revision."""
    room = ann.conversation_with(bob)
    for path in (f"/conversations/{room}/messages", f"/conversations/{room}"):
        first = ann.get(path)
        etag = first.headers["etag"]
        same = ann.request("GET", path, headers={"If-None-Match": etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        bob.say(ann, "news")
        changed = ann.request("GET", path, headers={"If-None-Match": etag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != etag


def test_an_unchanged_person_costs_no_body(ann: Person, bob: Person) -> None:
    """Their tag is a function of what is shown."""
    for reader, path in ((ann, "/users/me"), (bob, f"/users/{ann.id}")):
        first = reader.get(path)
        etag = first.headers["etag"]
        same = reader.request("GET", path, headers={"If-None-Match": etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        name = f"Ann as {reader.username} sees her"
        assert ann.request("PATCH", "/users/me", json={"display_name": name}).status_code == 200
        changed = reader.request("GET", path, headers={"If-None-Match": etag})
        assert (changed.status_code, changed.json()["display_name"]) == (200, name)
        assert changed.headers["etag"] != etag


# -- list_changes
def test_changes_in_pages_lead_to_the_head(ann: Person, room: str) -> None:
    rows: dict[str, Json] = {}
    known, pages = 0, 0
    while True:
        answer = ann.changes(room, after_rev=known, limit=50)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        revs = [row["rev"] for row in body["messages"] + body["members"]]
        assert all(known < rev <= body["next_after_rev"] for rev in revs)
        assert not rows.keys() & {m["id"] for m in body["messages"]}
        rows |= {m["id"]: m for m in body["messages"]}
        pages += 1
        assert body["next_after_rev"] > known or not body["has_more"]
        known = body["next_after_rev"]
        if not body["has_more"]:
            break
    assert known == body["last_rev"]
    assert pages >= 3
    assert sorted(m["seq"] for m in rows.values()) == span(1, 120)
    assert list(rows.values()) == ann.history(room)


def test_changes_after_the_head_are_none(ann: Person, room: str) -> None:
    head = page(ann, room)["last_rev"]
    body = ann.changes(room, after_rev=head).json()
    assert (body["messages"], body["members"], body["conversation"]) == ([], [], None)
    assert (body["next_after_rev"], body["last_rev"], body["has_more"]) == (head, head, False)
    bob_says = ann.send(room, "one more").json()
    body = ann.changes(room, after_rev=head).json()
    assert body["messages"] == [bob_says]
    assert body["next_after_rev"] == bob_says["rev"] == head + 1


def test_the_first_changes_tell_who_is_in_it(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    body = ann.changes(room, after_rev=0).json()
    assert {member["user_id"] for member in body["members"]} == {ann.id, bob.id}
    assert body["conversation"]["id"] == room
    assert [m["content"] for m in body["messages"]] == ["hello"]


@pytest.mark.parametrize(("after", "status"), [("x", 400), ("", 400), ("-1", 422), ("1.0", 400)])
def test_changes_after_nonsense(ann: Person, bob: Person, after: str, status: int) -> None:
    problem(ann.changes(ann.conversation_with(bob), after_rev=after), status)


def test_changes_need_a_rev_to_start_from(ann: Person, bob: Person) -> None:
    problem(ann.changes(ann.conversation_with(bob)), 400)


# -- list_conversations, get_conversation
def test_a_conversation_as_both_see_it(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    last = ann.say(bob, "last")
    (mine,), (theirs,) = ann.conversations(), bob.conversations()
    for seen in (mine, theirs):
        assert seen["id"] == room
        assert seen["kind"] == "direct"
        assert seen["title"] is None
        assert {m["user_id"]: m["username"] for m in seen["members"]} == {ann.id: ann.username, bob.id: bob.username}
        assert seen["member_count"] == 2
        assert seen["last_message"] == last
        assert (seen["last_seq"], seen["last_rev"]) == (2, last["rev"])
    assert (mine["unread_count"], theirs["unread_count"]) == (0, 2)
    assert ann.get(f"/conversations/{room}").json() == mine


def test_unread_counts_what_others_said(ann: Person, bob: Person) -> None:
    for n in range(3):
        ann.say(bob, str(n))
    bob.say(ann, "answer")
    ann.say(bob, "again")
    (seen,) = bob.conversations()
    assert seen["unread_count"] == 1, "one's own message implies having read up to it"
    (seen,) = ann.conversations()
    assert seen["unread_count"] == 0


def test_unread_stops_counting_at_the_bound(ann: Person, bob: Person) -> None:
    for n in range(105):
        ann.say(bob, str(n))
    (seen,) = bob.conversations()
    assert 99 <= seen["unread_count"] <= 100


def test_newest_activity_first(ann: Person, person: MakePerson) -> None:
    others = [person() for _ in range(5)]
    rooms = [ann.conversation_with(other) for other in others]
    assert [c["id"] for c in ann.conversations()] == rooms[::-1]
    others[1].say(ann, "me again")
    rooms.append(rooms.pop(1))
    assert [c["id"] for c in ann.conversations()] == rooms[::-1]


def test_conversations_in_pages(ann: Person, person: MakePerson) -> None:
    rooms = [ann.conversation_with(person()) for _ in range(5)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        body = ann.get("/conversations", limit=2, **cursor).json()
        assert len(body["items"]) <= 2
        found += [c["id"] for c in body["items"]]
        if not body["next_cursor"]:
            break
        cursor = {"cursor": body["next_cursor"]}
    assert found == rooms[::-1]
    problem(ann.get("/conversations", cursor="nonsense"), 400)
    problem(ann.get("/conversations", limit=0), 422)


def test_somebody_new_has_no_conversations(eve: Person) -> None:
    answer = eve.get("/conversations")
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})


# -- sync
def sync_all(person: Person, **body: Any) -> Json:
    """All pages of a sync as one answer."""
    whole: Json = {"memberships": [], "conversations": [], "removed": []}
    while True:
        answer = person.sync(**body)
        assert answer.status_code == 200, answer.text
        part = answer.json()
        whole |= {"epoch": part["epoch"], "rev": part["me"]["rev"]}
        whole["memberships"] += part["me"]["memberships"]
        whole["conversations"] += part["conversations"]
        whole["removed"] += part["removed"]
        if not part["next_cursor"]:
            return whole
        body = body | {"cursor": part["next_cursor"]}


def test_sync_from_nothing(ann: Person, person: MakePerson) -> None:
    rooms = [ann.conversation_with(person()) for _ in range(3)]
    whole = sync_all(ann)
    assert [head["conversation_id"] for head in whole["conversations"]] == rooms[::-1], "newest first"
    assert {m["conversation_id"] for m in whole["memberships"]} == set(rooms)
    assert all(m["member"] is True for m in whole["memberships"])
    for head in whole["conversations"]:
        listed = ann.get(f"/conversations/{head['conversation_id']}").json()
        assert (head["last_seq"], head["last_rev"]) == (listed["last_seq"], listed["last_rev"])


def test_sync_tells_only_what_moved(ann: Person, person: MakePerson) -> None:
    others = [person() for _ in range(3)]
    rooms = [ann.conversation_with(other) for other in others]
    start = sync_all(ann)
    known = {head["conversation_id"]: head["last_rev"] for head in start["conversations"]}
    same = sync_all(ann, epoch=start["epoch"], me=start["rev"], known=known)
    assert (same["conversations"], same["memberships"], same["removed"]) == ([], [], [])
    moved = others[1].say(ann, "news")
    after = sync_all(ann, epoch=start["epoch"], me=start["rev"], known=known)
    assert [head["conversation_id"] for head in after["conversations"]] == [rooms[1]]
    assert after["conversations"][0]["last_rev"] == moved["rev"]
    new = person()
    room = new.conversation_with(ann)
    after = sync_all(ann, epoch=start["epoch"], me=start["rev"], known=known)
    assert [head["conversation_id"] for head in after["conversations"]] == [room, rooms[1]]
    assert [m["conversation_id"] for m in after["memberships"]] == [room]
    assert after["rev"] == start["rev"] + 1


def test_sync_removes_what_one_is_not_in(ann: Person, bob: Person, eve: Person) -> None:
    room, nowhere = ann.conversation_with(bob), new_id()
    start = sync_all(eve)
    whole = sync_all(eve, epoch=start["epoch"], me=start["rev"], known={room: 1, nowhere: 7})
    assert set(whole["removed"]) == {room, nowhere}
    assert whole["conversations"] == []


def test_sync_knows_an_id_in_either_case(ann: Person, bob: Person) -> None:
    room, nowhere = ann.conversation_with(bob), new_id()
    start = sync_all(ann)
    head = start["conversations"][0]["last_rev"]
    same = sync_all(ann, epoch=start["epoch"], me=start["rev"], known={room.upper(): head, nowhere.upper(): 1})
    assert (same["conversations"], same["removed"]) == ([], [nowhere])
    behind = sync_all(ann, epoch=start["epoch"], me=start["rev"], known={room.upper(): head - 1})
    assert ([one["conversation_id"] for one in behind["conversations"]], behind["removed"]) == ([room], [])
    twice = {room.upper(): head, room: head}
    body = problem(ann.sync(epoch=start["epoch"], known=twice), 422, "id_repeated")
    assert body["errors"][0]["field"] == "known"


def test_sync_takes_as_many_as_auth(ann: Person) -> None:
    """500 are known, and a client that holds more lists the newest of them."""
    epoch, known = ann.sync().json()["epoch"], {new_id(): 1 for _ in range(500)}
    answer = ann.sync(epoch=epoch, known=known)
    assert (answer.status_code, set(answer.json()["removed"])) == (200, set(known))
    body = problem(ann.sync(epoch=epoch, known=known | {new_id(): 1}), 422, "too_many")
    assert body["errors"][0]["field"] == "known"
    assert "at most 500" in body["detail"]


def test_sync_in_pages(ann: Person, person: MakePerson) -> None:
    """More conversations than a page holds, if need be by the smallest page."""
    rooms = {ann.conversation_with(person()) for _ in range(7)}
    whole = sync_all(ann, limit=2)
    assert {head["conversation_id"] for head in whole["conversations"]} == rooms
    assert len(whole["conversations"]) == 7
    assert {m["conversation_id"] for m in whole["memberships"]} == rooms


@pytest.mark.parametrize(
    "body",
    [{"known": []}, {"known": {"x": "y"}}, {"me": "1"}, {"epoch": 1}, {"unknown": 1}, {"known": {new_id(): 1.5}}],
)
def test_sync_refuses_a_wrong_shape(ann: Person, body: Json) -> None:
    problem(ann.sync(**body), 400)


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 201}, {"me": -1}])
def test_sync_refuses_values_out_of_range(ann: Person, body: Json) -> None:
    problem(ann.sync(**body), 422)


def test_sync_of_another_epoch_starts_anew(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    head = page(ann, room)["last_rev"]
    whole = sync_all(ann, epoch="not-this-one", me=10**6, known={room: head})
    assert [h["conversation_id"] for h in whole["conversations"]] == [room]
    assert [m["conversation_id"] for m in whole["memberships"]] == [room]
