"""An independent client of the REST half of the contract: an Api is a connection, a Person somebody who has signed up.

Methods named after an operation return the httpx response, for tests of the answer; `say`, `history` and their like
assert that all went well and return what was asked for."""

from __future__ import annotations

import ssl
import uuid
from typing import Any

import httpx

from support.live import Live
from support.stack import Stack

BASE = "/api/v1"
PASSWORD = "correct horse battery"

Json = dict[str, Any]

# Nothing here speaks TLS: without this each client would read all certificates of the machine first.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def new_id() -> str:
    """An id as a client chooses it."""
    return str(uuid.uuid4())


def new_name(prefix: str = "p") -> str:
    """A username nobody has."""
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


class Api:
    """httpx on one stack; every exchange is checked against api/openapi.yaml by the recorder."""

    def __init__(self, stack: Stack, token: str | None = None, *, api: int = 0) -> None:
        self.stack = stack
        self.http = httpx.Client(base_url=stack.urls[api], timeout=20.0, trust_env=False, verify=NO_TLS)
        self.token = token

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """`path` below /api/v1; `headers` are added to the authorization, if there is one."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= more.pop("headers", {})
        return self.http.request(method, BASE + path, headers=headers, **more)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return self.request("POST", path, json=body, **more)

    def close(self) -> None:
        self.http.close()

    # -- accounts
    def sign_up(self, username: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        return self.post("/auth/signup", {"username": username, "password": password} | more)

    def log_in(self, username: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        return self.post("/auth/login", {"username": username, "password": password} | more)

    def refresh(self, refresh_token: str) -> httpx.Response:
        return self.post("/auth/refresh", {"refresh_token": refresh_token})


class Person(Api):
    """Somebody with an account and an access token: one device of theirs."""

    def __init__(self, stack: Stack, signed_in: Json, *, api: int = 0) -> None:
        super().__init__(stack, signed_in["access_token"], api=api)
        self.user: Json = signed_in["user"]
        self.id: str = self.user["id"]
        self.username: str = self.user["username"]
        self.refresh_token: str | None = signed_in.get("refresh_token")

    @classmethod
    def new(cls, stack: Stack, prefix: str = "p", **more: Any) -> Person:
        """Signs up somebody new."""
        api = Api(stack)
        answer = api.sign_up(new_name(prefix), **more)
        api.close()
        assert answer.status_code == 201, answer.text
        return cls(stack, answer.json())

    def another_device(self) -> Person:
        """The same person, logged in once more."""
        api = Api(self.stack)
        answer = api.log_in(self.username)
        api.close()
        assert answer.status_code == 200, answer.text
        return Person(self.stack, answer.json())

    def through(self, api: int) -> Person:
        """The same device, asking the API process of this number (Stack.urls)."""
        signed_in = {"access_token": self.token, "refresh_token": self.refresh_token, "user": self.user}
        return Person(self.stack, signed_in, api=api)

    def log_out(self) -> httpx.Response:
        return self.post("/auth/logout", {})

    # -- groups
    def make_group(self, title: str, *members: Person, **more: Any) -> str:
        """The id of a new group of one's own."""
        body = {"kind": "group", "title": title, "member_ids": [one.id for one in members]} | more
        answer = self.post("/conversations", body)
        assert answer.status_code == 201, answer.text
        group_id: str = answer.json()["id"]
        return group_id

    def add(self, group_id: str, *people: Person) -> httpx.Response:
        return self.post(f"/conversations/{group_id}/members", {"user_ids": [one.id for one in people]})

    def remove(self, group_id: str, user_id: str = "me") -> httpx.Response:
        return self.request("DELETE", f"/conversations/{group_id}/members/{user_id}")

    def give_role(self, group_id: str, user_id: str, role: str) -> httpx.Response:
        return self.request("PATCH", f"/conversations/{group_id}/members/{user_id}", json={"role": role})

    # -- messages
    def send_direct(self, recipient_id: str, content: str, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        return self.post("/messages", {"recipient_id": recipient_id, "content": content} | more, headers=headers)

    def send(self, conversation_id: str, content: str, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        return self.post(f"/conversations/{conversation_id}/messages", {"content": content} | more, headers=headers)

    def say(self, other: Person, content: str, **more: Any) -> Json:
        """A direct message; the message as stored."""
        answer = self.send_direct(other.id, content, **more)
        assert answer.status_code in (200, 201), answer.text
        message: Json = answer.json()
        return message

    def conversation_with(self, other: Person) -> str:
        """The id of the direct conversation, which begins with one message."""
        conversation_id: str = self.say(other, "hello")["conversation_id"]
        return conversation_id

    def messages(self, conversation_id: str, **params: Any) -> httpx.Response:
        return self.get(f"/conversations/{conversation_id}/messages", **params)

    def history(self, conversation_id: str) -> list[Json]:
        """All messages, oldest first, read in pages of 200."""
        items: list[Json] = []
        more, after = True, 0
        while more:
            answer = self.messages(conversation_id, after_seq=after, limit=200)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            items += page["items"]
            more = page["has_more_after"]
            after = items[-1]["seq"] if items else 0
        return items

    def changes(self, conversation_id: str, **params: Any) -> httpx.Response:
        return self.get(f"/conversations/{conversation_id}/changes", **params)

    def conversations(self) -> list[Json]:
        """All conversations, in the order of the list."""
        items: list[Json] = []
        cursor: Json = {}
        while True:
            answer = self.get("/conversations", **cursor)
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            if not answer.json()["next_cursor"]:
                return items
            cursor = {"cursor": answer.json()["next_cursor"]}

    def sync(self, **body: Any) -> httpx.Response:
        return self.post("/sync", body)

    # -- live
    def connect(self, *, direct: bool = False, push: int | None = None, **auth: Any) -> Live:
        """An authenticated WebSocket; `auth` are further keys of the auth frame, `direct` skips lighttpd, `push` is the
        number of a push process to go to."""
        assert self.token
        url = self.stack.push_url if direct else self.stack.url
        live = Live(url if push is None else self.stack.push_urls[push])
        live.authenticate(self.token, **auth)
        return live
