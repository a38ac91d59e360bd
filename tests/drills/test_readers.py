"""Devices that stop reading, and many that come back at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from contextlib import suppress

import pytest

from support.device import Account
from support.drill import Drills, Scene
from support.metrics import push_metric
from support.wire import frame

DEAF_S, DEAF_TO = 20, 2000
SOCKETS, BYSTANDERS = 500, 10
ACCEPTS_PER_SECOND = 100
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
    """For 20 s, in which 2,000 messages are said to it; then gaps tell it what to pull, on the socket that it had."""

    async def act(scene: Scene) -> None:
        device = scene.load.devices[1]

        def said() -> int:
            return sum(len(pair.said) for pair in scene.load.pairs if device.account in pair.people)

        before, gaps = said(), len(device.gaps)
        assert device.socket and not device.closes
        device.hearing.clear()
        await scene.lasts(DEAF_S)
        await scene.load.until(lambda: said() - before >= DEAF_TO, f"{DEAF_TO} messages")
        device.hearing.set()
        await scene.load.until(lambda: len(device.gaps) > gaps, "it is told that it missed something")
        assert not device.closes, "a kernel that acknowledges is no reason to close"
        scene.mark(f"{len(device.gaps) - gaps} gaps")

    drills.run("a reader that does not read for 20 s", act, rate=300)


class Bystander:
    """A bare socket that is opened again the moment it is cut, by its bytes: 500 of them have to be cheap.

    One that is refused comes again after what Retry-After says and a random part of a second more."""

    def __init__(self, port: int, account: Account) -> None:
        self.port, self.account = port, account
        self.here = False
        self.writer: asyncio.StreamWriter | None = None

    async def stay(self) -> None:
        for attempt in itertools.count():
            pause_s = 0.05 * min(attempt, 20)
            with suppress(OSError, EOFError):
                reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.writer.write(UPGRADE)
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 503 " in head:
                    pause_s = int(re.findall(rb"(?i)retry-after: *(\d+)", head)[0]) + random.random()
                if b" 101 " in head:
                    auth = {"id": 1, "type": "auth", "token": self.account.token}
                    self.writer.write(frame(json.dumps(auth).encode()))
                    await reader.readuntil(b'"hello"')
                    self.here = True
                while await reader.read(4096):
                    pass
            self.here = False
            await asyncio.sleep(pause_s)

    def cut(self) -> None:
        """The connection is gone without a word."""
        assert self.writer
        self.here = False
        self.writer.transport.abort()


@pytest.mark.long
def test_sockets_that_come_back_at_once(drills: Drills) -> None:
    """More than are accepted in a second: some are refused, and all are back soon."""

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
                took_s = await all_here()
                scene.mark(f"{SOCKETS} sockets were there again after {took_s:.2f} s")
                assert took_s >= SOCKETS / ACCEPTS_PER_SECOND - 2, "no faster than they are accepted"
                await scene.load.serve(1)
            refused = await asyncio.to_thread(push_metric, scene.stack, "stonechat_connections_refused_total")
            assert refused > 0, "nobody was refused"
            scene.mark(f"{refused:.0f} were refused")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    settings = {
        "limits.sockets_per_user": str(SOCKETS),
        "limits.accepts_per_second": str(ACCEPTS_PER_SECOND),
        "limits.accepts_burst": str(ACCEPTS_PER_SECOND),
    }
    drills.run("500 sockets reconnect at once", act, settings=settings)
