#!/usr/bin/env python3
"""Measures a release build on this machine and prints one table: memory of the idle stack, REST sends beside an empty
FastCGI handler under the same lighttpd configuration, and acknowledged sends over one WebSocket.

    script/build && cmake --build build --target benches && build/venv/bin/python tests/bench/bench.py

Machines differ and are noisy: the ratios count, each with its alternative in the same run, several rounds in turn.
Needs wrk.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("STONECHAT_BUILD", str(ROOT / "build"))

from support.client import Person  # noqa: E402
from support.process import Process  # noqa: E402
from support.stack import Stack  # noqa: E402
from support.waiting import wait_until  # noqa: E402

WRK_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = '{{"content": "a message of a usual length, say one line of text"}}'
local failed = 0
function response(status)
  if status == 201 then return end
  failed = failed + 1
  if failed == 1 then io.stderr:write("status " .. status .. "\\n") end
end
"""


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]


def pss_kb(pid: int) -> int:
    """Proportional set size, kB, of a process and those it started."""
    own = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(own.group(1)) + sum(pss_kb(child) for child in children_of(pid))


def measure_memory(stack: Stack) -> None:
    sizes = {name: pss_kb(process.child.pid) for name, process in stack.processes.items()}
    parts = ", ".join(f"{name} {kb / 1024:.1f}" for name, kb in sizes.items())
    print(f"idle stack, PSS: {sum(sizes.values()) / 1024:.1f} MB ({parts})", flush=True)


def wrk(url: str, token: str, connections: int, seconds: int) -> float:
    """Requests per second of POSTs that were all answered 201."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_SCRIPT.format(token=token))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "status" in done.stderr or "Non-2xx" in done.stdout:
        raise SystemExit(f"a send was refused: {done.stderr}{done.stdout}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))


def measure_rest(stack: Stack, person: Person, conversation: str, options: argparse.Namespace) -> None:
    """The empty handler takes the api's place behind a second lighttpd with the same configuration."""
    empty_socket = stack.run / "empty.sock"
    environment = stack.env | {"STONECHAT_PORT": str(stack.port + 20), "STONECHAT_API_SOCKET": str(empty_socket)}
    command = [str(stack.build / "tests/bench/bench.empty_fcgi"), str(empty_socket), str(options.threads)]
    handler = Process("empty", command, ROOT, environment, stack.log / "empty.log")
    server = Process(
        "lighttpd2", ["lighttpd", "-D", "-f", "conf/lighttpd.conf"], ROOT, environment, stack.log / "l2.log"
    )
    handler.start()
    wait_until(empty_socket.exists, "the empty handler listens", 5.0)
    server.start()
    path = f"/api/v1/conversations/{conversation}/messages"
    empty_url, url = f"http://127.0.0.1:{stack.port + 20}{path}", stack.url + path
    wait_until(lambda: answers(empty_url), "the second lighttpd answers", 5.0)
    rounds = []
    for _ in range(options.rounds):
        token = person.another_device().token
        bound = wrk(empty_url, token, options.connections, options.seconds)
        rounds.append((wrk(url, token, options.connections, options.seconds), bound))
    server.end()
    handler.end()
    ratios = [sends / bound for sends, bound in rounds]
    sends, bound = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(
        f"REST sends, {options.connections} connections: {sends:.0f}/s; empty handler {bound:.0f}/s; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} rounds)",
        flush=True,
    )


def answers(url: str) -> bool:
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "x", url], capture_output=True)
    return done.stdout == b"201"


def measure_websocket(stack: Stack, person: Person, conversation: str, options: argparse.Namespace) -> None:
    results = []
    for _ in range(options.rounds):
        program, token = str(stack.build / "tests/bench/bench.ws_send"), person.another_device().token
        what = [token, conversation, str(options.sends), str(options.window)]
        command = [program, "127.0.0.1", str(stack.push_port), *what]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        results.append(json.loads(done.stdout))
    rates = [result["per_second"] for result in results]
    middle = sorted(results, key=lambda result: result["per_second"])[len(results) // 2]
    print(
        f"acknowledged sends, one WebSocket, {options.window} in flight: {middle['per_second']:.0f}/s "
        f"({min(rates):.0f} to {max(rates):.0f}, {len(rates)} rounds), p50 {middle['p50_ms']:.1f} ms, "
        f"p99 {middle['p99_ms']:.1f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of one REST measurement")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--threads", type=int, default=32, help="of the empty handler; api.threads has the same default"
    )
    parser.add_argument("--sends", type=int, default=20000, help="over the WebSocket, a round")
    parser.add_argument("--window", type=int, default=64)
    options = parser.parse_args()

    stack = Stack(
        {"limits.frames_per_second": "1000000", "limits.frames_burst": "1000000", "log.level": "warn"}
    ).start()
    try:
        measure_memory(stack)
        person = Person.new(stack)
        conversation = person.conversation_with(person)
        measure_rest(stack, person, conversation, options)
        measure_websocket(stack, person, conversation, options)
    finally:
        if wrong := stack.stop():
            raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
