"""The database is moved while everybody writes as fast as they can, one API process being stopped over the switch.

To PostgreSQL and back again, so that both kinds are left and the last one is a file, which the checker reads: nothing
that was acknowledged is missing, wherever it was written, and devices have seen one history."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support import moving
from support.client import BASE, new_id
from support.drill import Drills, Scene
from support.postgres import shared_cluster
from support.process import Process
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until

STOPPED_WITHIN_S = 60
WINDOW = 16


class Writer:
    """One message after the other to one API process, each until it is acknowledged."""

    def __init__(self, url: str, room: str, token: str) -> None:
        self.path = f"{BASE}/conversations/{room}/messages"
        self.acknowledged: list[str] = []  # ids
        self.codes: set[str] = set()  # of refusals
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(120)
        self._http.close()

    def _write(self) -> None:
        for n in itertools.count():
            body = {"id": new_id(), "content": f"through the other one {n}"}
            while not self._over.is_set():
                if self._sent(body):
                    self.acknowledged.append(body["id"])
                    break
                self._over.wait(0.02)
            if self._over.is_set():
                return

    def _sent(self, body: dict[str, str]) -> bool:
        try:
            answer = self._http.post(self.path, json=body)
        except httpx.HTTPError:
            return False
        if answer.status_code not in (200, 201):
            assert answer.status_code >= 500, answer.text
            self.codes.add(answer.json()["code"])
            return False
        return True

    def still_writes(self) -> None:
        n = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > n + 5, "messages are acknowledged", 30)


def freeze_between_writes(process: Process, source: str) -> None:
    """A program that stands still in its turn to write, or while it waits for it, lets nobody else write to a SQLite
    file: it goes on for a moment and is stopped again. PostgreSQL ends such a transaction by itself."""
    turns = [Path(source.removeprefix("sqlite:") + suffix) for suffix in (".next", ".write")]
    tries = itertools.count(1)

    def stopped() -> bool:
        next(tries)
        process.freeze()
        if not process.locks(*turns):
            return True
        process.thaw()
        return False

    wait_until(stopped, "it is stopped while it writes nothing", STOPPED_WITHIN_S)
    print(f"stopped between two writes, the {next(tries) - 1}. time")


def move(stack: Stack, source: str, destination: str) -> str:
    """With the second API process stopped; what was printed."""
    freeze_between_writes(stack.processes["api2"], source)
    done = moving.command("--from", source, "--to", destination)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def switch(scene: Scene, writer: Writer, source: str, destination: str) -> None:
    stack = scene.stack
    before = moving.state(source)["epoch"]
    await asyncio.to_thread(writer.still_writes)
    writer.codes.clear()
    printed = await asyncio.to_thread(move, stack, source, destination)
    print(printed, end="")
    stack.processes["api2"].thaw()
    await scene.load.until(lambda: "moved" in writer.codes, "who was stopped over the switch is refused")
    for process in (*stack.apis, *stack.pushes):
        await asyncio.to_thread(process.end)
    stack.settings["database.url"] = stack.env["STONECHAT_DATABASE_URL"] = destination
    for process in (*stack.apis, *stack.pushes):
        process.env = process.env | {"STONECHAT_DATABASE_URL": destination}
        process.start()
    await scene.ready()
    assert moving.state(destination)["epoch"] == before
    assert moving.state(destination)["state"] == "serving"
    await scene.load.serve(1)
    await asyncio.to_thread(writer.still_writes)


# So much that copying takes some seconds.
SIZE = moving.Size(people=2000, groups=5, members=100, messages=2000, sessions=2000, sign_up="open", dense=True)


@pytest.mark.sqlite
def test_moving_under_load(drills: Drills, make_stack: MakeStack, tmp_path: Path) -> None:
    writers: list[Writer] = []
    rooms: list[str] = []
    stacks: list[Stack] = []

    async def act(scene: Scene) -> None:
        stack, cluster = scene.stack, shared_cluster()
        stacks.append(stack)
        last = f"sqlite:{stack.data}/last.db"
        middle = cluster.url(cluster.new_database())
        one, two = (scene.load.sign_up("saturating") for _ in range(2))
        answer = await one.ask("POST", "/conversations", {"kind": "direct", "user_id": two.id})
        rooms.append(answer.json()["id"])
        subprocess.run(
            ["cmake", "--build", str(stack.build), "--target", "bench.ws_send"], check=True, capture_output=True
        )
        program = [str(stack.build / "tests/bench/bench.ws_send"), "127.0.0.1", str(stack.push_port)]
        writers.append(Writer(stack.urls[1], rooms[0], two.token))
        scene.begin()
        with writers[0]:
            for source, destination in ((first, middle), (middle, last)):
                busy = await asyncio.create_subprocess_exec(*program, one.token, rooms[0], "100000000", str(WINDOW))
                await switch(scene, writers[0], source, destination)
                if busy.returncode is None:
                    busy.kill()
                await busy.wait()

    first = moving.make_source(tmp_path / "first.db", SIZE)
    # Idle: those who write at full rate leave the others of a busy machine little, and what they did is checked below.
    drills.run(
        "moving the database", act, make_stack=lambda settings: make_stack({"database.url": first}, apis=2), idle=True
    )
    check_room(stacks[0].data / "last.db", rooms[0], writers[0])


def check_room(path: Path, room: str, writer: Writer) -> None:
    """What the second API process acknowledged is there once, in the order in which it was written, without a hole."""
    with closing(sqlite3.connect(path)) as database:
        stored = database.execute(
            "SELECT seq, id FROM messages WHERE conversation_id = ? ORDER BY seq", [room]
        ).fetchall()
    assert [seq for seq, _ in stored] == list(range(1, len(stored) + 1))
    acknowledged = set(writer.acknowledged)
    assert [id_ for _, id_ in stored if id_ in acknowledged] == writer.acknowledged
    print(f"{len(stored)} messages in the room that was written to at full rate, {len(acknowledged)} by the second API")
