"""Three conversations and what a server answers of them, in small pages: the truth of support/lossy.py."""

from __future__ import annotations

from typing import Any

from support.streams import Request

ME, OTHERS = "ann", ["bob", "cy"]
ROOMS = ["a", "b", "c"]
PAGE, CHANGES_PAGE = 3, 4

Json = dict[str, Any]


class Room:
    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self.rev = 1
        self.title: str | None = None
        self.title_rev = 0
        self.messages: list[Json] = []
        self.members = {user: self.member(user) for user in [ME, *OTHERS]}
        self.me = 0  # the person's stream, at the last change of her own row
        self.read_seq = 0

    def member(self, user_id: str, left_at: str | None = None, role: str = "member") -> Json:
        return {"user_id": user_id, "rev": self.rev, "role": role, "left_at": left_at}

    @property
    def mine(self) -> bool:
        return not self.members[ME]["left_at"]


class Server:
    """The database and what it answers."""

    def __init__(self) -> None:
        self.epoch = "epoch 0"
        self.me = 0
        self.rooms = {name: Room(name) for name in ROOMS}
        for room in self.rooms.values():
            self.me += 1
            room.me = self.me

    def room(self, conversation_id: str) -> Room | None:
        """None: a 404."""
        room = self.rooms[conversation_id]
        return room if room.mine else None

    def item(self, room: Room) -> Json:
        return {
            "id": room.id,
            "kind": "group",
            "title": room.title,
            "members": [row for row in room.members.values() if not row["left_at"]],
            "last_message": room.messages[-1] if room.messages else None,
            "read_seq": room.read_seq,
            "last_seq": len(room.messages),
            "last_rev": room.rev,
        }

    def page(self, room: Room, before_seq: int | None, size: int = PAGE) -> Json:
        items = [row for row in room.messages if before_seq is None or row["seq"] < before_seq]
        return {"items": items[-size:], "has_more_before": len(items) > size, "last_rev": room.rev}

    def changes(self, room: Room, after: int, limit: int = CHANGES_PAGE) -> Json:
        messages = [row for row in room.messages if row["rev"] > after]
        members = [row for row in room.members.values() if row["rev"] > after]
        revs = sorted(
            {row["rev"] for row in messages + members} | ({room.title_rev} if room.title_rev > after else set())
        )
        until = room.rev if len(revs) <= limit else revs[limit - 1]
        return {
            "messages": [row for row in messages if row["rev"] <= until],
            "members": [row for row in members if row["rev"] <= until],
            "conversation": self.item(room) if after < room.title_rev <= until else None,
            "next_after_rev": until,
            "last_rev": room.rev,
            "has_more": until < room.rev,
        }

    def membership(self, room: Room) -> Json:
        return {
            "conversation_id": room.id,
            "member": room.mine,
            "rev": room.members[ME]["rev"],
            "me": room.me,
            "read_seq": room.read_seq,
            "last_rev": room.rev,
        }

    def memberships(self, after: int) -> list[Json]:
        return [self.membership(room) for room in self.rooms.values() if room.me > after]

    def sync(self, body: Json) -> Json:
        same = body.get("epoch") == self.epoch
        known: dict[str, int] = body.get("known", {}) if same else {}
        first = int(body.get("cursor", "0"))
        moved = [room for room in self.rooms.values() if room.mine and known.get(room.id) != room.rev]
        rows = self.memberships(body.get("me", 0) if same else 0)
        return {
            "epoch": self.epoch,
            "me": {"rev": int(body.get("rev", self.me)), "memberships": [] if first else rows, "rejections": []},
            "conversations": [
                {"conversation_id": room.id, "last_seq": len(room.messages), "last_rev": room.rev}
                for room in moved[first : first + 2]
            ],
            "removed": [] if first else [name for name in known if not self.rooms[name].mine],
            "next_cursor": str(first + 2) if len(moved) > first + 2 else None,
        }

    def answer(self, request: Request) -> Json | None:
        """None: a 404."""
        if request.kind == "sync":
            return self.sync(request.body)
        if request.kind == "list":
            mine = [self.item(room) for room in self.rooms.values() if room.mine]
            first = int(request.cursor or 0)
            return {"items": mine[first : first + 2], "next_cursor": str(first + 2) if len(mine) > first + 2 else None}
        room = self.room(request.conversation_id or "")
        if not room:
            return None
        if request.kind == "changes":
            return self.changes(room, request.after_rev or 0)
        if request.kind == "page":
            return self.page(room, request.before_seq)
        return {"conversation": self.item(room), "page": self.page(room, None)}
