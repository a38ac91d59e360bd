"""A device under load: one WebSocket at a time with backoff, the client algorithm, and every pull that it asks for.

All of it is written into the history. What it does is what support/follower.py decides. A call that a close leaves
unanswered fails with LostError; whoever made it sends it again under the same id."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from support.client import BASE, PASSWORD
from support.follower import Follower, Request
from support.history import History
from support.pool import Answer, LostError, Pool
from support.stack import Stack

Json = dict[str, Any]

BACKOFF_BASE_S, BACKOFF_CAP_S = 0.3, 20.0
STABLE_S = 30.0
RETRY_MS = 500
GONE = (OSError, WebSocketException, asyncio.TimeoutError)


class Account:
    """Somebody with a token, which is renewed when the server does not take it any more."""

    def __init__(self, stack: Stack, http: Pool, user: Json, token: str) -> None:
        self.stack, self.http = stack, http
        self.id: str = user["id"]
        self.username: str = user["username"]
        self.token = token
        self._renewing = asyncio.Lock()

    async def ask(self, method: str, path: str, body: Json | None = None) -> Answer:
        """One request; LostError when there is no answer."""
        return await self.http.request(method, BASE + path, self.token, body)

    async def renew(self, refused: str) -> None:
        """Logs in again, once for all who were refused with this token."""
        async with self._renewing:
            if self.token != refused:
                return
            body = {"username": self.username, "password": PASSWORD}
            with suppress(LostError):
                answer = await self.http.request("POST", f"{BASE}/auth/login", body=body)
                if answer.status == 200:
                    self.token = answer.json()["access_token"]


class Device:
    """`name` is its name in the history. start() … stop(); what it shows is its follower's."""

    def __init__(self, name: str, account: Account, history: History, rng: random.Random, *, direct: bool) -> None:
        self.name, self.account, self.history, self.rng = name, account, history, rng
        stack = account.stack
        self.url = (stack.push_url if direct else stack.url).replace("http", "ws", 1) + "/ws"
        self.follower = Follower(account.id)
        self.patience_s = 5.0  # with a call by the socket
        self.socket: ClientConnection | None = None
        self.connected = asyncio.Event()
        self.modes: list[tuple[float, str]] = []  # when it was told normal or degraded
        self.closes: list[tuple[float, int]] = []
        self.gaps: list[Json] = []
        self.hearing = asyncio.Event()
        self.hearing.set()
        self._ids = itertools.count(2)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._news = asyncio.Event()
        self._at_once = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []  # of this program, not of the server
        history.add("reader", reader=name, user=account.id)

    @staticmethod
    def now_ms() -> int:
        return int(History.now() * 1000)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure:
            self.failures.append(failure)

    def start(self) -> None:
        self._spawn(self._keep_connected())
        self._spawn(self._pump())

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the socket
    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            began = History.now()
            with suppress(*GONE):
                await self._connection()
            attempt = 0 if History.now() - began > STABLE_S else attempt + 1
            pause_s = self.rng.uniform(0, min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**attempt))
            await asyncio.sleep(0 if self._at_once else pause_s)
            self._at_once = False

    async def _connection(self) -> None:
        """One socket, from the upgrade to its end."""
        protocol = [Subprotocol("stonechat.v1")]
        options: Json = {"compression": None, "ping_interval": None, "max_size": None, "proxy": None}
        async with connect(self.url, subprotocols=protocol, open_timeout=10, close_timeout=1, **options) as socket:
            token = self.account.token
            auth = {"id": 1, "type": "auth", "token": token} | self.follower.auth()
            await socket.send(json.dumps(auth))
            try:
                await self._read(socket)
            finally:
                self._closed(socket.close_code or 1006)
        if socket.close_code == 4401:
            await self.account.renew(token)

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            await self._listen()
            text = await socket.recv(decode=True)
            for line in str(text).split("\n"):
                self._take(socket, line)
            self._news.set()

    async def _listen(self) -> None:
        if not self.hearing.is_set():
            self.history.add("deaf", reader=self.name)
            await self.hearing.wait()
            self.history.add("hearing", reader=self.name)

    def _take(self, socket: ClientConnection, line: str) -> None:
        frame = json.loads(line)
        kind = frame.get("type")
        if kind == "hello":
            self.socket = socket
            self.connected.set()
        elif "reply_to" in frame:
            waiting = self._waiting.pop(frame["reply_to"], None)
            if waiting and not waiting.done():
                waiting.set_result(frame)
            return
        self.history.frame(self.name, line)
        if kind == "mode" or kind == "hello":
            self.modes.append((History.now(), frame["mode"]))
        elif kind == "gap":
            self.gaps.append(frame)
        elif kind == "reconnect":
            self._at_once = True
        self.follower.frame(frame, self.now_ms())

    def _closed(self, code: int) -> None:
        self.socket = None
        self.connected.clear()
        self.closes.append((self.history.add("close", reader=self.name, code=code), code))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LostError(f"closed with {code}"))
        self._waiting.clear()

    async def request(self, frame: Json) -> Json:
        """Sends a frame on the socket that there is; the reply."""
        if self.socket is None:
            raise LostError("not connected")
        number = next(self._ids)
        self._waiting[number] = reply = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send(json.dumps({"id": number} | frame, ensure_ascii=False))
            return await asyncio.wait_for(reply, self.patience_s)
        except GONE as error:
            raise LostError(str(error)) from None
        finally:
            self._waiting.pop(number, None)
            if reply.done() and not reply.cancelled():
                reply.exception()  # which nobody has asked for when sending failed first

    # -- pulls
    async def _pump(self) -> None:
        """Asks what the follower wants asked, when it wants it."""
        while True:
            for request in self.follower.requests(self.now_ms()):
                self._spawn(self._pull(request))
            at = self.follower.wake_at()
            timeout = None if at is None else max(0.001, (at - self.now_ms()) / 1000)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout)
            self._news.clear()

    async def _pull(self, request: Request) -> None:
        token = self.account.token
        retry_ms = self.rng.randint(RETRY_MS // 2, RETRY_MS)
        try:
            status, body = await self._fetch(request)
            if status == 200:
                self._note(request, body)
                self.follower.answer(request, body, self.now_ms())
            elif status == 404:
                self.follower.failed(request, self.now_ms(), gone=True)
            else:
                self.follower.failed(request, self.now_ms(), wait_ms=retry_ms)
            if status == 401:
                await self.account.renew(token)
        except LostError:
            self.follower.failed(request, self.now_ms(), wait_ms=retry_ms)
        self._news.set()

    async def _fetch(self, request: Request) -> tuple[int, Json]:
        path = f"/conversations/{request.conversation_id}"
        if request.kind == "sync":
            answer = await self.account.ask("POST", "/sync", request.body)
        elif request.kind == "changes":
            answer = await self.account.ask("GET", f"{path}/changes?after_rev={request.after_rev}&limit=200")
        elif request.kind == "snapshot":
            item = await self.account.ask("GET", path)
            answer = await self.account.ask("GET", f"{path}/messages")
            if item.status != 200 or answer.status != 200:
                return max(item.status, answer.status), {}
            return 200, {"conversation": item.json(), "page": answer.json()}
        else:
            assert request.kind == "page"
            before = "" if request.before_seq is None else f"&before_seq={request.before_seq}"
            answer = await self.account.ask("GET", f"{path}/messages?limit=200{before}")
        return answer.status, answer.json() if answer.status == 200 else {}

    def _note(self, request: Request, body: Json) -> None:
        """The pull as the checker reads it."""
        if request.kind == "snapshot":
            item, page = body["conversation"], body["page"]
            body = {"last_rev": min(item["last_rev"], page["last_rev"]), "messages": page["items"]}
        keys = {"what": request.kind, "conversation": request.conversation_id, "after_rev": request.after_rev}
        self.history.add("pull", reader=self.name, body=body, **keys)

    # -- what it shows
    def view(self) -> None:
        """Writes down what it shows now."""
        held = self.follower.conversations
        self.history.add(
            "view",
            reader=self.name,
            me=self.follower.me.known or 0,
            memberships={one.id: {"member": True, "read_seq": one.read_seq} for one in held.values()},
            conversations={one.id: {"known": one.known or 0, "messages": one.messages()} for one in held.values()},
        )

    def heads(self) -> dict[str, int]:
        """Up to where it knows each stream."""
        streams = {one.id: one.known or 0 for one in self.follower.conversations.values()}
        return streams | {self.account.id: self.follower.me.known or 0}

    def scroll_back(self) -> bool:
        """Asks for what lies before the first message that it holds; False when it holds all."""
        held = [one for one in self.follower.conversations.values() if one.has_more_before]
        for one in held:
            self.follower.older(one.id)
        self._news.set()
        return bool(held)
