"""Redis by the name of its host, and a name server that is slow: nobody on a WebSocket notices."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from support.client import Person
from support.shared import MakeStack
from support.stack import ROOT
from support.waiting import wait_until

SLOW_S = 6
ANSWERED_WITHIN_S = 1
PATIENCE = 3


def slow_names(folder: Path) -> dict[str, str]:
    """The environment of a program whose look-ups take so long."""
    library = folder / "slow_names.so"
    source = str(ROOT / "tests/support/slow_names.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), source], check=True, timeout=60)
    return {"LD_PRELOAD": str(library), "SLOW_NAMES_MS": str(SLOW_S * 1000)}


def test_a_slow_name_server_holds_up_nobody_on_a_socket(make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack()
    port = stack.port + 15
    redis_cli = ["redis-cli", "-s", str(stack.run / "redis.sock"), "CONFIG", "SET", "port", str(port)]
    subprocess.run(redis_cli, check=True, timeout=10, capture_output=True)
    ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
    assert stack.push.end()[0] == 0
    asan = stack.env["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
    stack.push.env = stack.env | slow_names(tmp_path) | {"STONECHAT_REDIS_URL": f"redis://redis.test:{port}"}
    stack.push.env["ASAN_OPTIONS"] = asan
    stack.push.start()
    wait_until(lambda: stack.push.log.read_text().count("event=ready ") == 2, "push is ready", 20)
    began = asked = time.monotonic()
    longest_s = 0.0
    with bob.connect(direct=True) as live:
        while time.monotonic() - began < SLOW_S - 1:
            live.request("ping")
            longest_s = max(longest_s, time.monotonic() - asked)
            live.wait_a_moment(0.05)
            asked = time.monotonic()
        print(f"the longest wait was {longest_s:.3f} s")
        assert longest_s < PATIENCE * ANSWERED_WITHIN_S
        assert live.hello["mode"] == "degraded"
        live.event("mode", mode="normal", timeout=20)
        live.told_of(ann.say(bob, "by Redis"), 20)
    stack.wait_ready()
