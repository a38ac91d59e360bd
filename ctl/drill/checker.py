#!/usr/bin/env python3
"""Decides whether a run kept the delivery contract: a pure function of its history and of the database at its end.

    python3 checker.py HISTORY.jsonl DATABASE.db      prints a row of the table and all violations; then the status is 1

It knows the tables and the frames of PROTOCOL.md, nothing else of the implementation. A history has one JSON object a
line: `t`, the monotonic time in seconds at which it was written down, a `kind`, and by kind

    run      fault, seed, notice_s (within how long a connected reader must be told of a change)
    invoke   call, attempt, user, door, op (create, edit, delete, react, unreact, read, open), conversation, id,
             content, emoji, seq. A call is attempted until it has a definite answer
    answer   call, outcome (ok; refused: not done; retry, lost: may have been), and id, seq, rev, me, conversation
    reader   reader, user. Then of it: close; deaf, hearing (it stops reading, it goes on); frame: a frame as it came
    pull     reader, what (changes, sync, page, snapshot: of which last_rev and messages), conversation, after_rev, body
    view     reader, and what it shows in the end: me, memberships {conversation: {member, read_seq}}, conversations
             {conversation: {known, messages: as shown, from the first one}}
    restore  copied: the database was replaced by what it was then; what was acknowledged since may be gone
"""

from __future__ import annotations

import json
import sqlite3
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from typing import Any

Json = dict[str, Any]
KINDS = ("lost", "duplicated", "reordered", "unnoticed", "behind", "holes")
COLUMNS = ("fault", "sent", "acknowledged", *KINDS, "longest time to recover")
CHANGES = ("create", "edit", "delete", "react", "unreact")  # what spends revs of a conversation
FOREVER = float("inf")


@dataclass
class Report:
    """`violations` are (kind, sentence), kind being one of KINDS."""

    fault: str = ""
    sent: int = 0
    acknowledged: int = 0
    recover_s: float = 0.0
    notice_s: float = 0.0  # the longest that a connected reader was not told of a change
    violations: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, sentence: str) -> None:
        self.violations.append((kind, sentence))

    def row(self) -> list[str]:
        """The cells of the table, as COLUMNS."""
        counts = Counter(kind for kind, _ in self.violations)
        cells = (self.fault, self.sent, self.acknowledged, *(counts[kind] for kind in KINDS))
        return [*map(str, cells), f"{self.recover_s:.2f} s"]


class Database:
    """What is stored. Messages have their reactions as {emoji: {user, …}}."""

    def __init__(self, path: str | Path) -> None:
        self.messages: dict[str, list[Json]] = defaultdict(list)
        self.of: dict[str, dict[str, Json]] = defaultdict(dict)  # memberships that are now, by person and conversation
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            self.conversations = {row["id"]: row for row in database.execute("SELECT * FROM conversations")}
            self.users = {row["id"]: row for row in database.execute("SELECT * FROM users")}
            self.members = list(database.execute("SELECT * FROM members"))
            self.sessions = list(database.execute("SELECT * FROM sessions"))
            for row in database.execute("SELECT * FROM messages ORDER BY conversation_id, seq"):
                self.messages[row["conversation_id"]].append(dict(row) | {"reactions": defaultdict(set)})
            by_seq = {(c, row["seq"]): row for c, rows in self.messages.items() for row in rows}
            for row in database.execute("SELECT * FROM reactions"):
                by_seq[row["conversation_id"], row["seq"]]["reactions"][row["emoji"]].add(row["user_id"])
        self.by_id: dict[tuple[str, str], Json] = {}
        for row in by_seq.values():
            self.by_id.setdefault((row["conversation_id"], row["id"]), row)
        for row in self.members:
            if row["left_at"] is None and self.conversations[row["conversation_id"]]["deleted_at"] is None:
                self.of[row["user_id"]][row["conversation_id"]] = row

    def head(self, stream: str) -> int:
        row = self.conversations.get(stream) or self.users.get(stream)
        return int(row["last_rev"]) if row else 0

    def read_seq(self, conversation: str, user: str, stored: int) -> int:
        """Having said something implies having read up to it."""
        own = [row["seq"] for row in self.messages[conversation] if row["sender_id"] == user]
        return max([stored, *own[-1:]])


