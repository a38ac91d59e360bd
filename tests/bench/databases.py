#!/usr/bin/env python3
"""Sends per second over REST at 1, 8 and 64 connections, on SQLite and on PostgreSQL, beside pgbench doing the two
statements of a send one by one on the same server: advance the conversation, insert the message.

    script/build && build/venv/bin/python tests/bench/databases.py

64 conversations, chosen at random; everything is synced to the disk. Needs wrk and PostgreSQL's pgbench."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("STONECHAT_BUILD", str(ROOT / "build"))

from support.client import Person  # noqa: E402
from support.libpq import query  # noqa: E402
from support.postgres import Cluster, binaries  # noqa: E402
from support.stack import Stack  # noqa: E402

CONNECTIONS, SECONDS, N = (1, 8, 64), 6, 64

WRK_SCRIPT = """
local rooms = {{{rooms}}}
local headers = {{["Content-Type"] = "application/json", ["Authorization"] = "Bearer {token}"}}
local body = '{{"content": "a message of a usual length, say one line of text"}}'
function request()
  return wrk.format("POST", "/api/v1/conversations/" .. rooms[math.random(#rooms)] .. "/messages", headers, body)
end
local failed = 0
function response(status)
  if status ~= 201 then failed = failed + 1 end
  if failed == 1 then io.stderr:write("status " .. status .. "\\n") end
end
"""

PGBENCH_SCRIPT = """
\\set room random(1, {n})
BEGIN;
UPDATE conversations SET last_seq = last_seq + 1, last_rev = last_rev + 1 WHERE id = 'bench' || :room
 RETURNING last_seq \\gset
INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp) VALUES
 ('bench' || :room, :last_seq, :last_seq, gen_random_uuid()::text, 'bench',
  'a message of a usual length, say one line of text', 'digest', 1);
COMMIT;
"""


def sends(stack: Stack, connections: int, ann: Person, rooms: list[str]) -> float:
    text = WRK_SCRIPT.format(rooms=", ".join(f'"{room}"' for room in rooms), token=ann.token)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", script.name, stack.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    if done.stderr or "Non-2xx" in done.stdout:
        raise SystemExit(f"a send was refused: {done.stderr}{done.stdout}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))


def measure(url: str | None) -> list[float]:
    stack = Stack({"auth.access_token_s": "3600", "api.threads": "64"} | ({"database.url": url} if url else {})).start()
    try:
        ann = Person.new(stack, "ann")
        rooms = [ann.make_group(f"Room {n}") for n in range(N)]
        return [sends(stack, connections, ann, rooms) for connections in CONNECTIONS]
    finally:
        print("\n".join(stack.stop()), end="")


def pgbench(cluster: Cluster, name: str) -> list[float]:
    url = cluster.socket_url(name)
    query(url, "INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role,"
               " created_at) VALUES ('bench', 'b', 'b', 'b', 'b', '', 'member', 1)")  # fmt: skip
    query(url, "INSERT INTO conversations (id, kind, rev, last_rev, created_by, created_at)"
               " SELECT 'bench' || n, 'group', 1, 1, 'bench', 1 FROM generate_series(1, $1::bigint) n", N)  # fmt: skip
    rates = []
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH_SCRIPT.format(n=N))
        script.flush()
        for clients in CONNECTIONS:
            command = [str(binaries() / "pgbench"), "-n", "-M", "prepared", "-f", script.name, "-c", str(clients),
                       "-j", "1", "-T", str(SECONDS), url]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rates.append(float(re.search(r"tps = ([\d.]+)", done.stdout).group(1)))
    return rates


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stonechat-bench-"))
    cluster = Cluster(folder, {"fsync": "on", "full_page_writes": "on"}).create().start().make_role()
    try:
        name = cluster.new_database()
        rows = {"PostgreSQL": measure(cluster.url(name)), "pgbench": pgbench(cluster, name), "SQLite": measure(None)}
    finally:
        cluster.remove()
    print(f"{'sends/s at':12}" + "".join(f"{connections:>10}" for connections in CONNECTIONS))
    for what, rates in rows.items():
        print(f"{what:12}" + "".join(f"{rate:10.0f}" for rate in rates))


if __name__ == "__main__":
    main()
