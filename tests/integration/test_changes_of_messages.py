"""Editing, deleting, reacting and get_message, by REST and over the WebSocket: what they change, who may, and that
each may be repeated until it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support.client import Json, Person, new_id
from support.live import Live
from support.problems import problem
from support.shared import MakePerson

WAVE, HEART = "👋", "❤️"


class Talk:
    """Ann and Bob, and a message by Ann."""

    def __init__(self, ann: Person, bob: Person) -> None:
        self.ann, self.bob = ann, bob
        self.message = ann.say(bob, "Helo")
        self.conversation: str = self.message["conversation_id"]
        self.path = f"/conversations/{self.conversation}/messages/{self.message['id']}"

    def edit(self, user: Person, content: str = "Hello", **headers: str) -> httpx.Response:
        return user.request("PATCH", self.path, json={"content": content}, headers=headers)

    def delete(self, user: Person, **headers: str) -> httpx.Response:
        return user.request("DELETE", self.path, headers=headers)

    def react(self, user: Person, emoji: str = WAVE, method: str = "PUT") -> httpx.Response:
        return user.request(method, f"{self.path}/reactions/{quote(emoji, safe='')}")

    def now(self) -> Json:
        answer = self.ann.get(self.path)
        assert answer.status_code == 200
        message: Json = answer.json()
        return message


@pytest.fixture
def talk(person: MakePerson) -> Talk:
    return Talk(person(), person())


def changed(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    message: Json = answer.json()
    assert answer.headers["ETag"].startswith(f'"{message["rev"]}.')
    return message


# -- what they do
def test_an_edit_changes_the_words_and_nothing_else(talk: Talk) -> None:
    message = changed(talk.edit(talk.ann))
    assert message == talk.message | {
        "content": "Hello",
        "rev": talk.message["rev"] + 1,
        "edited_at": message["edited_at"],
    }
    assert message["edited_at"] and talk.now() == message


def test_a_deleted_message_keeps_its_place(talk: Talk) -> None:
    talk.react(talk.bob)
    message = changed(talk.delete(talk.ann))
    assert (message["deleted"], message["content"], message["reactions"]) == (True, None, [])
    assert [message[key] for key in ("id", "seq", "sender_id")] == [
        talk.message[key] for key in ("id", "seq", "sender_id")
    ]
    assert talk.ann.history(talk.conversation) == [message]


def test_reactions_are_counted_in_the_order_they_came(talk: Talk) -> None:
    changed(talk.react(talk.bob))
    changed(talk.react(talk.bob, HEART))
    message = changed(talk.react(talk.ann))
    expected = [
        {"emoji": WAVE, "count": 2, "user_ids": [talk.bob.id, talk.ann.id]},
        {"emoji": HEART, "count": 1, "user_ids": [talk.bob.id]},
    ]
    assert message["reactions"] == expected
    assert talk.bob.conversations()[0]["last_message"]["reactions"] == expected
    assert talk.bob.history(talk.conversation)[0]["reactions"] == expected
    assert talk.bob.changes(talk.conversation, after_rev=talk.message["rev"]).json()["messages"] == [message]
    message = changed(talk.react(talk.bob, method="DELETE"))
    assert message["reactions"][1] == {"emoji": WAVE, "count": 1, "user_ids": [talk.ann.id]}


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "👩‍👩‍👧", "🇩🇪", "1️⃣", "☕"])
def test_one_emoji_is_one_reaction(talk: Talk, emoji: str) -> None:
    assert changed(talk.react(talk.bob, emoji))["reactions"][0]["emoji"] == emoji


@pytest.mark.parametrize(("one", "other"), [("❤", "❤\ufe0f"), ("1\u20e3", "1\ufe0f\u20e3"), ("👍\ufe0f", "👍")])
def test_the_same_emoji_of_two_keyboards_is_one_reaction(talk: Talk, one: str, other: str) -> None:
    """One leaves U+FE0F out, the other doesn't; the form that is a picture everywhere is kept, by either door."""
    where = {"conversation_id": talk.conversation, "message_id": talk.message["id"]}
    both = [{"emoji": other, "count": 2, "user_ids": [talk.bob.id, talk.ann.id]}]
    with talk.ann.connect() as live:
        for first, second in ((one, other), (other, one)):
            changed(talk.react(talk.bob, first))
            assert live.request("reaction.add", **where, emoji=second)["message"]["reactions"] == both
            assert live.request("reaction.remove", **where, emoji=first)["message"]["reactions"][0]["count"] == 1
            assert changed(talk.react(talk.bob, second, "DELETE"))["reactions"] == []


@pytest.mark.parametrize("text", ["a", "👍👍", "👍 ", "1", "🇩", "ok", "‍", "👍" * 20])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_not_one_emoji_is_refused(talk: Talk, text: str, method: str) -> None:
    problem(talk.react(talk.bob, text, method), 422, "emoji_invalid")