@dataclass
class Call:
    """One thing that a writer wants, with all its attempts."""

    asked: Json
    began: float
    answer: Json | None = None
    acknowledged_at: float = 0.0
    uncertain: int = 0  # attempts without a definite answer: they may have been carried out
    excused: bool = False  # acknowledged after the copy that was put in place

    @property
    def key(self) -> tuple[str, str]:
        made = (self.answer or {}).get("conversation", "")  # of an open, whose asker doesn't choose the id
        return self.asked.get("conversation", made), self.asked.get("id", "")

    @property
    def held(self) -> bool:
        return self.answer is not None and not self.excused


class Reader:
    """One device: what it was told of, when, and when it was there to be told."""

    def __init__(self, name: str, user: str) -> None:
        self.name, self.user = name, user
        self.view: Json | None = None
        self.present: list[list[float]] = []  # [from, to] while it was connected and reading
        self.restart()

    def restart(self) -> None:
        """The database has become another one. A stream's id is that of its conversation or person."""
        self.told: dict[str, list[tuple[int, float]]] = defaultdict(list)  # rising in both
        self.covered: dict[str, dict[int, float]] = defaultdict(dict)
        self.seen: set[tuple[str, str, int]] = set()  # conversation, id and seq of all messages that it ever had

    def turn(self, kind: str, t: float) -> None:
        """It comes or goes on reading (hello, hearing), or not (close, deaf)."""
        if kind in ("hello", "hearing"):
            self.present.append([t, FOREVER])
        elif self.present:
            self.present[-1][1] = min(t, self.present[-1][1])

    def tell(self, stream: str, rev: int | None, t: float) -> None:
        steps = self.told[stream]
        if rev is not None and (not steps or steps[-1][0] < rev):
            steps.append((rev, t))

    def cover(self, stream: str, after: int, upto: int, t: float) -> None:
        self.tell(stream, upto, t)
        for rev in range(after + 1, upto + 1):
            self.covered[stream].setdefault(rev, t)

    def see(self, messages: Iterable[Json]) -> None:
        self.seen |= {(message["conversation_id"], message["id"], message["seq"]) for message in messages}

    def told_at(self, stream: str, rev: int) -> float:
        steps = self.told[stream]
        at = bisect_left(steps, (rev, 0.0))
        return steps[at][1] if at < len(steps) else FOREVER


