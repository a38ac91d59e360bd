"""Sending by REST: send_direct_message, send_message, and the promise that an id is one message for ever."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.client import Person, new_id
from support.problems import problem
from support.shared import MakePerson


# -- direct conversations
def test_a_direct_message_makes_the_conversation(ann: Person, bob: Person) -> None:
    answer = ann.send_direct(bob.id, "hi bob")
    assert answer.status_code == 201
    message = answer.json()
    assert message["seq"] == 1
    assert message["sender_id"] == ann.id
    assert message["recipient_id"] == bob.id
    assert message["content"] == "hi bob"
    assert message["deleted"] is False
    assert message["edited_at"] is None and message["reply_to_id"] is None and message["reactions"] == []
    assert uuid.UUID(message["id"]).version == 7, "the server chose this one"
    assert uuid.UUID(message["conversation_id"]).version == 5


def test_both_directions_are_one_conversation(ann: Person, bob: Person) -> None:
    first = ann.say(bob, "one")
    second = bob.say(ann, "two")
    assert first["conversation_id"] == second["conversation_id"]
    assert [first["seq"], second["seq"]] == [1, 2]
    assert second["recipient_id"] == ann.id
    assert second["rev"] > first["rev"]


def test_first_messages_of_both_at_the_same_time_make_one_conversation(ann: Person, bob: Person) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda n: ann.say(bob, "a") if n % 2 else bob.say(ann, "b"), range(8)))
    assert len({message["conversation_id"] for message in sent}) == 1
    assert sorted(message["seq"] for message in sent) == list(range(1, 9))


def test_a_message_to_oneself(ann: Person) -> None:
    answer = ann.send_direct(ann.id, "note to self")
    assert answer.status_code == 201
    (conversation,) = ann.conversations()
    assert conversation["id"] == answer.json()["conversation_id"]
    assert conversation["member_count"] == 1
    assert conversation["unread_count"] == 0


def test_a_message_to_nobody(ann: Person) -> None:
    problem(ann.send_direct(str(uuid.uuid4()), "hello?"), 404)
    assert ann.conversations() == []


def test_a_recipient_that_is_no_id(ann: Person) -> None:
    assert ann.send_direct("bob", "hello?").status_code in (404, 422)


def test_a_message_to_a_conversation(ann: Person, bob: Person) -> None:
    conversation_id = ann.conversation_with(bob)
    answer = bob.send(conversation_id, "second")
    assert answer.status_code == 201
    assert answer.json()["seq"] == 2
    assert answer.json()["recipient_id"] == ann.id


def test_a_stranger_finds_nothing(ann: Person, bob: Person, eve: Person) -> None:
    """404, not 403: not even that the conversation exists."""
    conversation_id = ann.conversation_with(bob)
    answers = [
        eve.send(conversation_id, "let me in"),
        eve.get(f"/conversations/{conversation_id}"),
        eve.messages(conversation_id),
        eve.changes(conversation_id, after_rev=0),
    ]
    nowhere = [
        eve.send(new_id(), "let me in"),
        eve.get(f"/conversations/{new_id()}"),
        eve.messages(new_id()),
        eve.changes(new_id(), after_rev=0),
    ]
    for there, not_there in zip(answers, nowhere, strict=True):
        one, other = problem(there, 404), problem(not_there, 404)
        for varies in ("request_id", "instance"):
            one.pop(varies, None), other.pop(varies, None)
        assert one == other
    assert [m["content"] for m in ann.history(conversation_id)] == ["hello"]


# -- content
@pytest.mark.parametrize(
    "content",
    [
        "x",
        "x" * 4000,
        "𝄞" * 4000,
        "line\nline\ttab",
        "<b>&amp;</b> \\ \" '",
        "\u202eright\u200bto\ufeffleft",
        "👩‍👩‍👧‍👦 é e\u0301",
        " ",
        "null",
    ],
)
def test_content_comes_back_as_it_was(ann: Person, bob: Person, content: str) -> None:
    message = ann.say(bob, content)
    assert message["content"] == content
    assert bob.history(message["conversation_id"])[-1]["content"] == content


@pytest.mark.parametrize("content", ["", "x" * 4001, "bell\a", "escape\x1b[0m", "carriage\r\n", "c1\x9b"])
def test_content_out_of_range(ann: Person, bob: Person, content: str) -> None:
    errors = problem(ann.send_direct(bob.id, content), 422)["errors"]
    assert [error["field"] for error in errors] == ["content"]
    assert ann.conversations() == [], "nothing was made"


@pytest.mark.parametrize(
    "change",
    [{"content": None}, {"content": 1}, {"content": ["x"]}, {"extra": 1}, {"seq": 1}, {"sender_id": "x"}, {"id": 7}],
)
def test_body_of_a_wrong_shape(ann: Person, bob: Person, change: dict[str, object]) -> None:
    problem(ann.post("/messages", {"recipient_id": bob.id, "content": "x"} | change), 400)


def test_both_doors_refuse_alike(ann: Person, bob: Person) -> None:
    room = ann.conversation_with(bob)
    for content, status in [("", 422), (7, 400), ("x" * 4001, 422), ("x" * 50_000, 413)]:
        problem(ann.post(f"/conversations/{room}/messages", {"content": content}), status)
        problem(ann.post("/messages", {"recipient_id": bob.id, "content": content}), status)
    assert len(ann.history(room)) == 1


def test_lone_surrogates_are_refused(ann: Person, bob: Person) -> None:
    body = f'{{"recipient_id":"{bob.id}","content":"a\\ud800b"}}'
    answer = ann.request("POST", "/messages", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code)


# -- idempotency
def test_the_same_id_is_the_same_message(ann: Person, bob: Person) -> None:
    chosen = new_id()
    first = ann.send_direct(bob.id, "once", id=chosen)
    again = ann.send_direct(bob.id, "once", id=chosen)
    assert [first.status_code, again.status_code] == [201, 200]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert first.json()["id"] == chosen
    assert len(ann.history(first.json()["conversation_id"])) == 1


def test_the_same_id_through_the_other_door(ann: Person, bob: Person) -> None:
    chosen = new_id()
    first = ann.send_direct(bob.id, "once", id=chosen).json()
    again = ann.send(first["conversation_id"], "once", id=chosen)
    assert again.status_code == 200
    assert again.json() == first


def test_the_same_id_is_the_same_message_for_ever(ann: Person, bob: Person) -> None:
    chosen = new_id()
    first = ann.say(bob, "once", id=chosen)
    for n in range(20):
        bob.say(ann, f"in between {n}")
    again = ann.another_device().send(first["conversation_id"], "once", id=chosen)
    assert again.status_code == 200
    assert again.json()["seq"] == first["seq"]


def test_the_same_id_with_other_content(ann: Person, bob: Person) -> None:
    chosen = new_id()
    first = ann.say(bob, "once", id=chosen)
    problem(ann.send_direct(bob.id, "twice", id=chosen), 409, "id_reused")
    problem(ann.send(first["conversation_id"], "twice", id=chosen), 409, "id_reused")
    problem(bob.send(first["conversation_id"], "once", id=chosen), 409, "id_reused")
    assert len(ann.history(first["conversation_id"])) == 1
    assert ann.say(bob, "next")["seq"] == 2, "a refusal takes no number"


def test_the_same_id_in_another_conversation(ann: Person, bob: Person, eve: Person) -> None:
    chosen = new_id()
    first, other = ann.send_direct(bob.id, "once", id=chosen), ann.send_direct(eve.id, "once", id=chosen)
    assert [first.status_code, other.status_code] == [201, 201]


def test_idempotency_key_is_the_id(ann: Person, bob: Person) -> None:
    chosen = new_id()
    first = ann.send_direct(bob.id, "by key", headers={"Idempotency-Key": chosen.upper()})
    assert first.status_code == 201
    assert first.json()["id"] == chosen, "lower case"
    again = ann.send_direct(bob.id, "by key", id=chosen)
    assert again.status_code == 200
    both = ann.send_direct(bob.id, "by key", id=chosen, headers={"Idempotency-Key": chosen})
    assert both.status_code == 200
    assert ann.send(first.json()["conversation_id"], "by key", headers={"Idempotency-Key": chosen}).status_code == 200


def test_an_id_in_upper_case_is_the_same_id(ann: Person, bob: Person) -> None:
    chosen = new_id()
    assert ann.say(bob, "x", id=chosen.upper())["id"] == chosen
    assert ann.send_direct(bob.id, "x", id=chosen).status_code == 200


def test_key_and_id_that_differ(ann: Person, bob: Person) -> None:
    problem(ann.send_direct(bob.id, "x", id=new_id(), headers={"Idempotency-Key": new_id()}), 422)
    assert ann.conversations() == []


@pytest.mark.parametrize("key", ["yes", "1234", "0" * 32, "{" + str(uuid.UUID(int=1)) + "}", str(uuid.uuid4()) + "0"])
def test_a_key_that_is_no_uuid(ann: Person, bob: Person, key: str) -> None:
    problem(ann.send_direct(bob.id, "x", headers={"Idempotency-Key": key}), 400)


@pytest.mark.parametrize("chosen", ["", "yes", "0" * 32, str(uuid.uuid4())[:-1], str(uuid.uuid4())[:-1] + "g"])
def test_an_id_that_is_no_uuid(ann: Person, bob: Person, chosen: str) -> None:
    errors = problem(ann.send_direct(bob.id, "x", id=chosen), 422)["errors"]
    assert [error["field"] for error in errors] == ["id"]


@pytest.mark.parametrize("version", [1, 3, 4, 5, 6, 7, 8])
def test_an_id_of_any_version(ann: Person, bob: Person, version: int) -> None:
    chosen = str(uuid.uuid4())
    chosen = chosen[:14] + str(version) + chosen[15:]
    assert ann.say(bob, "x", id=chosen)["id"] == chosen


def test_concurrent_twins_are_one_message(ann: Person, bob: Person) -> None:
    conversation_id = ann.conversation_with(bob)
    devices = [ann.another_device() for _ in range(3)]
    for _ in range(5):
        chosen = new_id()
        with ThreadPoolExecutor(9) as pool:
            answers = list(pool.map(lambda n: devices[n % 3].send(conversation_id, "twin", id=chosen), range(9)))  # noqa: B023
        assert sorted(answer.status_code for answer in answers) == [200] * 8 + [201]
        assert len({(answer.json()["seq"], answer.json()["rev"]) for answer in answers}) == 1
    assert [m["seq"] for m in ann.history(conversation_id)] == list(range(1, 7))


def test_concurrent_rivals_for_one_id(ann: Person, bob: Person) -> None:
    """One wins, every other is told 409, and the winner's twins 200."""
    conversation_id = ann.conversation_with(bob)
    chosen = new_id()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: ann.send(conversation_id, f"rival {n}", id=chosen), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(ann.history(conversation_id)) == 2