def test_twenty_different_reactions_are_enough(talk: Talk) -> None:
    for code in range(0x1F600, 0x1F614):
        changed(talk.react(talk.bob, chr(code)))
    problem(talk.react(talk.bob, WAVE), 422, "too_many_reactions")
    assert changed(talk.react(talk.ann, chr(0x1F600)))["reactions"][0]["count"] == 2


def test_sync_and_a_pull_tell_of_each_change(talk: Talk) -> None:
    """As of a new message: the head of the conversation has moved, and the pull holds the message as it is now."""
    quiet = talk.ann.conversation_with(talk.ann)
    start = talk.bob.sync().json()
    known = {head["conversation_id"]: head["last_rev"] for head in start["conversations"]}
    assert quiet not in known
    for change in (talk.edit, talk.react, talk.delete):
        message = changed(change(talk.ann))
        told = talk.bob.sync(epoch=start["epoch"], me=start["me"]["rev"], known=known).json()
        head = {"conversation_id": talk.conversation, "last_seq": message["seq"], "last_rev": message["rev"]}
        assert told["conversations"] == [head]
        assert (told["removed"], told["me"]) == ([], start["me"] | {"memberships": []})
        pulled = talk.bob.changes(talk.conversation, after_rev=known[talk.conversation]).json()
        assert (pulled["messages"], pulled["next_after_rev"]) == ([message], message["rev"])
        known[talk.conversation] = message["rev"]
    assert talk.bob.sync(epoch=start["epoch"], me=start["me"]["rev"], known=known).json()["conversations"] == []


# -- repeated
@pytest.mark.parametrize("action", ["edit", "delete", "react"])
def test_a_repeated_change_is_answered_like_the_first(talk: Talk, action: str) -> None:
    do: Callable[[Person], httpx.Response] = getattr(talk, action)
    first = changed(do(talk.ann))
    assert changed(do(talk.ann)) == first
    assert changed(do(talk.ann.another_device())) == first


def test_a_repetition_comes_before_the_condition(talk: Talk) -> None:
    etag = talk.ann.get(talk.path).headers["ETag"]
    message = changed(talk.edit(talk.ann, **{"If-Match": etag}))
    assert changed(talk.edit(talk.ann, **{"If-Match": etag})) == message
    message = changed(talk.delete(talk.ann, **{"If-Match": "*"}))
    assert changed(talk.delete(talk.ann, **{"If-Match": etag})) == message


def test_taking_back_what_is_not_there_changes_nothing(talk: Talk) -> None:
    assert changed(talk.react(talk.bob, method="DELETE")) == talk.message


@pytest.mark.parametrize("action", ["edit", "delete"])
def test_a_replayed_send_answers_the_row_as_it_is_now(talk: Talk, action: str) -> None:
    key = new_id()
    talk.message = talk.ann.say(talk.bob, "once", id=key)
    talk.path = f"/conversations/{talk.conversation}/messages/{key}"
    message = changed(getattr(talk, action)(talk.ann))
    again = talk.ann.send_direct(talk.bob.id, "once", id=key)
    assert (again.status_code, again.json()) == (200, message)
    problem(talk.ann.send_direct(talk.bob.id, "Hello", id=key), 409, "id_reused")


# -- conditions
def test_if_match(talk: Talk) -> None:
    old = talk.ann.get(talk.path).headers["ETag"]
    changed(talk.react(talk.bob))
    for wrong in (old, '"1.x"', f"W/{old}", '"', "nonsense"):
        problem(talk.edit(talk.ann, **{"If-Match": wrong}), 412, "precondition_failed")
        problem(talk.delete(talk.ann, **{"If-Match": wrong}), 412, "precondition_failed")
    new = talk.ann.get(talk.path).headers["ETag"]
    changed(talk.edit(talk.ann, **{"If-Match": f"{old}, {new}"}))


@pytest.mark.parametrize("wrong", ["old", "nonsense", '"1.x"'])
def test_a_reaction_has_no_condition(talk: Talk, wrong: str) -> None:
    """Two people's reactions do not collide: If-Match is a matter of edit_message and delete_message."""
    tag = talk.ann.get(talk.path).headers["ETag"] if wrong == "old" else wrong
    changed(talk.edit(talk.ann))
    for method, count in (("PUT", 1), ("DELETE", 0)):
        path = f"{talk.path}/reactions/{quote(WAVE)}"
        message = changed(talk.bob.request(method, path, headers={"If-Match": tag}))
        assert len(message["reactions"]) == count


def test_a_message_that_is_held_is_not_sent_again(talk: Talk) -> None:
    etag = talk.ann.get(talk.path).headers["ETag"]
    assert talk.ann.request("GET", talk.path, headers={"If-None-Match": etag}).status_code == 304
    changed(talk.edit(talk.ann))
    assert talk.ann.request("GET", talk.path, headers={"If-None-Match": etag}).status_code == 200


# -- refused
def test_only_the_sender_edits_and_deletes(talk: Talk) -> None:
    for answer in (talk.edit(talk.bob), talk.edit(talk.bob, "Helo"), talk.delete(talk.bob)):
        problem(answer, 403, "not_sender")
    assert talk.now() == talk.message