class Run:
    """The history, read once in the order of its time."""

    def __init__(self, history: Iterable[Json]) -> None:
        self.header: Json = {}
        self.calls: dict[Any, Call] = {}
        self.readers: dict[str, Reader] = {}
        self.known_at: dict[tuple[str, int], float] = {}  # when anybody first saw that this rev exists
        self.revs: dict[str, set[int]] = defaultdict(set)  # those that an answer or an event said a change has
        self.t = 0.0
        for record in history:
            self.t = max(self.t, record.get("t", 0.0))
            self.take(record, record["kind"], self.t)

    def take(self, record: Json, kind: str, t: float) -> None:
        reader = self.readers.get(record.get("reader", ""))
        if kind == "run":
            self.header |= record
        elif kind == "invoke":
            self.calls.setdefault(record["call"], Call(record, t)).uncertain += 1
        elif kind == "answer" and (call := self.calls[record["call"]]):
            call.uncertain -= record["outcome"] in ("ok", "refused")
            if record["outcome"] == "ok" and not call.answer:
                self.take_ok(call, record, t)
        elif kind == "restore":
            self.known_at.clear()
            for call in self.calls.values():
                call.excused |= call.acknowledged_at >= record["copied"]
            for one in self.readers.values():
                one.restart()
        elif kind == "reader":
            self.readers[record["reader"]] = Reader(record["reader"], record["user"])
        elif kind == "view" and reader:
            reader.view = record
            for shown in record["conversations"].values():
                reader.see(shown["messages"])
        elif kind == "frame" and reader:
            self.take_frame(record["frame"], reader, t)
        elif kind == "pull" and reader:
            self.take_pull(record, record["body"], reader, t)
        elif reader:
            reader.turn(kind, t)

    def take_ok(self, call: Call, record: Json, t: float) -> None:
        call.answer, call.acknowledged_at = record, t
        self.know(call.key[0], record.get("rev"), t)
        self.know(call.asked["user"], record.get("me"), t)
        self.revs[call.key[0]] |= {record["rev"]} if call.asked["op"] in CHANGES else set()

    def take_frame(self, frame: Json, reader: Reader, t: float) -> None:
        kind, conversation = frame.get("type"), frame.get("conversation_id")
        if kind == "hello":
            reader.turn("hello", t)
            reader.tell(reader.user, frame["me"], t)
        elif kind == "changes":
            self.take_rows(reader, conversation, frame, t)
        elif kind == "gap":
            if frame.get("reset"):
                reader.told.pop(conversation or reader.user, None)
            reader.tell(conversation or reader.user, frame["last_rev"], t)
        elif "me" in frame:
            self.cover(reader, reader.user, frame["me"] - 1, frame["me"], t)
        elif conversation and "rev" in frame and kind != "conversation.removed":
            self.cover(reader, conversation, frame["rev"] - 1, frame["rev"], t)
            self.revs[conversation].add(frame["rev"])
            reader.see([frame["message"]] if "message" in frame else [])

    def take_pull(self, record: Json, body: Json, reader: Reader, t: float) -> None:
        if record["what"] == "sync":
            head = body["me"]["rev"]
            self.take_rows(reader, None, body["me"] | {"after_rev": 0, "next_after_rev": head, "last_rev": head}, t)
            for row in body["conversations"]:
                reader.tell(row["conversation_id"], row["last_rev"], t)
        elif record["what"] == "page":
            reader.see(body["items"])
        else:
            form = {"snapshot": True} if record["what"] == "snapshot" else {"after_rev": record["after_rev"]}
            self.take_rows(reader, record["conversation"], body | form, t)

    def take_rows(self, reader: Reader, conversation: str | None, body: Json, t: float) -> None:
        """A repair, a pull or a snapshot; without a conversation one of the person's stream."""
        stream, snapshot = conversation or reader.user, body.get("snapshot", False)
        after, upto = (0, body["last_rev"]) if snapshot else (body["after_rev"], body["next_after_rev"])
        self.cover(reader, stream, after, upto, t)
        reader.tell(stream, body["last_rev"], t)
        reader.see(body.get("messages", []))
        for row in body.get("memberships", []):
            reader.tell(row["conversation_id"], row["last_rev"], t)

    def know(self, stream: str, rev: int | None, t: float) -> None:
        if rev:
            self.known_at.setdefault((stream, rev), t)

    def cover(self, reader: Reader, stream: str, after: int, upto: int, t: float) -> None:
        reader.cover(stream, after, upto, t)
        self.know(stream, upto, t)


