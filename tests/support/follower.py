"""The client algorithm of push/PROTOCOL.md, "What a client does", rules 0 to 4: pure, without I/O and without a clock.

A Follower is one device of one person. Whoever drives it hands it what comes in and does what it asks for:

    follower = Follower(my_user_id)
    auth frame := {"type": "auth", "token": …} | follower.auth()       # epoch, me, known, known_count, or nothing
    follower.frame(frame, now_ms)                                       # hello and every frame after it
    for request in follower.requests(now_ms): …                         # ask each; there is one answer or one failure:
        follower.answer(request, body, now_ms)                          # the JSON of a 200
        follower.failed(request, now_ms, gone=True)                     # a 404
        follower.failed(request, now_ms, wait_ms=700)                   # 5xx, 429, no connection: asked again by then
        follower.failed(request, now_ms)                                # refused for good: asked again after wake()
    follower.wake_at()                                                  # when to call requests() again, or None

`now_ms` is any clock that does not go back. `requests` gives each request once. What a request asks for:

    sync      POST /sync with request.body                              (all pages: each is a request of its own)
    list      GET /conversations?cursor=request.cursor                  (only with lists=True)
    changes   GET /conversations/{request.conversation_id}/changes?after_rev={request.after_rev}
    snapshot  GET /conversations/{…} and GET /conversations/{…}/messages; body {"conversation": …, "page": …}
    page      GET /conversations/{…}/messages?before_seq={request.before_seq}   (after `older`; None: the newest)

What one's own requests answer (a send, an edit) is a row as well: mark = follower.mark(conversation_id) before asking,
follower.reply(message, mark, now_ms) with the answer. A reply never moves `known`.

What is held: follower.conversations by id, each with known, messages() (ascending by seq), members, title, read_seq.
Nothing is asked before the first hello, unless `start` asks for the base before there is a socket.

The rules, by where they are (also in support/streams.py): 0 `_take_snapshot`, `_take_page` · 1 `Conversation.apply_*`,
`_membership` · 2 `Stream.advance`, `cover`, `start` · 3 `Stream.settle`, `_current` · 4 `_reset`, `_hello`.
web/src/core/follower.ts is the same in TypeScript; both pass tests/cases/client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from support.blocks import Blocks
from support.streams import Conversation, Json, Mark, Request, Stream

SNAPSHOT_BEHIND = 2000  # revisions; further behind, the stream starts anew
KNOWN_MAX = 500  # entries in auth and sync: the server takes no more


class Follower:
    """`lists`: with many conversations their list is a cheaper start than a snapshot of each."""

    def __init__(self, me: str, *, lists: bool = False) -> None:
        self.user_id = me
        self.epoch: str | None = None
        self.me, self.blocks = Stream(), Blocks()
        self.conversations: dict[str, Conversation] = {}
        self.rejections: list[Json] = []  # message.rejected and its rows, in the order they came
        self.lists = lists
        self._now = 0
        self._drops = 0
        self._said_nothing = True
        self._next_page: Request | None = None  # of a sync that has begun
        self._list: str | None = None  # "wanted", "asked", "refused" or None
        self._list_cursor: str | None = None
        self._list_due = 0

    def start(self, now_ms: int) -> None:
        """Asks for the base now, whether or not there is a socket."""
        self._now = max(self._now, now_ms)
        self.me.due = self._now

    # -- what goes out
    def auth(self) -> Json:
        """The keys that an auth frame has besides the token. Without a base none, and the base is read after hello."""
        self._said_nothing = self.epoch is None or self.me.known is None
        if self._said_nothing:
            return {}
        held = [one for one in self.conversations.values() if one.known is not None]
        return {"epoch": self.epoch, "me": self.me.known, "known": self._known(), "known_count": len(held)}

    def _known(self) -> dict[str, int]:
        held = [one for one in self.conversations.values() if one.known is not None]
        held.sort(key=lambda one: max((row.get("timestamp", "") for row in one.rows.values()), default=""))
        return {one.id: one.known for one in held[-KNOWN_MAX:] if one.known is not None}

    def requests(self, now_ms: int) -> list[Request]:
        """What to ask now: at most one request of each stream at a time, none before its time."""
        self._now = max(self._now, now_ms)
        return list(self._requests())

    def _requests(self) -> Iterator[Request]:
        if self._next_page:
            request, self._next_page = self._next_page, None
            yield request
        elif self._is_due(self.me):
            yield self._ask_sync()
        if self._list == "wanted" and self.me.known is not None and self._list_due <= self._now:
            self._list = "asked"
            yield Request("list", self.mark(None), cursor=self._list_cursor)
        if self._listing:
            return
        for one in self.conversations.values():
            if self._is_due(one):
                one.begin()
                yield self._pull_of(one)
            if one.may_read:
                one.reading = True
                yield Request("page", self.mark(one.id), one.id, before_seq=one.low)

    @property
    def _listing(self) -> bool:
        """The streams are about to start by the list: until then none is pulled."""
        return self._list in ("wanted", "asked")

    def _is_due(self, stream: Stream) -> bool:
        due = stream.due_at()
        return due is not None and due <= self._now

    def _pull_of(self, one: Conversation) -> Request:
        if one.known is None or one.seen - one.known > SNAPSHOT_BEHIND:
            return Request("snapshot", self.mark(one.id), one.id, heard=one.seen)
        return Request("changes", self.mark(one.id), one.id, after_rev=one.known, heard=one.seen)

    def _ask_sync(self) -> Request:
        self.me.begin()
        body = {} if self.me.known is None else {"epoch": self.epoch, "me": self.me.known, "known": self._known()}
        asked = {conversation_id: self.mark(conversation_id) for conversation_id in self.conversations}
        mark = Mark(self._drops, self.me, self.me.turn, self.me.base)
        return Request("sync", mark, body=body, asked=asked, heard=self.me.seen)

    def wake_at(self) -> int | None:
        """The time at which `requests` is worth a call, if nothing comes in before."""
        if self._next_page:
            return self._now
        held = [] if self._listing else list(self.conversations.values())
        times = [due for one in [self.me, *held] if (due := one.due_at()) is not None]
        if self._list == "wanted" and self.me.known is not None:
            times.append(self._list_due)
        if any(one.may_read for one in held):
            times.append(self._now)
        return min(times, default=None)

    def older(self, conversation_id: str) -> None:
        """Asks for the page above what is held; nothing when there is none."""
        one = self.conversations.get(conversation_id)
        if one and one.has_more_before:
            one.wants_page = True

    def wake(self, now_ms: int) -> None:
        """What failed or was refused is asked again."""
        self._now = max(self._now, now_ms)
        for stream in [self.me, *self.conversations.values()]:
            if (stream.failed or stream.halted) and not stream.asking:
                stream.ask_at(self._now)
            stream.halted = False
            stream.settle(self._now)
        if self._list == "refused":
            self._list = "wanted"
        self._list_due = self._now

    # -- answers
    def mark(self, conversation_id: str | None) -> Mark:
        stream = self.conversations.get(conversation_id) if conversation_id else None
        return Mark(self._drops, stream, stream.turn if stream else 0, stream.base if stream else 0)

    def _current(self, mark: Mark) -> bool:
        """Rule 3, the last sentence: nothing asked before a drop, a reset or a newer own membership counts."""
        if mark.stream is None:
            return mark.drops == self._drops
        held = self.me if not isinstance(mark.stream, Conversation) else self.conversations.get(mark.stream.id)
        return held is mark.stream and held.turn == mark.turn

    def answer(self, request: Request, body: Json, now_ms: int) -> None:
        self._now = max(self._now, now_ms)
        if request.kind == "list":
            return self._take_list(request, body)
        stream = request.mark.stream
        if isinstance(stream, Conversation):
            return self._answer_of(stream, request, body)
        self.me.asking = self.me.asking and stream is not self.me
        if self._current(request.mark):
            self._take_sync(request, body)
        elif stream is self.me:
            stream.ask_at(self._now)
        return None

    def _answer_of(self, one: Conversation, request: Request, body: Json) -> None:
        current = self._current(request.mark)
        if request.kind == "page":
            one.reading = False
            return self._take_page(one, request.before_seq, body) if current else None  # else it is still wanted
        one.asking = False
        if not current:
            return one.ask_at(self._now)
        head = body["last_rev"] if request.kind == "changes" else body["page"]["last_rev"]
        if head < request.heard:
            return self._start_again(one)
        before = one.known
        if request.kind == "snapshot":
            self._take_snapshot(one, body["conversation"], body["page"])
        else:
            self._take_changes(one, request.after_rev or 0, body)
            one.owed = body["last_rev"] if body["has_more"] else 0
        return one.pulled(self._now, before)

    def failed(self, request: Request, now_ms: int, *, wait_ms: int | None = None, gone: bool = False) -> None:
        self._now = max(self._now, now_ms)
        stream = request.mark.stream
        if request.kind == "list":
            refused = wait_ms is None and self._current(request.mark)
            self._list, self._list_cursor = "refused" if refused else "wanted", None
            self._list_due = self._now + (wait_ms or 0)
        elif request.kind == "page":
            assert isinstance(stream, Conversation)
            stream.reading = stream.wants_page = False
            if gone and self._current(request.mark):
                self._drop(stream)
        elif stream:
            self._failed_pull(stream, request, wait_ms, gone=gone)

    def _failed_pull(self, stream: Stream, request: Request, wait_ms: int | None, *, gone: bool) -> None:
        stream.asking = False
        if not self._current(request.mark):
            stream.ask_at(self._now)
        elif gone and isinstance(stream, Conversation):
            self._drop(stream)
        elif wait_ms is not None:
            stream.failed = True
            stream.ask_at(self._now + wait_ms)
        else:
            stream.halted = True

    def _take_changes(self, one: Conversation, after: int, body: Json) -> None:
        if not self._rows(one, body["members"], body["messages"]):
            return
        if body.get("conversation"):
            one.apply_title(body["conversation"].get("title"), body["last_rev"])
        one.cover(after, body["next_after_rev"])
        one.hear(body["last_rev"])

    def _take_snapshot(self, one: Conversation, item: Json, page: Json) -> None:
        """Rule 0: known is the smaller head of the two answers."""
        head = min(item["last_rev"], page["last_rev"])
        if head < one.base:
            return None  # the stream has started later by other means
        if not one.apply_item(item):
            return self._drop(one)
        one.start_members(item.get("members", []), item["last_rev"])
        one.start_rows(page["items"], page["last_rev"], more_before=page["has_more_before"])
        one.start(head)
        one.hear(max(item["last_rev"], page["last_rev"]))
        return None

    def _take_page(self, one: Conversation, before_seq: int | None, page: Json) -> None:
        """Rule 0: rows from before changes that no pull will bring are still wanted, and asked again."""
        if page["last_rev"] < one.base or before_seq != one.low:
            return
        if one.low is None:
            one.start_rows(page["items"], page["last_rev"], more_before=page["has_more_before"])
        else:
            one.extend_rows(page["items"], more_before=page["has_more_before"])
        one.wants_page = False
        one.hear(page["last_rev"])
        one.settle(self._now)

    def _take_list(self, request: Request, page: Json) -> None:
        if not self._current(request.mark):
            self._list, self._list_cursor = "wanted", None
            return
        for item in page["items"]:
            one = self._conversation(item["id"])
            if not one.apply_item(item):
                self._drop(one)
                continue
            if one.known is None:
                one.start_members(item.get("members", []), item["last_rev"])
                one.start(item["last_rev"])
            one.hear(item["last_rev"])
            one.settle(self._now)
        self._list_cursor = page["next_cursor"]
        self._list = "wanted" if self._list_cursor else None

    def _take_sync(self, request: Request, body: Json) -> None:
        if (self.epoch is not None and body["epoch"] != self.epoch) or body["me"]["rev"] < request.heard:
            return self._reset(body["epoch"])
        self.epoch = body["epoch"]
        me = self.me
        for row in body["me"]["memberships"]:
            self._membership(row)
        self.blocks.apply(body["me"].get("blocks", []))
        self.rejections += body["me"].get("rejections", [])
        for conversation_id in body["removed"]:
            mark = request.asked.get(conversation_id)
            if mark and mark.stream and self._current(mark):
                self._drop(self.conversations[conversation_id])
        for head in body["conversations"]:
            one = self._conversation(head["conversation_id"])
            one.hear(head["last_rev"])
            one.settle(self._now)
        if body["next_cursor"]:
            me.asking = True
            self._next_page = replace(request, body=request.body | {"cursor": body["next_cursor"]})
            return None
        before, me.again = me.known, False
        if me.known is None:
            me.start(body["me"]["rev"])
            self._list, self._list_cursor = ("wanted" if self.lists else None), None
        else:
            me.cover(request.body["me"], body["me"]["rev"])
        me.hear(body["me"]["rev"])
        return me.pulled(self._now, before)

    def reply(self, message: Json, mark: Mark, now_ms: int) -> None:
        """The row that answers one's own send or change; it moves `seen`, never `known`."""
        self._now = max(self._now, now_ms)
        if not self._current(mark) or (mark.stream and mark.stream.base != mark.base):
            return  # of another membership, or of before the stream started: it may have changed unheard
        one = self._conversation(message["conversation_id"])
        one.apply_message(message)
        one.hear(message["rev"])
        one.settle(self._now)

    def marked_read(self, conversation_id: str, seq: int, me: int, now_ms: int) -> None:
        """The answer to one's own read mark: a row of the person's stream, which moves `known` no more than a reply."""
        self._now = max(self._now, now_ms)
        if conversation_id in self.conversations:
            self.conversations[conversation_id].has_read(seq)
        self.me.hear(me)
        self.me.settle(self._now)

    # -- frames
    def frame(self, frame: Json, now_ms: int) -> None:
        """Hello, and every object that has no `reply_to`. Types and keys that are not known are ignored."""
        self._now = max(self._now, now_ms)
        kind, conversation_id = frame["type"], frame.get("conversation_id")
        if kind == "hello":
            self._hello(frame)
        elif kind == "gap":
            self._gap(conversation_id, frame)
        elif kind == "changes" and conversation_id:
            self._changes(self._conversation(conversation_id), frame)
        elif kind == "changes":
            self._my_changes(frame)
        elif "me" in frame or kind == "conversation.removed":
            self._mine(kind, conversation_id, frame)
        elif "rev" not in frame and conversation_id in self.conversations:
            self.conversations[conversation_id].receipts.passes(frame, self._now)
        elif conversation_id and "rev" in frame:
            self._event(self._conversation(conversation_id), kind, frame)

    def _hello(self, frame: Json) -> None:
        if self.epoch is not None and frame["epoch"] != self.epoch:
            return self._reset(frame["epoch"])
        self.epoch = frame["epoch"]
        self.me.hear(frame["me"])
        if self._said_nothing:  # what was asked before this hello may be older than the socket
            self._drops += 1
            for one in self.conversations.values():
                one.turn += 1
        if self._said_nothing or frame.get("sync_required") or self.me.known is None:
            self.me.turn += 1
            self.me.again = True
            self.me.ask_at(self._now)
        return self.wake(self._now)

    def _gap(self, conversation_id: str | None, frame: Json) -> None:
        if frame.get("reset") and conversation_id is None:
            return self._reset(self.epoch)
        if frame.get("reset") and conversation_id in self.conversations:
            self._drop(self.conversations[conversation_id])
        stream = self._conversation(conversation_id) if conversation_id else self.me
        stream.hear(frame["last_rev"])
        stream.not_before = max(stream.not_before, self._now + frame.get("pull_after_ms", 0))
        if stream.behind:
            stream.due, stream.gapped = stream.not_before, True
        return None

    def _changes(self, one: Conversation, frame: Json) -> None:
        before = one.known
        if not self._rows(one, frame["members"], []):
            return None
        if frame.get("snapshot"):
            if not one.apply_item(frame["conversation"]):
                return self._drop(one)
            if one.known is None:
                more = bool(frame["messages"]) and frame["messages"][0]["seq"] > 1
                one.start_members(frame["conversation"].get("members", []), frame["last_rev"])
                one.start_rows(frame["messages"], frame["last_rev"], more_before=more)
                one.start(frame["last_rev"])
            # A stream that is held goes on from its own `known`: a page of the newest messages does not cover the rest.
            self._rows(one, [], frame["messages"])
        else:
            self._take_changes(one, frame["after_rev"], frame)
        one.hear(frame["last_rev"])
        return one.settle(self._now, moved=one.known != before)

    def _my_changes(self, frame: Json) -> None:
        before = self.me.known
        for row in frame["memberships"]:
            self._membership(row)
        self.blocks.apply(frame.get("blocks", []))
        self.rejections += frame.get("rejections", [])
        self.me.cover(frame["after_rev"], frame["next_after_rev"])
        self.me.hear(frame["last_rev"])
        self.me.settle(self._now, moved=self.me.known != before)

    def _event(self, one: Conversation, kind: str, frame: Json) -> None:
        before, rev = one.known, frame["rev"]
        members = frame.get("members") or ([frame["member"]] if "member" in frame else [])
        if kind == "conversation.deleted":
            return self._drop(one)
        if kind == "reaction.updated":
            one.apply_reactions(frame["seq"], rev, frame["reactions"])
            one.advance(rev)
        elif "conversation" in frame:
            one.apply_title(frame["conversation"]["title"], rev)
            one.advance(rev)
        elif not members and "message" not in frame:
            one.hear(rev)  # a change of a sort not known here: the pull brings what it changed
        elif not self._rows(one, members, [frame["message"]] if "message" in frame else []):
            return None
        else:
            one.advance(rev)
        return one.settle(self._now, moved=one.known != before)

    def _mine(self, kind: str, conversation_id: str | None, frame: Json) -> None:
        """An event of the person's stream, or the hub's word that one is out of a conversation."""
        held = self.conversations.get(conversation_id or "")
        if kind == "conversation.created":
            self._created(frame["conversation"])
        elif kind == "conversation.removed" and held and held.own_rev <= frame["rev"]:
            self._drop(held)
        elif kind == "read.updated" and held:
            held.has_read(frame["seq"])
        elif kind == "conversation.settings" and held:
            held.apply_settings(frame)
        elif kind == "message.rejected":
            self.rejections.append(frame)
        if "me" in frame:
            self.blocks.apply([frame] if kind == "block.updated" else [])
            before = self.me.known
            self.me.advance(frame["me"])
            self.me.settle(self._now, moved=self.me.known != before)

    def _created(self, item: Json) -> None:
        own = next((row["rev"] for row in item["members"] if row["user_id"] == self.user_id), 0)
        one = self._conversation(item["id"])
        if own < one.own_rev:
            return None
        one.hear(own)
        if not one.apply_item(item):
            return self._drop(one)
        return one.settle(self._now)

    # -- rows
    def _conversation(self, conversation_id: str) -> Conversation:
        if conversation_id not in self.conversations:
            self.conversations[conversation_id] = Conversation(conversation_id, self.user_id)
        return self.conversations[conversation_id]

    def _rows(self, one: Conversation, members: list[Json], messages: list[Json]) -> bool:
        """Members first. False: one's own row said that one has left, and the conversation was dropped."""
        if not all([one.apply_member(row) for row in members]):
            self._drop(one)
            return False
        for row in messages:
            one.apply_message(row)
        return True

    def _membership(self, row: Json) -> None:
        """A row of the person's stream; one that is older than one's own member row is ignored."""
        held = self.conversations.get(row["conversation_id"])
        if held and row["rev"] < held.own_rev:
            return
        if not row["member"]:
            if held:
                self._drop(held)
            return
        one = self._conversation(row["conversation_id"])
        if one.known is None:
            one.hear(row["rev"])
        one.apply_own(row["rev"], member=True)
        one.read_seq = max(one.read_seq, row.get("read_seq", 0))
        one.apply_settings(row)
        one.settle(self._now)

    def _drop(self, one: Conversation) -> None:
        if self.conversations.get(one.id) is one:
            del self.conversations[one.id]
            self._drops += 1

    def _start_again(self, one: Conversation) -> None:
        """Rule 4 for one conversation."""
        self._drop(one)
        self._conversation(one.id).due = max(self._now, one.not_before)

    def _reset(self, epoch: str | None) -> None:
        """Rule 4: another history. Nothing of this one is kept; it starts by a sync without `me`."""
        self.epoch = epoch
        self.me, self.blocks = Stream(), Blocks()
        self.me.due = self._now
        self.conversations = {}
        self._drops += 1
        self._next_page, self._list, self._list_cursor = None, None, None