def test_what_was_deleted_stays_so(talk: Talk) -> None:
    changed(talk.delete(talk.ann))
    problem(talk.edit(talk.ann), 409, "message_deleted")
    problem(talk.react(talk.ann), 409, "message_deleted")


@pytest.mark.parametrize("action", ["edit", "delete", "react"])
def test_strangers_find_nothing(talk: Talk, person: MakePerson, action: str) -> None:
    do: Callable[[Person], httpx.Response] = getattr(talk, action)
    problem(do(person()), 404, "conversation_not_found")
    path = talk.path
    for wrong, code in ((path[:-1], "message_not_found"), (f"{path[:-36]}{new_id()}", "message_not_found")):
        talk.path = wrong
        problem(do(talk.ann), 404, code)
        problem(talk.ann.get(wrong), 404, code)
    talk.path = path
    nobody = talk.ann.another_device()
    nobody.token = None
    problem(do(nobody), 401, "token_missing")
    problem(nobody.get(path), 401, "token_missing")
    problem(nobody.request("DELETE", f"{path}/reactions/x"), 401, "token_missing")
    problem(person().request("DELETE", f"{path}/reactions/{quote(WAVE)}"), 404, "conversation_not_found")


@pytest.mark.parametrize("action", ["edit", "delete", "react"])
def test_a_log_in_that_has_ended_changes_nothing(talk: Talk, action: str) -> None:
    device = talk.ann.another_device()
    device.log_out()
    problem(getattr(talk, action)(device), 401, "session_ended")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_key"),
        ({"content": 1}, 400, "wrong_type"),
        ({"content": "x", "more": 1}, 400, "unknown_key"),
        ({"content": ""}, 422, "content_invalid"),
        ({"content": "x" * 4001}, 422, "content_invalid"),
        ({"content": "x" * 50000}, 413, "too_large"),
    ],
)
def test_an_edit_is_checked_like_a_message(talk: Talk, body: Json, status: int, code: str) -> None:
    problem(talk.ann.request("PATCH", talk.path, json=body), status, code)


# -- the socket
FRAMES = {
    "message.edit": {"content": "Hello"},
    "reaction.add": {"emoji": WAVE},
    "reaction.remove": {"emoji": WAVE},
    "message.delete": {},
}


def test_both_doors_do_the_same(talk: Talk) -> None:
    with Live(talk.ann.stack.url) as ann, Live(talk.ann.stack.url) as bob:
        ann.authenticate(str(talk.ann.token))
        bob.authenticate(str(talk.bob.token))
        where = {"conversation_id": talk.conversation, "message_id": talk.message["id"]}
        for number, (type_, keys) in enumerate(FRAMES.items(), start=1):
            reply = ann.request(type_, **where, **keys)
            assert reply["ok"] and reply["rev"] == talk.message["rev"] + number, reply
            assert reply["message"] == talk.now() and "unchanged" not in reply
            again = ann.request(type_, **where, **keys)
            assert again["ok"] and again["unchanged"] is True and again["message"] == reply["message"]
            for live in (ann, bob):
                event = live.wait_for(lambda o, rev=reply["rev"]: o.get("rev") == rev and "type" in o, f"{type_}")
                if type_.startswith("reaction"):
                    assert event["type"] == "reaction.updated"
                    assert event["reactions"] == reply["message"]["reactions"]
                else:
                    assert event["type"] == {"message.edit": "message.updated"}.get(type_, "message.deleted")
                    assert event["message"] == reply["message"]


def test_replies_come_in_the_order_of_the_frames(talk: Talk) -> None:
    with Live(talk.ann.stack.url) as live:
        live.authenticate(str(talk.ann.token))
        where = {"conversation_id": talk.conversation}
        numbers = []
        for i in range(15):
            numbers.append(live.ask("message.send", content=f"{i}", **where))
            numbers.append(live.ask("message.edit", message_id=talk.message["id"], content=f"{i}", **where))
        revs = [live.reply(number)["rev"] for number in numbers]
        assert revs == list(range(talk.message["rev"] + 1, talk.message["rev"] + 31))


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"conversation_id": "x"}, "conversation_not_found"),
        ({"message_id": new_id()}, "message_not_found"),
        ({"message_id": "x"}, "message_not_found"),
        ({"content": ""}, "bad_request"),
        ({"more": 1}, "bad_request"),
        ({"content": None}, "bad_request"),
    ],
)
def test_refusals_on_the_socket(talk: Talk, keys: dict[str, Any], code: str) -> None:
    with Live(talk.ann.stack.url) as live:
        live.authenticate(str(talk.ann.token))
        frame = {"conversation_id": talk.conversation, "message_id": talk.message["id"], "content": "Hello"} | keys
        reply = live.request("message.edit", **frame)
        assert not reply["ok"] and reply["error"]["code"] == code, reply