class Checker:
    """All verdicts on one run."""

    def __init__(self, run: Run, database: Database) -> None:
        self.run, self.database = run, database
        self.report = report = Report(run.header.get("fault", ""))
        calls = run.calls.values()
        report.sent, report.acknowledged = len(calls), sum(call.answer is not None for call in calls)
        report.recover_s = max((call.acknowledged_at - call.began for call in calls if call.answer), default=0.0)
        for part in (self.check_calls, self.check_reads, self.check_order, self.check_stored, self.check_person_revs):
            part()
        for reader, check in product(run.readers.values(), (self.check_seen, self.check_told, self.check_view)):
            check(reader)

    # -- what was acknowledged
    def check_calls(self) -> None:
        """Each message is as the acknowledged changes of it leave it; what is uncertain may have come last."""
        of_message: dict[tuple[str, str], list[Call]] = defaultdict(list)
        for call in self.run.calls.values():
            of_message[call.key].append(call)
        for key, calls in of_message.items():
            row = self.database.by_id.get(key)
            for call in of_kind(calls, "create"):
                self.check_create(call, row)
            if row:
                self.check_content(calls, row)
            if row and row["deleted_at"] is None:
                self.check_reactions(calls, row)

    def check_create(self, call: Call, row: Json | None) -> None:
        said, answer = f"message {call.key[1]} ({call.asked['content']!r}, {call.asked['door']})", call.answer or {}
        if row is None and call.held:
            self.report.add("lost", f"{said} was acknowledged and is not stored")
        elif row and call.held and answer.get("id", row["id"]) != row["id"]:
            self.report.add("duplicated", f"{said} was acknowledged as {answer['id']}")
        elif row and call.held and answer.get("seq", row["seq"]) != row["seq"]:
            self.report.add("reordered", f"{said} was acknowledged as seq {answer['seq']}; it is seq {row['seq']}")

    def check_content(self, calls: list[Call], row: Json) -> None:
        deletes, edits = of_kind(calls, "delete"), of_kind(calls, "edit")
        if row["deleted_at"] is not None:
            if not deletes:
                self.report.add("lost", f"{name(row)} is deleted and nobody deleted it")
            return
        if any(call.held for call in deletes):
            self.report.add("lost", f"the deletion of {name(row)} was acknowledged and is not stored")
        may_be = {call.asked["content"] for call in latest(edits)}
        if not any(call.held for call in edits):
            may_be |= {call.asked["content"] for call in of_kind(calls, "create")}
        if may_be and row["content"] not in may_be:
            self.report.add("lost", f"{name(row)} is stored as {row['content']!r}, not as {sorted(may_be)}")

    def check_reactions(self, calls: list[Call], row: Json) -> None:
        by_reaction: dict[tuple[str, str], list[Call]] = defaultdict(list)
        for call in of_kind(calls, "react", "unreact"):
            by_reaction[call.asked["user"], call.asked["emoji"]].append(call)
        for (user, emoji), of_one in by_reaction.items():
            may_be = {call.asked["op"] == "react" for call in latest(of_one)}
            if not any(call.held for call in of_one):
                may_be.add(False)
            if (user in row["reactions"][emoji]) not in may_be:
                self.report.add("lost", f"{emoji} of {user} on {name(row)} is not as it was acknowledged")

    def check_reads(self) -> None:
        stored = {(row["conversation_id"], row["user_id"]): row["read_seq"] for row in self.database.members}
        for call in of_kind(self.run.calls.values(), "open", "read"):
            conversation, user, seq = call.key[0], call.asked["user"], call.asked.get("seq", 0)
            if call.held and (conversation, user) not in stored:
                self.report.add("lost", f"conversation {conversation} was acknowledged and is not stored")
            elif call.held and self.database.read_seq(conversation, user, stored[conversation, user]) < seq:
                self.report.add("lost", f"{user} has read {conversation} to {seq}, and that is not stored")

    def check_order(self) -> None:
        """A message that was acknowledged before another was first sent stands before it."""
        calls = [call for call in of_kind(self.run.calls.values(), "create") if not call.excused]
        stored = [(call, row) for call in calls if (row := self.database.by_id.get(call.key))]
        moments = [(call.began, False, row) for call, row in stored]
        moments += [(call.acknowledged_at, True, row) for call, row in stored if call.answer]
        highest: dict[str, int] = defaultdict(int)
        for _, acknowledged, row in sorted(moments, key=lambda moment: moment[:2]):
            conversation, before = row["conversation_id"], highest[row["conversation_id"]]
            if acknowledged:
                highest[conversation] = max(before, row["seq"])
            elif row["seq"] < before:
                self.report.add("reordered", f"{name(row)} was sent after seq {before} had been acknowledged")

    # -- what is stored
    def check_stored(self) -> None:
        asked = {call.key for call in of_kind(self.run.calls.values(), "create")}
        rooms = {conversation for conversation, _ in asked}  # others are not the history's
        for conversation, rows in self.database.messages.items():
            for row in rows:
                key = conversation, row["id"]
                if self.database.by_id[key] is not row:
                    self.report.add("duplicated", f"{name(row)} is stored before, under the same id")
                elif conversation in rooms and key not in asked:
                    self.report.add("duplicated", f"{name(row)} is stored and nobody sent it: {row['content']!r}")
            seqs, last_seq = [row["seq"] for row in rows], self.database.conversations[conversation]["last_seq"]
            if seqs != list(range(1, len(seqs) + 1)) or last_seq != len(seqs):
                jumps = [f"{a}→{b}" for a, b in pairwise([0, *seqs, last_seq + 1]) if b != a + 1]
                self.report.add("holes", f"the seqs of {conversation} jump: {jumps[:5]}")
            self.check_revs(conversation, rows)

    def check_revs(self, conversation: str, rows: list[Json]) -> None:
        """The head is a row's, no rev is that of two messages, and each is that of a row, an answer or an event."""
        head = self.database.head(conversation)
        others = {row["rev"] for row in self.database.members if row["conversation_id"] == conversation}
        others.add(self.database.conversations[conversation]["rev"])
        revs = [row["rev"] for row in rows]
        if (highest := max([*revs, *others])) != head:
            self.report.add("holes", f"{conversation} has last_rev {head}; its highest row has {highest}")
        if len(set(revs)) != len(revs):
            self.report.add("holes", f"two messages of {conversation} have the same rev")
        calls = [call for call in of_kind(self.run.calls.values(), *CHANGES) if call.key[0] == conversation]
        changed = {call.key for call in calls if call.asked["op"] != "create"}
        # An uncertain attempt may have one too; a send, which stores one message, only if that was changed since.
        may = sum(min(c.uncertain, c.key in changed) if c.asked["op"] == "create" else c.uncertain for c in calls)
        unknown = set(range(1, head + 1)) - others - self.run.revs[conversation] - set(revs)
        if len(unknown) > may:
            self.report.add("holes", f"{conversation} has {len(unknown)} revs of no change, the first {min(unknown)}")

    def check_person_revs(self) -> None:
        rows = [*self.database.members, *self.database.sessions]
        for user in self.database.users:
            head = self.database.head(user)
            if head != (highest := max((row["user_rev"] for row in rows if row["user_id"] == user), default=0)):
                self.report.add("holes", f"person {user} has last_rev {head}; their highest row has {highest}")

    # -- what readers were told and show
    def check_seen(self, reader: Reader) -> None:
        """Nothing is shown that is not stored, at its place."""
        for conversation, one, seq in sorted(reader.seen):
            row, said = self.database.by_id.get((conversation, one)), f"{reader.name} was shown message {one} as {seq}"
            if row is None:
                self.report.add("lost", f"{said} of {conversation}, which is not stored")
            elif row["seq"] != seq:
                self.report.add("reordered", f"{said} of {conversation}, which is {row['seq']}")

    def check_told(self, reader: Reader) -> None:
        """A reader that is there is told of each change within notice_s."""
        notice_s = self.run.header.get("notice_s", FOREVER)
        streams = {reader.user} | set(self.database.of[reader.user])
        for (stream, rev), known_at in ((one, at) for one, at in self.run.known_at.items() if one[0] in streams):
            told_at = min(reader.told_at(stream, rev), self.run.t)
            waited_s = max((min(told_at, end) - max(begin, known_at) for begin, end in reader.present), default=0)
            self.report.notice_s = max(self.report.notice_s, waited_s)
            if waited_s > notice_s:
                self.report.add("unnoticed", f"{reader.name} was not told of {stream} rev {rev} in {waited_s:.1f} s")
            covered_at = reader.covered[stream].get(rev)
            if covered_at is not None and any(begin <= known_at < end for begin, end in reader.present):
                self.report.recover_s = max(self.report.recover_s, covered_at - known_at)

    def check_view(self, reader: Reader) -> None:
        if reader.view is None:
            self.report.add("behind", f"{reader.name} has no view at the end")
            return
        shown = reader.view["conversations"]
        known = {one: shown.get(one, {"known": 0})["known"] for one in self.database.of[reader.user]}
        for stream, upto in (known | {reader.user: reader.view["me"]}).items():
            if upto != (head := self.database.head(stream)):
                self.missed(reader, stream, head, f"knows {stream} up to {upto} of {head}")
        self.check_memberships(reader, reader.view["memberships"])
        for conversation in known:
            self.check_messages(reader, conversation, shown.get(conversation, {"messages": []})["messages"])

    def missed(self, reader: Reader, stream: str, rev: int, sentence: str) -> None:
        """Something is missing or old: it is behind if it was told of it."""
        told = reader.told_at(stream, rev) != FOREVER
        self.report.add("behind" if told else "unnoticed", f"{reader.name} {sentence}")

    def check_memberships(self, reader: Reader, shown: Json) -> None:
        stored = self.database.of[reader.user]
        for conversation, row in stored.items():
            mine = shown.get(conversation, {"member": False, "read_seq": 0})
            wanted, has = (self.database.read_seq(conversation, reader.user, one["read_seq"]) for one in (row, mine))
            if not mine["member"]:
                self.missed(reader, reader.user, row["user_rev"], f"does not know that it is in {conversation}")
            elif wanted != has:
                self.missed(reader, reader.user, row["user_rev"], f"has read {conversation} to {has} of {wanted}")
        for conversation in {one for one in shown if shown[one]["member"]} - set(stored):
            self.report.add("behind", f"{reader.name} takes itself for a member of {conversation}")

    def check_messages(self, reader: Reader, conversation: str, shown: list[Json]) -> None:
        for one, times in Counter(message["id"] for message in shown).items():
            if times > 1:
                self.report.add("duplicated", f"{reader.name} shows message {one} {times} times")
        seqs = [message["seq"] for message in shown]
        if seqs != sorted(seqs):
            self.report.add("reordered", f"{reader.name} shows {conversation} in another order than that of seq")
        by_id = {message["id"]: message for message in shown}
        for row in self.database.messages[conversation]:
            mine = by_id.get(row["id"])
            if mine is None:
                self.missed(reader, conversation, row["rev"], f"lacks {name(row)}")
            elif differs(mine, row):
                self.missed(reader, conversation, row["rev"], f"shows an old state of {name(row)}: {mine}")


