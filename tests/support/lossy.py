"""A server as one person sees it, whose push loses, repeats, delays and reorders: for random tests of a Follower.

Time is simulated. `Scene.run` plays a random history from a seed; requests are read and answered late, some fail, and
a restore from an older copy happens now and then. At last the heads check has its say, and `difference` compares."""

from __future__ import annotations

import copy
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from support.follower import Follower
from support.rooms import ME, OTHERS, ROOMS, Json, Room, Server
from support.streams import Request

SNAPSHOT_MESSAGES = 4
EVENTS = ["send"] * 6 + [
    "edit",
    "edit",
    "delete",
    "react",
    "react",
    "unreact",
    "title",
    "promote",
    "read",
    "member",
    "mine",
]
PROFILES = [EVENTS, EVENTS + ["me in or out"] * 8, EVENTS + ["edit", "react", "mine"] * 8]
KEYS = ("seq", "id", "content", "deleted", "reactions")  # of a message; its rev is not shown


class Scene:
    def __init__(self, seed: int) -> None:
        self.roll = random.Random(seed)
        self.now = 0
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.server = Server()
        self.follower = Follower(ME, lists=self.roll.random() < 0.5)
        self.connection = 0
        self.lossy = True
        self.backup: Server | None = None
        self.texts = itertools.count(1)
        self.events = self.roll.choice(PROFILES)

    # -- time
    def after(self, delay: float, run: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now + int(delay), next(self.order), run))

    def run_until(self, end: int) -> None:
        """What the follower asks for is asked at once; nothing is skipped in time."""
        while True:
            self.ask()
            wake = self.follower.wake_at()
            at = min(self.queue[0][0] if self.queue else end + 1, end + 1 if wake is None else max(wake, self.now))
            if at > end:
                break
            self.now = at
            if self.queue and self.queue[0][0] <= at:
                heapq.heappop(self.queue)[2]()
        self.now = end

    def ask(self) -> None:
        for request in self.follower.requests(self.now):
            self.after(self.roll.randint(0, 80), lambda request=request: self.read(request))  # type: ignore[misc]

    def reply(self, late: int, request: Request, body: Json) -> None:
        """An answer that was read before a restore does not arrive: its connection ended with the process."""
        server = self.server

        def arrive() -> None:
            if self.server is server:
                self.follower.answer(request, body, self.now)
            else:
                self.follower.failed(request, self.now, wait_ms=0)

        self.after(late, arrive)

    def read(self, request: Request) -> None:
        """The server reads now; the answer comes later, or none does."""
        late = self.roll.randint(0, 80)
        if self.lossy and self.roll.random() < 0.1:
            self.after(late, lambda: self.follower.failed(request, self.now, wait_ms=self.roll.randint(0, 300)))
            return
        answer = copy.deepcopy(self.server.answer(request))
        if request.kind == "snapshot" and answer and self.lossy and self.roll.random() < 0.5:
            self.after(late, lambda: self.read_page(request, answer))
        elif answer is None:
            self.after(late, lambda: self.follower.failed(request, self.now, gone=True))
        else:
            self.reply(late, request, answer)

    def read_page(self, request: Request, answer: Json) -> None:
        """The second of the two requests of a snapshot is read later than the first."""
        room = self.server.room(request.conversation_id or "")
        if not room:
            return self.follower.failed(request, self.now, gone=True)
        page = copy.deepcopy(self.server.page(room, None))
        return self.reply(20, request, answer | {"page": page})

    # -- push
    def connect(self) -> None:
        """A new socket: hello, then what a hub says about what the client knows."""
        self.connection += 1
        said, server = copy.deepcopy(self.follower.auth()), self.server
        same = said.get("epoch", server.epoch) == server.epoch
        self.push({"type": "hello", "epoch": server.epoch, "me": server.me} | ({} if same else {"sync_required": True}))
        if "known" not in said or not same:
            return
        known: dict[str, int] = said["known"]
        for room in server.rooms.values():
            rev = known.get(room.id)
            if rev is not None and not room.mine:
                self.push({"type": "conversation.removed", "conversation_id": room.id, "rev": max(rev, room.rev)})
            elif room.mine and rev != room.rev:
                self.push(self.gap(room.id, rev, room.rev))
        if said["me"] > server.me:
            self.push(self.gap(None, said["me"], server.me))
        elif said["me"] < server.me:
            self.push(self.my_changes(said["me"]))

    def gap(self, conversation_id: str | None, known: int | None, head: int) -> Json:
        frame: Json = {"type": "gap", "known_rev": known, "last_rev": head}
        frame["pull_after_ms"] = self.roll.choice([0, 0, 150, 400])
        if conversation_id:
            frame["conversation_id"] = conversation_id
        if known is not None and known > head:
            frame["reset"] = True
        return frame

    def my_changes(self, after: int) -> Json:
        server = self.server
        rows = server.memberships(after)
        frame: Json = {"type": "changes", "after_rev": after, "memberships": rows, "rejections": []}
        return frame | {"next_after_rev": server.me, "last_rev": server.me, "has_more": False}

    def push(self, frame: Json, delay: int = 0) -> None:
        connection, bytes_ = self.connection, copy.deepcopy(frame)

        def arrive() -> None:
            if connection == self.connection:
                self.follower.frame(copy.deepcopy(bytes_), self.now)

        self.after(delay, arrive)

    def event(self, frame: Json) -> None:
        """Lost, repeated, late, in another order: each happens."""
        if not self.lossy:
            return self.push(frame)
        if self.roll.random() < 0.25:
            return self.after(self.roll.randint(100, 600), lambda: self.repair(frame))
        for _ in range(2 if self.roll.random() < 0.15 else 1):
            self.push(frame, self.roll.choice([0, 0, 5, 30, self.roll.randint(0, 400)]))
        return None

    def repair(self, lost: Json) -> None:
        """What the heads check finds out about a lost event."""
        if "me" in lost:
            head = self.server.me
            after = max(0, head - self.roll.randint(0, 3))
            return self.push(self.my_changes(after) if self.roll.random() < 0.5 else self.gap(None, None, head))
        room = self.server.rooms[lost["conversation_id"]]
        if not room.mine:
            return None
        after = max(0, room.rev - self.roll.randint(0, 5))
        if self.roll.random() < 0.5:
            return self.push(self.gap(room.id, None, room.rev))
        body = self.server.changes(room, after, 100)
        return self.push({"type": "changes", "conversation_id": room.id, "after_rev": after} | body)

    def tell(self, room: Room, kind: str, **keys: Any) -> None:
        if room.mine:
            self.event({"type": kind, "conversation_id": room.id, "rev": room.rev} | keys)

    # -- history
    def step(self) -> None:
        what = self.roll.random()
        if what < 0.06:
            self.connect()
        elif what < 0.075:
            self.backup = copy.deepcopy(self.server)
        elif what < 0.09 and self.backup:
            # Without a new epoch only what the client says in auth shows the hub that the copy is older.
            said = self.follower.me.known is not None
            self.restore(new_epoch=self.roll.random() < 0.5 or not said)
        elif what < 0.15:
            self.follower.older(self.roll.choice(ROOMS))
        elif what < 0.17:
            self.follower.wake(self.now)
        else:
            self.write(self.server.rooms[self.roll.choice(ROOMS)], self.roll.choice(self.events))

    def restore(self, *, new_epoch: bool) -> None:
        """An older copy of the database takes its place; sockets end, as the processes do."""
        assert self.backup
        old, self.server, self.backup = self.server, self.backup, None
        if new_epoch:
            self.server.epoch = old.epoch + "'"
        self.connect()
        # Requests on their way are read from the copy; nothing is written before they are.
        lossy, self.lossy = self.lossy, False
        self.run_until(self.now + 2_000)
        self.lossy = lossy

    def write(self, room: Room, what: str) -> None:
        old = self.roll.choice(room.messages) if room.messages else None
        text = f"text {next(self.texts)}"
        if what == "member":
            self.change_member(room, self.roll.choice([ME, *OTHERS]))
        elif what == "me in or out":
            self.change_member(room, ME)
        elif what == "promote":
            self.promote(room, self.roll.choice([ME, *OTHERS]))
        elif what == "title":
            room.rev += 1
            room.title, room.title_rev = text, room.rev
            self.tell(room, "conversation.updated", conversation=self.server.item(room))
        elif what == "read" and room.mine and room.messages:
            self.read_up_to(room, self.roll.randint(1, len(room.messages)))
        elif what == "mine" and room.mine:
            self.send_mine(room, text)
        elif what == "send":
            self.tell(room, "message.created", message=self.add(room, self.roll.choice(OTHERS), text))
        elif old and not old["deleted"]:
            self.change(room, old, what, text)

    def add(self, room: Room, sender: str, content: str) -> Json:
        room.rev += 1
        row = {"seq": len(room.messages) + 1, "rev": room.rev, "sender_id": sender, "content": content}
        row |= {
            "id": content,
            "conversation_id": room.id,
            "deleted": False,
            "reactions": [],
            "timestamp": f"{self.now:09}",
        }
        room.messages.append(row)
        return row

    def send_mine(self, room: Room, content: str) -> None:
        """A send of one's own: the reply races with the event."""
        mark = self.follower.mark(room.id)
        row = copy.deepcopy(self.add(room, ME, content))
        self.tell(room, "message.created", message=row)
        self.after(self.roll.randint(0, 200), lambda: self.follower.reply(row, mark, self.now))

    def change(self, room: Room, old: Json, what: str, text: str) -> None:
        new = old | {"rev": room.rev + 1}
        if what == "edit":
            new |= {"content": text}
        elif what == "delete":
            new |= {"content": None, "deleted": True, "reactions": []}
        elif what == "react":
            new |= {"reactions": [*old["reactions"], {"emoji": text, "count": 1, "user_ids": ["bob"]}]}
        elif old["reactions"]:
            new |= {"reactions": old["reactions"][1:]}
        else:
            return
        room.rev += 1
        room.messages[old["seq"] - 1] = new
        if what in ("react", "unreact"):
            keys = {"message_id": new["id"], "seq": new["seq"], "reactions": new["reactions"]}
            self.tell(room, "reaction.updated", **keys)
        else:
            self.tell(room, "message.updated" if what == "edit" else "message.deleted", message=new)

    def promote(self, room: Room, user: str) -> None:
        if room.members[user]["left_at"]:
            return
        room.rev += 1
        room.members[user] = room.member(user, role=f"role {room.rev}")
        self.tell(room, "member.updated", member=room.members[user])

    def read_up_to(self, room: Room, seq: int) -> None:
        if seq <= room.read_seq:
            return
        self.server.me += 1
        room.me, room.read_seq = self.server.me, seq
        keys = {"conversation_id": room.id, "user_id": ME, "seq": seq}
        self.event({"type": "read.updated", "me": self.server.me} | keys)

    def change_member(self, room: Room, user: str) -> None:
        """In or out. One's own leaving is told by both streams."""
        joins = bool(room.members[user]["left_at"])
        kind = "member.joined" if joins else "member.left"
        was_mine = room.mine
        room.rev += 1
        room.members[user] = room.member(user, None if joins else "now")
        if was_mine:
            members = [room.members[user]]
            self.event({"type": kind, "conversation_id": room.id, "rev": room.rev, "members": members})
        if user != ME:
            return None
        self.server.me += 1
        room.me = self.server.me
        if not joins:
            return self.event(
                {"type": "conversation.removed", "conversation_id": room.id, "rev": room.rev, "me": room.me}
            )
        item = self.server.item(room)
        self.event({"type": "conversation.created", "conversation_id": room.id, "me": room.me, "conversation": item})
        joined = room.rev
        return self.after(self.roll.randint(0, 60), lambda: self.snapshot(room, joined))

    def snapshot(self, room: Room, joined: int) -> None:
        """Read and sent after a join, unless that is over already; it may be lost."""
        if room.members[ME]["rev"] != joined or self.server.rooms[room.id] is not room or self.roll.random() < 0.3:
            return
        body: Json = {
            "messages": room.messages[-SNAPSHOT_MESSAGES:],
            "members": [],
            "conversation": self.server.item(room),
        }
        body |= {"after_rev": 0, "next_after_rev": room.rev, "last_rev": room.rev, "has_more": False, "snapshot": True}
        self.push({"type": "changes", "conversation_id": room.id} | body)

    # -- the whole
    def run(self, steps: int = 100) -> None:
        """Raises AssertionError when `known` says more than is so, at any moment."""
        if self.roll.random() < 0.5:
            self.follower.start(self.now)
            self.run_until(200)
        self.connect()
        for _ in range(steps):
            self.step()
            self.run_until(self.now + self.roll.choice([0, 0, 10, 60, self.roll.randint(0, 400)]))
            wrong = self.unapplied()
            assert wrong is None, wrong
        self.lossy = False
        self.run_until(self.now + 30_000)
        for room in self.server.rooms.values():  # the heads check tells of all that is still unheard
            if room.mine:
                self.push(self.gap(room.id, None, room.rev))
        self.push(self.gap(None, None, self.server.me))
        self.run_until(self.now + 30_000)
        for _ in range(200):
            for name in self.follower.conversations:
                self.follower.older(name)
            self.run_until(self.now + 1_000)
            if not any(one.has_more_before or one.low is None for one in self.follower.conversations.values()):
                break

    def unapplied(self) -> str | None:
        """What should be applied because `known` says so, and is not."""
        if self.follower.epoch != self.server.epoch:
            return None
        for name, one in self.follower.conversations.items():
            room, known = self.server.rooms[name], one.known or 0
            held = {row["seq"]: row for row in one.messages()}
            for row in room.messages:
                if row["rev"] <= known and one.low is not None and row["seq"] >= one.low:
                    got = held.get(row["seq"])
                    if not got or any(got[key] != row[key] for key in KEYS):
                        return f"at {known} of {name}: {got}, not {row}"
            if room.title_rev <= known and room.title != one.title and one.title_rev <= room.title_rev:
                return f"at {known} of {name}: title {one.title}, not {room.title}"
            for user, row in room.members.items():
                if one.known and row["rev"] <= known and (user in one.present()) == bool(row["left_at"]):
                    return f"at {known} of {name}: {user} present: {user in one.present()}"
        return None

    def difference(self) -> str | None:
        """What is not as the database has it; None: all is."""
        server, follower = self.server, self.follower
        mine = {name: room for name, room in server.rooms.items() if room.mine}
        if set(follower.conversations) != set(mine):
            return f"conversations: {sorted(follower.conversations)}, not {sorted(mine)}"
        if follower.me.known != server.me:
            return f"the person's stream: {follower.me.known}, not {server.me}"
        for name, room in mine.items():
            one = follower.conversations[name]
            pairs = [
                ("known", one.known, room.rev),
                ("title", one.title, room.title),
                ("read_seq", one.read_seq, room.read_seq),
                ("members", one.present(), {user for user, row in room.members.items() if not row["left_at"]}),
                *itertools.zip_longest(
                    ["messages"] * max(len(one.messages()), len(room.messages)),
                    [{key: row[key] for key in KEYS} for row in one.messages()],
                    [{key: row[key] for key in KEYS} for row in room.messages],
                ),
            ]
            for what, held, truth in pairs:
                if held != truth:
                    return f"{what} of {name}: {held}, not {truth}"
        return None
