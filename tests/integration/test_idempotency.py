"""Every change of a message may be repeated: by two doors at once, after a lost reply, after others changed it.

One change happens, both are answered, and no revision or seq is spent on the repetition."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.client import Json, Person, new_id
from support.live import Live
from support.problems import problem

ROUNDS = 12


class Doors:
    """The same person by REST and by WebSocket, and the conversation with somebody."""

    def __init__(self, person: Person, other: Person) -> None:
        self.person, self.other = person, other
        self.room = person.conversation_with(other)
        self.live: Live = person.connect()

    def head(self) -> int:
        return int(self.person.get(f"/conversations/{self.room}").json()["last_rev"])

    def path(self, message_id: str) -> str:
        return f"/conversations/{self.room}/messages/{message_id}"

    def both(self, by_rest: Callable[[], Json], by_socket: Callable[[], Json]) -> tuple[Json, Json]:
        """Both at the same moment; the message that each is answered with."""
        start = threading.Barrier(2)

        def at_once(act: Callable[[], Json]) -> Json:
            start.wait(10)
            return act()

        with ThreadPoolExecutor(2) as pool:
            rest, socket = pool.submit(at_once, by_rest), pool.submit(at_once, by_socket)
            return rest.result(), socket.result()

    def rest(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = self.person.request(method, path, json=body) if body else self.person.request(method, path)
        assert answer.status_code in (200, 201), answer.text
        message: Json = answer.json()
        return message

    def frame(self, type_: str, **keys: str) -> Json:
        reply = self.live.request(type_, conversation_id=self.room, **keys)
        assert reply["ok"] is True, reply
        message: Json = reply["message"]
        return message


@pytest.fixture
def doors(ann: Person, bob: Person) -> Doors:
    return Doors(ann, bob)


def test_twins_of_a_message_by_two_doors(doors: Doors) -> None:
    def send_twice(content: str) -> None:
        chosen, head = new_id(), doors.head()
        rest, socket = doors.both(
            lambda: doors.rest("POST", f"/conversations/{doors.room}/messages", {"id": chosen, "content": content}),
            lambda: doors.frame("message.send", message_id=chosen, content=content),
        )
        assert rest == socket
        assert rest["rev"] == head + 1 == doors.head(), "one revision for both"

    for n in range(ROUNDS):
        send_twice(f"twin {n}")
    assert [m["seq"] for m in doors.person.history(doors.room)] == list(range(1, ROUNDS + 2))


def by_both_doors(doors: Doors, change: str, message_id: str) -> tuple[Callable[[], Json], Callable[[], Json]]:
    path, where = doors.path(message_id), {"message_id": message_id}
    reaction = f"{path}/reactions/%F0%9F%91%8D"
    pairs: dict[str, tuple[Callable[[], Json], Callable[[], Json]]] = {
        "edit": (
            lambda: doors.rest("PATCH", path, {"content": "edited"}),
            lambda: doors.frame("message.edit", content="edited", **where),
        ),
        "delete": (lambda: doors.rest("DELETE", path), lambda: doors.frame("message.delete", **where)),
        "react": (lambda: doors.rest("PUT", reaction), lambda: doors.frame("reaction.add", emoji="👍", **where)),
        "take back": (
            lambda: doors.rest("DELETE", reaction),
            lambda: doors.frame("reaction.remove", emoji="👍", **where),
        ),
    }
    return pairs[change]


@pytest.mark.parametrize("change", ["edit", "delete", "react", "take back"])
def test_twins_of_a_change_by_two_doors(doors: Doors, change: str) -> None:
    for n in range(ROUNDS):
        message_id = doors.person.say(doors.other, f"message {n}")["id"]
        if change == "take back":
            by_both_doors(doors, "react", message_id)[0]()
        head = doors.head()
        rest, socket = doors.both(*by_both_doors(doors, change, message_id))
        assert rest == socket
        assert doors.head() == head + 1 == rest["rev"], "one revision for both"


@pytest.mark.parametrize("door", ["rest", "socket"])
def test_a_send_is_repeated_after_others_changed_the_message(doors: Doors, door: str) -> None:
    """From another device it was edited, then deleted: the repetition is answered with what it is now."""
    chosen, device = new_id(), doors.person.another_device()
    path = doors.path(chosen)

    def send() -> Json:
        if door == "socket":
            return doors.frame("message.send", message_id=chosen, content="as sent")
        return doors.rest("POST", f"/conversations/{doors.room}/messages", {"id": chosen, "content": "as sent"})

    def repeated() -> Json:
        """The same once more, which is told to be a repetition."""
        if door == "socket":
            reply = doors.live.request("message.send", conversation_id=doors.room, message_id=chosen, content="as sent")
            assert (reply["ok"], reply.get("replayed")) == (True, True)
            return dict(reply["message"])
        body = {"id": chosen, "content": "as sent"}
        answer = doors.person.post(f"/conversations/{doors.room}/messages", body)
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, "true")
        return dict(answer.json())

    first = send()
    edited = device.request("PATCH", path, json={"content": "edited elsewhere"}).json()
    assert (edited["content"], edited["seq"]) == ("edited elsewhere", first["seq"])
    head = doors.head()
    assert repeated() == edited
    deleted = device.request("DELETE", path).json()
    assert repeated() == deleted
    assert deleted["deleted"] is True and deleted["content"] is None
    assert doors.head() == head + 1, "the deletion alone"
    # The content as it was edited is not what was sent under this id.
    if door == "rest":
        body = {"id": chosen, "content": "edited elsewhere"}
        refusal = doors.person.post(f"/conversations/{doors.room}/messages", body)
        assert problem(refusal, 409)["code"] == "id_reused"
    else:
        reply = doors.live.request(
            "message.send", conversation_id=doors.room, message_id=chosen, content="edited elsewhere"
        )
        assert (reply["ok"], reply["error"]["code"], reply["error"]["retryable"]) == (False, "id_reused", False)
    assert doors.head() == head + 1


@pytest.mark.parametrize("change", ["edit", "delete", "react"])
def test_rivals_by_two_doors_are_both_told_the_truth(doors: Doors, change: str) -> None:
    """Two contents, or an edit and something else, at once: each is answered, and the last one is what is stored."""
    for n in range(ROUNDS):
        let_rivals_race(doors, change, doors.person.say(doors.other, f"message {n}")["id"])


def let_rivals_race(doors: Doors, change: str, message_id: str) -> None:
    head = doors.head()

    def by_socket() -> Json:
        reply = doors.live.request(
            "message.edit", conversation_id=doors.room, message_id=message_id, content="by socket"
        )
        return dict(reply.get("message") or reply["error"])

    rest, socket = doors.both(by_both_doors(doors, change, message_id)[0], by_socket)
    stored = doors.rest("GET", doors.path(message_id))
    if socket.get("code"):
        assert (change, socket["code"]) == ("delete", "message_deleted")
        assert doors.head() == head + 1 == stored["rev"]
    else:
        assert {rest["rev"], socket["rev"]} == {head + 1, head + 2}
        assert stored == max(rest, socket, key=lambda m: int(m["rev"]))