def name(message: Json) -> str:
    return f"message {message['id']} (seq {message['seq']}) of {message['conversation_id']}"


def of_kind(calls: Iterable[Call], *ops: str) -> list[Call]:
    return [call for call in calls if call.asked["op"] in ops]


def latest(calls: list[Call]) -> list[Call]:
    """Those that may have been carried out last: the acknowledged one with the highest rev, and all uncertain ones."""
    last = max((one for one in calls if one.held), key=lambda one: (one.answer or {}).get("rev", 0), default=None)
    return [call for call in calls if call is last or call.uncertain or not call.held]


def differs(shown: Json, row: Json) -> bool:
    counts = {one["emoji"]: one["count"] for one in shown["reactions"]}
    stored = {emoji: len(users) for emoji, users in row["reactions"].items() if users}
    mine = shown["content"], shown["deleted"], shown["sender_id"], counts
    if mine != (row["content"], row["deleted_at"] is not None, row["sender_id"], stored):
        return True
    return any(not set(one["user_ids"]) <= row["reactions"][one["emoji"]] for one in shown["reactions"])


def check(history: Iterable[Json], path: str | Path) -> Report:
    """The verdict on a run: its history and the path of the database at its end, which is only read."""
    return Checker(Run(history), Database(path)).report


def table(rows: list[list[str]]) -> str:
    """Rows of reports as a Markdown table."""
    lines = [list(COLUMNS), ["---"] + ["--:"] * (len(COLUMNS) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: checker.py HISTORY.jsonl DATABASE.db", file=sys.stderr)
        return 2
    with Path(arguments[0]).open(encoding="utf-8") as lines:
        report = check(map(json.loads, lines), arguments[1])
    print("\n".join([table([report.row()]), *map(": ".join, report.violations)]))
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
