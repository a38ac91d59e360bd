"""What a client holds of a stream, and when it pulls it: rules 1 to 3 of push/PROTOCOL.md, "What a client does"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from support.receipts import Receipts

PULL_AFTER_MS = 100
RETRY_MAX_MS = 20_000

Json = dict[str, Any]


class Stream:
    """One stream of revisions: the person's, or (as a Conversation) a conversation's."""

    def __init__(self) -> None:
        self.known: int | None = None  # all up to here is applied; None: nothing is held
        self.seen = 0  # the highest revision heard of
        self.base = 0  # where it started: changes up to here were not heard one by one
        self.owed = 0  # the head of a pull that is not at its end: what it showed as older may be on a later page
        self.turn = 0  # rises with what makes the answers asked before worthless
        self.not_before = 0  # no pull before this time: pull_after_ms of the gaps
        self.due: int | None = None  # when to pull; see due_at
        self.again = False  # to be pulled even if nothing is known to be missing
        self.gapped = False  # a gap set `due`: progress does not put it off
        self.asking = False
        self.failed = False  # the last pull had no answer: `due` is the time of the next try
        self.halted = False  # the server refused a pull for good
        self.fruitless = 0  # pulls in a row that brought nothing although something is missing

    @property
    def behind(self) -> bool:
        return self.known is None or self.seen > self.known

    def hear(self, rev: int) -> None:
        self.seen = max(self.seen, rev)

    def advance(self, rev: int) -> None:
        """An event: only the very next one moves `known`, and none that a pull still owes the row of."""
        self.hear(rev)
        if self.known is not None and rev == self.known + 1 and rev > self.owed:
            self.known = rev

    def cover(self, after: int, until: int) -> None:
        """A changes frame or a pull, which covers (after, until]."""
        self.hear(until)
        if self.known is not None and after <= self.known:
            self.known = max(self.known, until)

    def start(self, rev: int) -> None:
        """The stream starts, or starts anew, at `rev`."""
        self.hear(rev)
        self.base = max(self.base, rev)
        self.owed = 0
        self.known = max(self.known or 0, rev)

    def due_at(self) -> int | None:
        """When to pull; None: there is no reason to, or it is asked already."""
        wanted = (self.behind or self.again) and not self.asking and not self.halted
        return self.due if wanted else None

    def begin(self) -> None:
        self.asking, self.due, self.gapped, self.failed = True, None, False, False

    def ask_at(self, time: int) -> None:
        self.due = max(time, self.not_before)

    def settle(self, now: int, *, moved: bool = False) -> None:
        """Rule 3: behind, and no progress for 100 ms, and no gap's time to wait for."""
        if not self.behind:
            self.due, self.gapped, self.fruitless = None, False, 0
            if self.again:
                self.ask_at(now)
        elif self.due is None or (moved and not self.gapped):
            self.ask_at(now + PULL_AFTER_MS)

    def pulled(self, now: int, before: int | None) -> None:
        """Asks on while something is missing: at once after progress, else later and later."""
        if not self.behind:
            return self.settle(now)
        self.fruitless = 0 if self.known != before else self.fruitless + 1
        wait_ms = min(PULL_AFTER_MS * 2 ** (self.fruitless - 1), RETRY_MAX_MS) if self.fruitless else 0
        return self.ask_at(now + wait_ms)


