"""What a message costs without Redis, however many listen: one read of the database, and nobody asks the API."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from websockets.asyncio.client import ClientConnection, connect

from support.client import Person
from support.live import PROTOCOL
from support.metrics import api_metric, push_metric
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until

SOCKETS = 2000
TOLD_WITHIN_S = 15


class Listener:
    """One socket that keeps what it is told of."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.told: list[str] = []
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        with contextlib.suppress(Exception):
            async for text in self.connection:
                for line in str(text).split("\n"):
                    self.told.append(line)

    def has(self, message_id: str) -> bool:
        """Whether it was given this message, in an event or in the rows of a repair."""
        return any(message_id in line and '"gap"' not in line for line in self.told)

    @property
    def pulls(self) -> int:
        """How often it was told to ask."""
        return sum('"type":"gap"' in line for line in self.told)


async def listen(stack: Stack, token: str) -> Listener:
    url = stack.push_url.replace("http", "ws", 1) + "/ws"
    connection = await connect(url, subprotocols=[PROTOCOL], compression=None, ping_interval=None, proxy=None)  # type: ignore[list-item]
    await connection.send(json.dumps({"id": 1, "type": "auth", "token": token}))
    assert json.loads(str(await connection.recv()).split("\n")[0])["ok"] is True
    return Listener(connection)


async def until_all(listeners: list[Listener], message_id: str, timeout_s: float) -> float:
    """Waits until all have it; how many seconds that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not all(one.has(message_id) for one in listeners):
        assert loop.time() - began < timeout_s, f"{sum(one.has(message_id) for one in listeners)} of {len(listeners)}"
        await asyncio.sleep(0.02)
    return loop.time() - began


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_one_read_of_the_database_serves_all_sockets(make_stack: MakeStack, how: str) -> None:
    stack = make_stack({"limits.sockets_per_user": str(SOCKETS), "limits.handshakes": str(SOCKETS)})
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    ann.conversation_with(bob)

    async def run() -> None:
        tokens = [str(person.token) for person in (ann, bob)]
        listeners: list[Listener] = []
        for n in range(0, SOCKETS, 50):
            listeners += await asyncio.gather(*(listen(stack, tokens[(n + i) % 2]) for i in range(50)))
        stack.redis.kill() if how == "killed" else stack.redis.freeze()
        await asyncio.to_thread(wait_until, lambda: push_metric(stack, "stonechat_degraded") == 1, "it is noticed", 9)

        repairs = push_metric(stack, "stonechat_repairs_total")
        gaps = push_metric(stack, "stonechat_gap_markers_total")
        requests = api_metric(stack, "stonechat_http_requests_total")
        reply = await asyncio.to_thread(say_by_socket, ann, bob)
        took_s = await until_all(listeners, reply["message"]["id"], TOLD_WITHIN_S)
        print(f"{how}: {len(listeners)} sockets had the message {took_s:.2f} s after its acknowledgement")
        assert push_metric(stack, "stonechat_repairs_total") == repairs + 1
        assert push_metric(stack, "stonechat_gap_markers_total") == gaps
        assert api_metric(stack, "stonechat_http_requests_total") == requests
        assert sum(one.pulls for one in listeners) == 0
        for one in listeners:
            one.connection.transport.abort()
        await asyncio.gather(*(one.task for one in listeners))

    asyncio.run(run())
    if how == "killed":
        stack.redis.start()
    else:
        stack.redis.thaw()
    stack.wait_ready()


def say_by_socket(ann: Person, bob: Person) -> dict[str, dict[str, str]]:
    with ann.connect(direct=True) as live:
        return live.say("without Redis", recipient_id=bob.id)