# -- order
def test_seq_and_rev_are_dense_under_concurrent_senders(ann: Person, bob: Person) -> None:
    conversation_id = ann.conversation_with(bob)
    with ThreadPoolExecutor(8) as pool, ann.connect() as a_live, bob.connect(direct=True) as b_live:

        def send(n: int) -> dict[str, object]:
            if n % 4 == 0:
                return dict(a_live.say(f"ws {n}", conversation_id=conversation_id)["message"])
            if n % 4 == 1:
                return dict(b_live.say(f"ws {n}", conversation_id=conversation_id)["message"])
            return dict((ann if n % 4 == 2 else bob).send(conversation_id, f"rest {n}").json())

        sent = list(pool.map(send, range(120)))
    history = bob.history(conversation_id)
    assert [m["seq"] for m in history] == list(range(1, 122))
    revs = [m["rev"] for m in history]
    assert revs == list(range(revs[0], revs[0] + 121)), "one rev an operation"
    assert {m["id"]: m["content"] for m in history[1:]} == {m["id"]: m["content"] for m in sent}
    assert ann.history(conversation_id) == history


def test_times_are_rfc_3339_in_utc_with_milliseconds(ann: Person, bob: Person) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ann.say(bob, "x")["timestamp"])


def test_many_people_at_once(person: MakePerson, bob: Person) -> None:
    """A conversation each; nothing of one ends up in another."""
    people = [person() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        rooms = list(pool.map(lambda p: [p.say(bob, f"{p.id} {n}") for n in range(10)], people))
    for one, sent in zip(people, rooms, strict=True):
        history = one.history(sent[0]["conversation_id"])
        assert [m["content"] for m in history] == [f"{one.id} {n}" for n in range(10)]
        assert {m["sender_id"] for m in history} == {one.id}
    assert len(bob.conversations()) == 6