class Conversation(Stream):
    """A conversation's stream with its rows. Rule 1: an entity takes a row only if its rev is greater."""

    def __init__(self, conversation_id: str, me: str) -> None:
        super().__init__()
        self.id = conversation_id
        self.me = me
        self.members: dict[str, Json] = {}  # by user id, those who left too
        self.title: str | None = None
        self.title_rev = 0  # the head at which the title was read
        self.own_rev = 0  # of the newest word on one's own membership
        self.read_seq = 0
        self.muted_until: str | None = None
        self._muted_me = 0  # the rev of the person's stream that said so
        self.role: str | None = None  # one's own
        self._role_me = 0  # likewise
        self.receipts = Receipts()
        self.rows: dict[int, Json] = {}  # messages by seq; each is what it was at `known` or later
        self.reactions: dict[int, tuple[int, list[Json]]] = {}  # newer than the row, by seq, with their rev
        self.low: int | None = None  # from here on the messages are all there; None: no page was read
        self.has_more_before = True
        self.wants_page = False  # the page above `low` is to be read
        self.reading = False

    def messages(self) -> list[Json]:
        """Without gaps from `low` to what `known` covers, ascending. The rev of a row is that of its message alone."""
        low = self.low
        return [] if low is None else [self.rows[seq] for seq in sorted(self.rows) if seq >= low]

    @property
    def may_read(self) -> bool:
        """The page above `low` is to be asked for."""
        return self.wants_page and not self.reading and self.known is not None

    def present(self) -> set[str]:
        """The ids of those who are members now, as far as their rows are held."""
        return {user_id for user_id, row in self.members.items() if not row.get("left_at")}

    def apply_message(self, row: Json) -> None:
        seq, rev = row["seq"], row["rev"]
        if seq in self.rows and rev <= self.rows[seq]["rev"]:
            return
        part = self.reactions.get(seq)
        if part and part[0] <= rev:
            del self.reactions[seq]
        elif part and not row.get("deleted"):
            row = row | {"reactions": part[1]}
        if row.get("sender_id", self.me) != self.me:
            self.receipts.said(row["sender_id"], seq, newest=seq > max(self.rows, default=0))
        self.rows[seq] = row

    def apply_reactions(self, seq: int, rev: int, reactions: list[Json]) -> None:
        """A change of a part: the message keeps its own rev, or an edit missed before would never be applied."""
        row = self.rows.get(seq)
        if rev <= max(row["rev"] if row else 0, self.reactions.get(seq, (0,))[0]):
            return
        self.reactions[seq] = rev, reactions
        if row and not row.get("deleted"):
            self.rows[seq] = row | {"reactions": reactions}

    def apply_member(self, row: Json, read_at: int = 0) -> bool:
        """False: it says that oneself has left. Who is not held and has a row of before the start has left, perhaps."""
        user_id = row["user_id"]
        old = self.members.get(user_id)
        if row["rev"] > old["rev"] if old else max(row["rev"], read_at) > self.base:
            self.members[user_id] = row
        if user_id != self.me:
            self.receipts.apply_member(row)
        return user_id != self.me or self.apply_own(row["rev"], member=not row.get("left_at"))

    def apply_own(self, rev: int, *, member: bool) -> bool:
        """One's own membership, from this stream or the person's. False: it has ended."""
        if rev <= self.own_rev:
            return True
        self.own_rev = rev
        self.turn += 1
        self.halted = False
        return member

    def apply_title(self, title: str | None, rev: int) -> None:
        if rev >= self.title_rev:
            self.title, self.title_rev = title, rev

    def has_read(self, seq: int) -> None:
        """One's own cursor only grows."""
        self.read_seq = max(self.read_seq, seq)

    def apply_settings(self, row: Json) -> None:
        """Of a membership or conversation.settings, which has the keys that changed; for each the newest counts."""
        if "muted_until" in row and row["me"] >= self._muted_me:
            self.muted_until, self._muted_me = row["muted_until"], row["me"]
        if "role" in row and row["me"] >= self._role_me:
            self.role, self._role_me = row["role"], row["me"]

    def apply_item(self, item: Json) -> bool:
        """The conversation as its reader sees it. False: one has left it."""
        self.apply_title(item.get("title"), item["last_rev"])
        if not self._muted_me:
            self.muted_until = item.get("muted_until")
        if not self._role_me:
            self.role = item.get("role") or self.role
        self.read_seq = max(self.read_seq, item.get("read_seq", 0))
        if item.get("last_message"):
            self.apply_message(item["last_message"])
        return all([self.apply_member(row, item["last_rev"] + 1) for row in item.get("members", [])])

    def start_members(self, rows: list[Json], rev: int) -> None:
        """Read at `rev`: who is held with a row as old and not among them may have left unheard."""
        names = {row["user_id"] for row in rows}
        self.members = {name: row for name, row in self.members.items() if row["rev"] > rev or name in names}

    def start_rows(self, items: list[Json], rev: int, *, more_before: bool) -> None:
        """The newest page, read at `rev`: what is as old and not in it may have changed unheard, and is forgotten."""
        self.rows = {seq: row for seq, row in self.rows.items() if row["rev"] > rev}
        self.reactions = {seq: part for seq, part in self.reactions.items() if part[0] > rev}
        for row in items:
            self.apply_message(row)
        self.low = items[0]["seq"] if items else 1
        self.has_more_before = more_before

    def extend_rows(self, items: list[Json], *, more_before: bool) -> None:
        """The page that ends right below `low`."""
        for row in items:
            self.apply_message(row)
        self.low = items[0]["seq"] if items else self.low
        self.has_more_before = more_before


@dataclass(frozen=True)
class Mark:
    """What the answer to a request is measured against."""

    drops: int
    stream: Stream | None
    turn: int
    base: int


@dataclass(eq=False, frozen=True)
class Request:
    kind: Literal["sync", "list", "changes", "snapshot", "page"]
    mark: Mark
    conversation_id: str | None = None
    after_rev: int | None = None
    before_seq: int | None = None
    cursor: str | None = None
    body: Json = field(default_factory=dict)
    asked: dict[str, Mark] = field(default_factory=dict)  # sync: what was held when its first page was asked
    heard: int = 0  # `seen` when it was asked: an answer below it comes from an older copy of the database
