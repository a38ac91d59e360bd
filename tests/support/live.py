"""An independent client of the WebSocket half of the contract.

A reader thread splits frames into their objects and keeps them all; a test waits for the one it means. Every `message`
that a test looks at is checked against the schema Message of api/openapi.yaml."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from support.recorder import RECORDER
from support.secrets import SECRETS

PROTOCOL = "stonechat.v1"

Json = dict[str, Any]


class _Connection(ClientConnection):
    """Counts the server's pings, which the library answers without telling."""

    pings = 0

    def process_event(self, event: Frame | Response) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
        super().process_event(event)


class Live:
    """One WebSocket. `objects` are all JSON objects received, in order."""

    def __init__(self, url: str, *, protocol: str | None = PROTOCOL, origin: str | None = None) -> None:
        self._stack = ExitStack()
        context = connect(
            url.replace("http", "ws", 1) + "/ws",
            subprotocols=[Subprotocol(protocol)] if protocol else None,
            additional_headers={"Origin": origin} if origin else None,
            compression=None,
            ping_interval=None,
            max_size=None,
            proxy=None,
            close_timeout=5,
            create_connection=_Connection,
        )
        connection = self._stack.enter_context(context)
        assert isinstance(connection, _Connection)
        self.connection = connection
        self.objects: list[Json] = []
        self.frames: list[str] = []
        self.hello: Json = {}
        self._ids = itertools.count(1)
        self._news = threading.Condition()
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        try:
            while True:
                text = self.connection.recv()
                assert isinstance(text, str), "a binary frame from the server"
                with self._news:
                    self.frames.append(text)
                    self.objects += [json.loads(line) for line in text.split("\n") if line]
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            with self._news:
                self._closed = True
                self._news.notify_all()

    # -- out
    def send(self, frame: Json) -> None:
        text = json.dumps(frame, ensure_ascii=False)
        SECRETS.saw(text)
        self.connection.send(text)

    def send_if_open(self, frame: Json) -> None:
        """For floods, which the server may end at any frame."""
        with suppress(ConnectionClosed):
            self.send(frame)

    def wait_a_moment(self, seconds: float) -> None:
        """Until something comes, or the time is over."""
        with self._news:
            self._news.wait(seconds)

    def wait_while_open(self, seconds: float) -> None:
        """Lets so much time pass: for what must not happen meanwhile."""
        self._reader.join(seconds)

    def send_raw(self, data: str | bytes) -> None:
        """Text as it is, or a binary frame."""
        self.connection.send(data)

    def send_broken_utf8(self) -> None:
        with self.connection.send_context():
            self.connection.protocol.send_text(b'{"id":1,"type":"ping","x":"\xc3\x28"}')

    def ask(self, type_: str, **keys: Any) -> int:
        """Sends a frame with the next id and returns the id."""
        number = next(self._ids)
        self.send({"id": number, "type": type_} | keys)
        return number

    def request(self, type_: str, **keys: Any) -> Json:
        """Sends a frame and waits for its reply."""
        return self.reply(self.ask(type_, **keys))

    def reply(self, number: int, timeout: float = 10.0) -> Json:
        return self.wait_for(lambda o: o.get("reply_to") == number, f"reply to {number}", timeout)

    def reply_or_close(self, number: int, timeout: float = 10.0) -> Json | None:
        """The reply, or None when the server closed the socket instead."""
        try:
            return self.reply(number, timeout)
        except AssertionError:
            if self.open:
                raise
            return None

    def say(self, content: str, **keys: Any) -> Json:
        """message.send that must succeed; the reply."""
        reply = self.request("message.send", content=content, **keys)
        assert reply["ok"] is True, reply
        return reply

    def say_many(self, contents: list[str], window: int = 32, **keys: Any) -> list[Json]:
        """message.send of all, with at most `window` unanswered; their replies, in order.

        A client that only writes and never reads is stopped by the server, rightly."""
        numbers: list[int] = []
        for n, content in enumerate(contents):
            if n >= window:
                self.reply(numbers[n - window], 60)
            numbers.append(self.ask("message.send", content=content, **keys))
        return [self.reply(number, 60) for number in numbers]

    def authenticate(self, token: str, **more: Any) -> Json:
        """The auth frame; the hello, which must come."""
        self.hello = self.request("auth", token=token, **more)
        assert self.hello["ok"] is True and self.hello["type"] == "hello", self.hello
        return self.hello

    # -- in
    def wait_for(self, wanted: Callable[[Json], Any], what: str, timeout: float = 10.0) -> Json:
        """The first object, received before or later, that `wanted` accepts."""
        end = time.monotonic() + timeout
        looked_at = 0
        with self._news:
            while True:
                for found in self.objects[looked_at:]:
                    if wanted(found):
                        self._check(found)
                        return found
                looked_at = len(self.objects)
                left = end - time.monotonic()
                if left <= 0 or (self._closed and looked_at == len(self.objects)):
                    raise AssertionError(
                        f"not within {timeout:g} s: {what}; closed: {self.connection.close_code}; "
                        f"the last objects: {self.objects[-5:]}"
                    )
                self._news.wait(left)

    def event(self, type_: str, timeout: float = 10.0, **keys: Any) -> Json:
        """The first event of this type with these keys."""
        return self.wait_for(
            lambda o: o.get("type") == type_ and all(o.get(k) == v for k, v in keys.items()), f"{type_} {keys}", timeout
        )

    def created(self, message_id: str, timeout: float = 10.0) -> Json:
        """The message.created of this message."""
        return self.wait_for(
            lambda o: o.get("type") == "message.created" and o["message"]["id"] == message_id,
            f"message.created of {message_id}",
            timeout,
        )

    def all_created(self, conversation_id: str) -> list[Json]:
        """Every message.created of the conversation until now."""
        with self._news:
            return [
                o
                for o in self.objects
                if o.get("type") == "message.created" and o["conversation_id"] == conversation_id
            ]

    def told_of(self, message: Json, timeout: float) -> Json:
        """What tells this device of the message: the event, a repair that holds it, or a gap marker."""

        def tells(o: Json) -> bool:
            if o.get("type") == "message.created":
                return bool(o["message"]["id"] == message["id"])
            if o.get("conversation_id") != message["conversation_id"]:
                return False
            if o.get("type") == "gap":
                return bool(o["last_rev"] >= message["rev"])
            return o.get("type") == "changes" and any(m["id"] == message["id"] for m in o["messages"])

        return self.wait_for(tells, f"told of message {message['id']}", timeout)

    def barrier(self) -> None:
        """Everything the server had queued for this socket before now has been received after it."""
        self.request("ping")

    @staticmethod
    def _check(found: Json) -> None:
        if isinstance(found.get("message"), dict):
            RECORDER.check_schema("Message", found["message"])

    def wait_closed(self, timeout: float = 10.0) -> int:
        """Waits until the server has closed; the close code."""
        self._reader.join(timeout)
        assert self._closed, f"the server did not close within {timeout:g} s"
        code = self.connection.close_code
        assert code is not None
        return code

    @property
    def open(self) -> bool:
        return not self._closed

    @property
    def pings(self) -> int:
        """How many pings the server has sent."""
        return self.connection.pings

    def close(self) -> None:
        self._stack.close()
        self._reader.join(10)
