"""Two processes write to one SQLite file: the one that writes little does not wait for the one that always writes."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from support.drill import SEND_S, Drills, Scene
from support.history import History

SATURATE_S = 8
WINDOW = 64


@pytest.mark.long
def test_a_light_writer_beside_a_saturating_one(drills: Drills) -> None:
    """The WebSocket door of push is kept full by a program in C; the others' sends by REST are those of api."""

    async def act(scene: Scene) -> None:
        build = scene.stack.build
        subprocess.run(["cmake", "--build", str(build), "--target", "bench.ws_send"], check=True, capture_output=True)
        one, two = (scene.load.sign_up("saturating") for _ in range(2))
        answer = await one.ask("POST", "/conversations", {"kind": "direct", "user_id": two.id})
        room = answer.json()["id"]
        program = [str(build / "tests/bench/bench.ws_send"), "127.0.0.1", str(scene.stack.push_port)]
        began = History.now()
        busy = await asyncio.create_subprocess_exec(*program, one.token, room, "100000000", str(WINDOW))
        try:
            await asyncio.sleep(SATURATE_S)
            assert busy.returncode is None, "it has ended"
        finally:
            busy.kill()
            await busy.wait()
        took = sorted(s for at, s, door in scene.load.latencies if door == "rest" and at >= began)
        assert len(took) > 100
        head = await one.ask("GET", f"/conversations/{room}")
        scene.mark(f"{head.json()['last_seq']} messages by the saturating writer")
        scene.measure(SEND_S, took[len(took) * 99 // 100])

    drills.run("a light writer beside a saturating one", act, rate=50, people=3, devices=1, idle=True)
