"""Presence as a test sees it: a second push process beside the stack's, sockets that watch, and Redis by hand."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.client import Person, new_id
from support.live import Live
from support.process import Process
from support.stack import ROOT, Stack
from support.waiting import wait_until

# Times that a test can wait for; `alive` without its beat is three of them.
QUICK = {"presence.beat_ms": "400", "presence.grace_ms": "600", "presence.count_ms": "600"}


@contextmanager
def second_push(stack: Stack) -> Iterator[Process]:
    """Another push process with a port of its own, stack.port + 5."""
    env = stack.env | {"STONECHAT_PUSH_PORT": str(stack.port + 5), "STONECHAT_METRICS_PORT": str(stack.port + 12)}
    process = Process("push2", [str(stack.build / "stonechat-push")], ROOT, env, stack.log / "push2.log")
    start_push(process, stack.port + 5)
    try:
        yield process
    finally:
        if process.running:
            status, _ = process.end()
            assert status == 0, process.tail()


def start_push(process: Process, port: int) -> None:
    process.start()

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, f"{process.name} listens")


def connect_second(person: Person) -> Live:
    """A socket of the second process."""
    assert person.token
    live = Live(f"http://127.0.0.1:{person.stack.port + 5}")
    live.authenticate(person.token)
    return live


def watch(live: Live, *people: Person) -> dict[str, str]:
    """presence.watch; the status of each in the answer."""
    reply = live.request("presence.watch", user_ids=[one.id for one in people])
    assert reply["ok"] is True, reply
    return {item["user_id"]: item["connection_status"] for item in reply["items"]}


def told(live: Live, since: int = 0) -> list[tuple[str, str]]:
    """(user, status) of each item of presence.updated, in order; `since` objects are left out."""
    return [
        (item["user_id"], item["connection_status"])
        for frame in live.objects[since:]
        if frame.get("type") == "presence.updated"
        for item in frame["items"]
    ]


def sees(live: Live, wanted: dict[Person, str], timeout: float = 20.0) -> None:
    """Watches them and waits until this is what is known, by the answer or by what is told afterwards."""
    mark = len(live.objects)
    known = watch(live, *wanted)
    by_id = {person.id: status for person, status in wanted.items()}
    wait_until(lambda: known | dict(told(live, mark)) == by_id, f"{by_id} is known", timeout)


def hears(live: Live, person: Person, status: str, timeout: float = 10.0, since: int = 0) -> None:
    """Waits until the socket is told that."""
    wait_until(lambda: (person.id, status) in told(live, since), f"{person.username} is told {status}", timeout)


def redis(stack: Stack, *words: str) -> bytes:
    """One command; the first bytes of the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(stack.run / "redis.sock"))
        text = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        connection.sendall(text.encode())
        return connection.recv(65536)


@dataclass(frozen=True)
class Command:
    """What a client asked of Redis, and when by Redis's clock."""

    at_s: float
    words: list[str]


class Monitor:
    """Every command that Redis is asked while this is open, in order."""

    def __init__(self, stack: Stack) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(stack.run / "redis.sock"))
        self._connection.sendall(b"MONITOR\r\n")
        self._lines = self._connection.makefile("r", encoding="latin-1", newline="\r\n")
        assert self._lines.readline().startswith("+OK")
        self._seen: list[Command] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._lines:
            at, _, rest = line.removeprefix("+").partition(" ")
            words = re.findall(r'"((?:[^"\\]|\\.)*)"', rest.partition("] ")[2])
            self._seen.append(Command(float(at), words))

    def commands(self, *beginning: str) -> list[Command]:
        """Those seen so far whose first words begin so: commands("SET", "presence:count:")."""
        return [
            command
            for command in list(self._seen)
            if len(command.words) >= len(beginning)
            and all(word.startswith(prefix) for word, prefix in zip(command.words, beginning, strict=False))
        ]

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._reader.join(10)
        self._lines.close()
        self._connection.close()


def rows(stack: Stack, sql: str, *values: Any) -> list[Any]:
    with stack.database() as database:
        return database.query(sql, *values)


def large_group(stack: Stack, members: list[Person], n_others: int) -> str:
    """A group of these and of as many people who never come, put into the database past the server."""
    group, now = new_id(), 1_700_000_000_000
    others = [new_id() for _ in range(n_others)]
    everybody = [one.id for one in members] + others
    with stack.database() as database:
        database.begin()
        for one in others:
            database.query(
                "INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role,"
                " created_at) VALUES (?, ?, ?, 'Nobody', 'nobody', '-', 'member', ?)",
                one, f"n{one[-12:]}", f"n{one[-12:]}", now,
            )  # fmt: skip
        database.query(
            "INSERT INTO conversations (id, kind, title, rev, last_rev, change_no, created_by, created_at,"
            " member_count) VALUES (?, 'group', 'All', 1, 1, 0, ?, ?, ?)",
            group, everybody[0], now, len(everybody),
        )  # fmt: skip
        for one in everybody:
            database.query(
                "INSERT INTO members (conversation_id, user_id, role, rev, user_rev, joined_at)"
                " VALUES (?, ?, 'member', 1, 0, ?)",
                group, one, now,
            )  # fmt: skip
        database.commit()
    return group
