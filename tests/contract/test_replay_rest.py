"""The examples of api/openapi.yaml, executed: each request is accepted as it is shown, with ids that exist here, and
each success that is shown looks like the one that really comes. (Requests and answers are held against the schemas by
the recorder, as in all tests.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from support.client import Person, new_id
from support.openapi import Operation, load
from support.scene import Call, Scene
from support.shape import differences
from support.stack import Stack

DOCUMENT = load()

Send = Callable[[Scene, Call], httpx.Response]


@pytest.fixture
def scene(stack: Stack) -> Iterator[Scene]:
    scene = Scene(stack)
    yield scene
    scene.close()


def as_shown(scene: Scene, call: Call) -> httpx.Response:
    return call.send(scene.api, scene.ann.token if call.operation.closed else None)


def again(scene: Scene, call: Call) -> httpx.Response:
    """The same message once more."""
    key = {"Idempotency-Key": new_id()}
    assert call.send(scene.api, scene.ann.token, headers=key).status_code == 201
    return call.send(scene.api, scene.ann.token, headers=key)


def with_somebody_new(scene: Scene, call: Call) -> httpx.Response:
    new = Person.new(scene.stack)
    new.close()
    return call.send(scene.api, scene.ann.token, json=(call.body or {}) | {"user_id": new.id})


def unchanged(scene: Scene, call: Call) -> httpx.Response:
    etag = call.send(scene.api, scene.ann.token).headers["etag"]
    return call.send(scene.api, scene.ann.token, headers={"If-None-Match": etag})


# What the example as it is shown does not come to.
OTHERWISE: dict[tuple[str, str], Send] = {
    ("send_message", "200"): again,
    ("send_direct_message", "200"): again,
    ("create_conversation", "201"): with_somebody_new,
    ("list_conversations", "304"): unchanged,
    ("get_conversation", "304"): unchanged,
    ("list_members", "304"): unchanged,
    ("list_messages", "304"): unchanged,
    ("get_message", "304"): unchanged,
    ("get_me", "304"): unchanged,
    ("get_user", "304"): unchanged,
}
SUCCESSES = [
    pytest.param(operation, status, id=f"{operation.id} {status}")
    for operation in DOCUMENT.operations
    for status in operation.spec["responses"]
    if status[0] in "23"
]


def example_of(operation: Operation, status: str) -> object:
    response, _ = DOCUMENT.resolve(operation.spec["responses"][status], ())
    return response.get("content", {}).get("application/json", {}).get("example")


@pytest.mark.parametrize(("operation", "status"), SUCCESSES)
def test_an_example_is_what_really_happens(scene: Scene, operation: Operation, status: str) -> None:
    send = OTHERWISE.get((operation.id, status), as_shown)
    answer = send(scene, scene.call(operation))
    assert str(answer.status_code) == status, answer.text
    example = example_of(operation, status)
    if example is None:
        assert answer.content == b""
        return
    real = answer.json()
    assert differences(example, real) == []


@pytest.mark.parametrize("status", ["400", "404", "405", "413", "415", "422"])
def test_a_problem_names_its_type_of_status(scene: Scene, status: str) -> None:
    """One of each kind of refusal, with its code and whether to try again."""
    send, room = scene.ann.request, f"/conversations/{scene.conversation_id}"
    answers = {
        "400": lambda: send("POST", f"{room}/messages", json={"content": 1}),
        "404": lambda: send("GET", f"/conversations/{new_id()}"),
        "405": lambda: send("PUT", room),
        "413": lambda: send("POST", f"{room}/messages", json={"content": "x" * 50_000}),
        "415": lambda: send("POST", f"{room}/messages", content=b"x", headers={"Content-Type": "text/plain"}),
        "422": lambda: send("POST", f"{room}/messages", json={"content": ""}),
    }
    answer = answers[status]()
    body = answer.json()
    assert str(answer.status_code) == status == str(body["status"])
    assert DOCUMENT.schema_errors("Problem", body) == []
    assert body["retryable"] is False
    assert body["detail"].endswith("."), "a sentence"
