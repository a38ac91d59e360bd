"""Devices that stop reading, and many that come back at once."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import suppress

import pytest

from support.device import Account
from support.drill import Drills, Scene
from support.wire import frame

DEAF_S, DEAF_TO = 20, 2000
SOCKETS, BYSTANDERS = 500, 10
UPGRADE = b"\r\n".join(
    [
        b"GET /ws HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Protocol: stonechat.v1",
        b"",
        b"",
    ]
)


@pytest.mark.long
def test_a_reader_that_stops_reading(drills: Drills) -> None:
    """For 20 s, in which 2,000 messages are said to it; then it has all of them, and nobody else waited."""

    async def act(scene: Scene) -> None:
        device = scene.load.devices[1]

        def said() -> int:
            return sum(len(pair.said) for pair in scene.load.pairs if device.account in pair.people)

        before = said()
        device.hearing.clear()
        await asyncio.sleep(DEAF_S)
        await scene.load.until(lambda: said() - before >= DEAF_TO, f"{DEAF_TO} messages")
        device.hearing.set()

    drills.run("a reader that does not read for 20 s", act, rate=300)


class Bystander:
    """A bare socket that is opened again the moment it is cut, by its bytes: 500 of them have to be cheap."""

    def __init__(self, port: int, account: Account) -> None:
        self.port, self.account = port, account
        self.here = False
        self.writer: asyncio.StreamWriter | None = None

    async def stay(self) -> None:
        for attempt in itertools.count():
            with suppress(OSError, EOFError):
                reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.writer.write(UPGRADE)
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 101 " in head:
                    auth = {"id": 1, "type": "auth", "token": self.account.token}
                    self.writer.write(frame(json.dumps(auth).encode()))
                    await reader.readuntil(b'"hello"')
                    self.here = True
                while await reader.read(4096):
                    pass
            self.here = False
            await asyncio.sleep(0.05 * min(attempt, 20))

    def cut(self) -> None:
        """The connection is gone without a word."""
        assert self.writer
        self.here = False
        self.writer.transport.abort()


@pytest.mark.long
def test_sockets_that_come_back_at_once(drills: Drills) -> None:
    async def act(scene: Scene) -> None:
        accounts = [scene.load.sign_up("bystander") for _ in range(BYSTANDERS)]
        bystanders = [Bystander(scene.stack.push_port, account) for account in accounts * (SOCKETS // BYSTANDERS)]
        tasks = [asyncio.create_task(bystander.stay()) for bystander in bystanders]

        async def all_here() -> float:
            return await scene.load.until(lambda: all(one.here for one in bystanders), f"{SOCKETS} sockets", 60)

        try:
            await all_here()
            scene.begin()
            for _ in range(3):
                for one in bystanders:
                    one.cut()
                scene.mark(f"{SOCKETS} sockets were there again after {await all_here():.2f} s")
                await asyncio.sleep(1)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    settings = {"limits.sockets_per_user": str(SOCKETS)}
    drills.run("500 sockets reconnect at once", act, settings=settings)
