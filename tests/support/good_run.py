"""A small good run, made by hand, for the tests of the drills' checker: its database and its history."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from support.history import checker
from support.stack import ROOT

Json = dict[str, Any]

ANN, BOB, ROOM, NEW_ROOM = "ann", "bob", "room", "new-room"
NOTICE_S = 5.0


def message(seq: int, rev: int, **more: Any) -> Json:
    """One of Ann's messages, as a frame or an answer carries it."""
    return {
        "id": f"m{seq}",
        "conversation_id": ROOM,
        "seq": seq,
        "rev": rev,
        "sender_id": ANN,
        "content": f"number {seq}",
        "deleted": False,
        "reactions": [],
    } | more


THUMB = {"emoji": "👍", "count": 1, "user_ids": [BOB]}


class World:
    """The database and the history of a small good run, and what a test does to them.

    Ann sends four messages; the second is edited, the third gets Bob's reaction, the fourth is deleted. Bob reads up to
    the third, and Ann opens another conversation with him. Bob's device follows all of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stonechat.db"
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("PRAGMA synchronous = OFF")
            for migration in sorted((ROOT / "migrations").glob("*.sql")):
                if not migration.name.endswith(".postgres.sql"):
                    database.executescript(migration.read_text())
        self.fill()
        self.history: list[Json] = []
        self.t = 0.0
        self.add("run", fault="nothing", seed=1, notice_s=NOTICE_S)
        self.add("reader", reader="phone", user=BOB)
        self.frame(type="hello", me=1, epoch="e")
        self.pull("snapshot", last_rev=1, messages=[])
        self.write_messages()
        self.write_others()
        self.add("view", reader="phone", **self.view())

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            assert database.execute(statement, values).rowcount

    def fill(self) -> None:
        for user, rev in ((ANN, 2), (BOB, 3)):
            self.sql(
                "INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role,"
                " last_rev, created_at) VALUES (?1, ?1, ?1, ?1, ?1, '', 'member', ?2, 0)",
                *(user, rev),
            )
        conversation = (
            "INSERT INTO conversations (id, kind, rev, last_seq, last_rev, created_by, created_at)"
            " VALUES (?, 'direct', 1, ?, ?, 'ann', 0)"
        )
        member = (
            "INSERT INTO members (conversation_id, user_id, role, rev, user_rev, read_seq, joined_at)"
            " VALUES (?, ?, 'member', 1, ?, ?, 0)"
        )
        self.sql(conversation, ROOM, 4, 8)
        self.sql(conversation, NEW_ROOM, 0, 1)
        for row in ((ROOM, ANN, 1, 0), (ROOM, BOB, 3, 3), (NEW_ROOM, ANN, 2, 0), (NEW_ROOM, BOB, 2, 0)):
            self.sql(member, *row)
        for row in ((1, 2, "number 1", None), (2, 6, "edited", 1), (3, 7, "number 3", None), (4, 8, None, None)):
            self.store(*row)
        self.sql("UPDATE messages SET deleted_at = 1 WHERE seq = 4")
        self.sql("INSERT INTO reactions VALUES ('room', 3, '👍', 'bob', 0)")

    def store(self, seq: int, rev: int, content: str | None, edited_at: int | None = None, id: str = "") -> None:
        self.sql(
            "INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp,"
            " edited_at) VALUES ('room', ?, ?, ?, 'ann', ?, '', 0, ?)",
            *(seq, rev, id or f"m{seq}", content, edited_at),
        )

    def add(self, kind: str, **keys: Any) -> Json:
        self.t += 0.01
        self.history.append({"t": self.t, "kind": kind} | keys)
        return self.history[-1]

    def frame(self, **frame: Any) -> None:
        self.add("frame", reader="phone", frame=frame)

    def pull(self, what: str, **body: Any) -> None:
        self.add("pull", reader="phone", what=what, conversation=ROOM, after_rev=body.pop("after_rev", None), body=body)

    def call(self, call: str, op: str, outcome: str = "ok", answer: Json | None = None, **ask: Any) -> None:
        asked = {"conversation": ROOM, "user": ANN} | ask
        self.add("invoke", call=call, attempt=1, door="rest", op=op, **asked)
        self.add("answer", call=call, attempt=1, outcome=outcome, **(answer or {}))

    def write_messages(self) -> None:
        for seq in range(1, 5):
            answer = {"id": f"m{seq}", "seq": seq, "rev": seq + 1}
            self.call(f"create {seq}", "create", id=f"m{seq}", content=f"number {seq}", answer=answer)
            self.frame(type="message.created", conversation_id=ROOM, rev=seq + 1, message=message(seq, seq + 1))
        self.call("edit", "edit", id="m2", content="edited", answer={"rev": 6})
        edited = message(2, 6, content="edited")
        self.frame(type="message.updated", conversation_id=ROOM, rev=6, message=edited)
        self.call("react", "react", user=BOB, id="m3", emoji="👍", answer={"rev": 7})
        self.call("delete", "delete", id="m4", answer={"rev": 8})
        repaired = [message(3, 7, reactions=[THUMB]), message(4, 8, content=None, deleted=True)]
        changes = {"after_rev": 6, "next_after_rev": 8, "last_rev": 8, "messages": repaired, "members": []}
        self.frame(type="changes", conversation_id=ROOM, **changes)

    def write_others(self) -> None:
        self.call("open", "open", conversation=NEW_ROOM)
        self.frame(type="conversation.created", conversation_id=NEW_ROOM, me=2, conversation={"last_rev": 1})
        changes = {"snapshot": True, "last_rev": 1, "messages": [], "members": []}
        self.frame(type="changes", conversation_id=NEW_ROOM, **changes)
        self.call("read", "read", user=BOB, seq=3, answer={"me": 3})
        self.frame(type="read.updated", conversation_id=ROOM, me=3, seq=3)

    def view(self) -> Json:
        shown = [message(1, 2), message(2, 6, content="edited"), message(3, 7, reactions=[THUMB])]
        shown.append(message(4, 8, content=None, deleted=True))
        return {
            "me": 3,
            "memberships": {ROOM: {"member": True, "read_seq": 3}, NEW_ROOM: {"member": True, "read_seq": 0}},
            "conversations": {ROOM: {"known": 8, "messages": shown}, NEW_ROOM: {"known": 1, "messages": []}},
        }

    # -- for those that change something
    @property
    def shown(self) -> list[Json]:
        """What the device shows of the room in the end."""
        shown: list[Json] = self.history[-1]["conversations"][ROOM]["messages"]
        return shown

    def find(self, kind: str, **keys: Any) -> Json:
        return next(r for r in self.history if r["kind"] == kind and all(r.get(k) == v for k, v in keys.items()))

    def frames(self) -> list[Json]:
        return [record["frame"] for record in self.history if record["kind"] == "frame"]

    def without(self, unwanted: Callable[[Json], bool]) -> None:
        """The device never got these frames."""
        self.history = [r for r in self.history if r["kind"] != "frame" or not unwanted(r["frame"])]

    def burn(self) -> None:
        """The last change of the room has the revision after the one that it should have, and everybody says so."""
        self.sql("UPDATE messages SET rev = 9 WHERE seq = 4")
        self.sql("UPDATE conversations SET last_rev = 9 WHERE id = 'room'")
        self.find("answer", call="delete")["rev"] = 9
        repair = next(frame for frame in self.frames() if frame.get("next_after_rev") == 8)
        repair |= {"next_after_rev": 9, "last_rev": 9}
        repair["messages"][1]["rev"] = self.shown[3]["rev"] = self.history[-1]["conversations"][ROOM]["known"] = 9

    def check(self) -> Any:
        history = sorted(self.history, key=lambda record: record["t"])
        return checker.check(copy.deepcopy(history), self.path)
