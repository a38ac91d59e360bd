"""Two processes write to one SQLite file: the one that writes little does not wait for the one that always writes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from pathlib import Path

import pytest

from support.drill import SEND_S, Drills, Scene
from support.history import History

SATURATE_S = 8
WINDOW = 64

# A disk that takes longer for one small write of a file that nobody else has stands still for everybody.
STILL_S = 0.025


class Disk:
    """Writes to a file of its own on the disk of a folder, all the while, and knows when that took long."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "probe"
        self.still: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Disk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        with self.path.open("wb", buffering=0) as file:
            while not self._over.wait(0.01):
                began = History.now()
                file.seek(0)
                file.write(b"x" * 4096)
                os.fdatasync(file.fileno())
                if History.now() - began > STILL_S:
                    self.still.append((began, History.now()))

    def stood_still(self, begin: float, end: float) -> bool:
        """At some moment between these."""
        return any(began < end and ended > begin for began, ended in self.still)


@pytest.mark.long
@pytest.mark.sqlite
def test_a_light_writer_beside_a_saturating_one(drills: Drills) -> None:
    """The WebSocket door of push is kept full by a program in C; the others' sends by REST are those of api.

    What is measured is how long one waits for the other: sends during which the disk stood still, seen by a file that
    has nothing to do with either, are told apart and counted."""

    async def act(scene: Scene) -> None:
        build = scene.stack.build
        subprocess.run(["cmake", "--build", str(build), "--target", "bench.ws_send"], check=True, capture_output=True)
        one, two = (scene.load.sign_up("saturating") for _ in range(2))
        answer = await one.ask("POST", "/conversations", {"kind": "direct", "user_id": two.id})
        room = answer.json()["id"]
        program = [str(build / "tests/bench/bench.ws_send"), "127.0.0.1", str(scene.stack.push_port)]
        began = History.now()
        busy = await asyncio.create_subprocess_exec(*program, one.token, room, "100000000", str(WINDOW))
        with Disk(scene.stack.data) as disk:
            try:
                await scene.lasts(SATURATE_S)
                assert busy.returncode is None, "it has ended"
            finally:
                busy.kill()
                await busy.wait()
        sends = [(at, s) for at, s, door in scene.load.latencies if door == "rest" and at >= began]
        took = sorted(s for at, s in sends if not disk.stood_still(at, at + s))
        longest = max((end - begin for begin, end in disk.still), default=0.0)
        print(
            f"{len(sends)} sends, {len(sends) - len(took)} of them while the disk stood still ({longest:.2f} s at most)"
        )
        assert len(took) > 100
        assert len(took) > 0.8 * len(sends), "the disk is too slow to say anything"
        head = await one.ask("GET", f"/conversations/{room}")
        scene.mark(f"{head.json()['last_seq']} messages by the saturating writer")
        scene.measure(SEND_S, took[len(took) * 99 // 100])

    drills.run("a light writer beside a saturating one", act, rate=50, people=3, devices=1, idle=True)
