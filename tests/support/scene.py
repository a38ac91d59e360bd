"""A scene in which every operation of api/openapi.yaml can succeed, and the call of each that does.

The calls are the document's own examples with ids that exist here, so that a new operation has its call as soon as it
is documented; what an example alone cannot know (whose turn it is, a name nobody has) stands in `Scene.values`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support import truth
from support.client import PASSWORD, Api, Json, Person, new_name
from support.openapi import Operation
from support.stack import Stack

OF_GROUPS = (
    "update_conversation", "delete_conversation", "add_members", "add_member", "update_member", "remove_member",
    "hand_over_conversation",
)  # fmt: skip


def each(operations: list[Operation]) -> list[Any]:
    """Parameters of a test, one for each operation."""
    return [pytest.param(operation, id=operation.id) for operation in operations]


def dump(value: Any) -> bytes:
    """JSON without a space too many."""
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Call:
    """A request below the operation's server. `path` is percent-encoded, `body` is None when there is none."""

    operation: Operation
    path: str
    query: Json = field(default_factory=dict)
    body: Json | None = None

    @property
    def method(self) -> str:
        return self.operation.steps[2].upper()

    def send(self, api: Api, token: str | None = None, **more: Any) -> httpx.Response:
        """Sends it with this token; `more` goes to httpx and wins over the call's own body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        if self.body is not None and "content" not in more:
            more.setdefault("json", self.body)
        return api.http.request(self.method, self.path, params=self.query or None, headers=headers, **more)


class Scene:
    """Ann and Bob, their conversation, and a message of Ann's that Bob has not read; Eve is a stranger to them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = Api(stack)
        self.ann, self.bob, self.eve = (Person.new(stack, name) for name in ("ann", "bob", "eve"))
        self.ann.say(self.bob, "hello")
        self.message: Json = self.ann.say(self.bob, "a message of Ann's")
        self.conversation_id: str = self.message["conversation_id"]
        self.group_id: str | None = None
        self.more: list[Person] = []

    def close(self) -> None:
        for one in (self.api, self.ann, self.bob, self.eve, *self.more):
            one.close()

    def make_group(self) -> Json:
        """What stands for the ids of an operation on groups: Ann's, with Bob, Mia and Leo, an admin; Zoe is not in it
        yet."""
        mia, zoe, leo = (Person.new(self.stack, name) for name in ("mia", "zoe", "leo"))
        self.more = [mia, zoe, leo, *self.more]
        self.group_id = self.ann.make_group("Tea", self.bob, mia, leo)
        assert self.ann.give_role(self.group_id, leo.id, "admin").status_code == 200
        return {"conversation_id": self.group_id, "user_id": mia.id, "user_ids": [zoe.id]}

    def move_to_group(self) -> Person:
        """From here on the conversation is a group of Ann's with Bob and Leo, an admin; returns who was a member when
        its message came, and no longer is."""
        former_id = self.make_group()["user_id"]
        self.conversation_id = str(self.group_id)
        self.message = self.ann.send(self.conversation_id, "a message of Ann's").json()
        former = self.more[0]
        assert former.id == former_id
        assert former.get(f"/conversations/{self.group_id}/messages/{self.message['id']}").status_code == 200
        assert former.remove(self.group_id).status_code == 204
        return former

    def lose_owner(self) -> None:
        """The group gets an owner who cannot log in."""
        kim = Person.new(self.stack, "kim")
        self.more.append(kim)
        assert self.ann.add(str(self.group_id), kim).status_code == 200
        assert self.ann.give_role(str(self.group_id), kim.id, "owner").status_code == 200
        truth.disable_user(self.stack, kim.id)

    def values(self, operation: Operation) -> Json:
        """What stands for the ids and names of the document's examples, seen from Ann."""
        values: Json = {
            "conversation_id": self.conversation_id,
            "message_id": self.message["id"],
            "user_id": self.bob.id,
            "recipient_id": self.bob.id,
            "user_ids": f"{self.ann.id},{self.bob.id}",
            "username": self.ann.username,
            "password": PASSWORD,
            "current_password": PASSWORD,
            "refresh_token": self.ann.refresh_token,
            "query": self.bob.username[:6],
        }
        if operation.id in OF_GROUPS:
            values |= self.make_group()
        if operation.id == "hand_over_conversation":
            self.lose_owner()
        if operation.id == "add_member":
            values["user_id"] = values["user_ids"][0]
        if operation.id == "sign_up":
            values["username"] = new_name()
        if "administration" in operation.spec["tags"]:
            truth.make_admin(self.stack, self.ann.id)
        if operation.id in ("delete_account", "reset_password", "update_account"):
            somebody = Person.new(self.stack, "mia")
            values["user_id"] = somebody.id
            somebody.close()
        if operation.id == "revoke_invite":
            values["invite_id"] = self.ann.post("/admin/invites", {}).json()["id"]
        if operation.id == "revoke_session":
            device = self.ann.another_device()
            values["session_id"] = self.session_of(device)
            device.close()
        if operation.id in ("block_user", "unblock_user"):
            carl = Person.new(self.stack, "carl")  # nobody can block themselves
            values["user_id"] = carl.id
            carl.close()
        if operation.id == "revoke_token":
            values["token_id"] = self.ann.post("/auth/tokens", {"name": "a script"}).json()["id"]
        return values

    @staticmethod
    def session_of(person: Person) -> str:
        items = person.get("/auth/sessions").json()["items"]
        return str(next(item["id"] for item in items if item["current"]))

    def call(self, operation: Operation, **changed: Any) -> Call:
        """The operation's call by Ann; `changed` replaces path parameters."""
        values = self.values(operation) | changed
        path = operation.path
        query: Json = {}
        for parameter in operation.parameters():
            name, example = parameter["name"], parameter.get("example")
            value = values.get(name, example)
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif parameter["in"] == "query" and parameter.get("required"):
                query[name] = value
        return Call(operation, path, query, self._body(operation, values))

    def _body(self, operation: Operation, values: Json) -> Json | None:
        example = operation.body_example()
        if example is None:
            return None
        body = {name: values.get(name, value) for name, value in example.items()}
        if "known" in body:
            body["known"] = {self.conversation_id: 1}
        return body
