"""The table of cases of the client algorithm (tests/cases/client, with a README), run by the Python implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.follower import Follower
from support.streams import Conversation, Mark, Request

FOLDER = Path(__file__).parents[1] / "cases" / "client"
DEFAULTS = json.loads((FOLDER / "defaults.json").read_text("utf-8"))
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(FOLDER.glob("*.json"))
    if path.name != "defaults.json"
    for case in json.loads(path.read_text("utf-8"))
]
KINDS = {
    "last_message": "message",
    "messages": "message",
    "members": "member",
    "memberships": "membership",
    "reactions": "reaction",
}
BEGIN_MS = 1_000

Json = dict[str, Any]


def filled(kind: str, value: Any) -> Any:
    """A sparse row or answer with what `defaults.json` adds, and so for all inside it."""
    if isinstance(value, list):
        return [filled(kind, one) for one in value]
    if not isinstance(value, dict):
        return value
    more: Json = DEFAULTS.get(kind, {})
    if kind == "message":
        more = more | {"id": f"m{value['seq']}"}
    items = {"page": "message", "list": "conversation"}.get(kind, "")
    return more | {key: filled(items if key == "items" else KINDS.get(key, key), one) for key, one in value.items()}


def name_of(request: Request) -> str:
    words = [request.kind, request.conversation_id, request.after_rev, request.before_seq, request.cursor]
    return " ".join(str(word) for word in words if word is not None)


def shown(one: Conversation, now: float) -> Json:
    """All that a case may list of a conversation."""
    messages = one.messages()
    return {
        "known": one.known,
        "messages": {str(row["seq"]): row["content"] for row in messages},
        "reactions": {
            str(row["seq"]): {part["emoji"]: part["count"] for part in row["reactions"]}
            for row in messages
            if row["reactions"]
        },
        "members": sorted(one.present()),
        "title": one.title,
        "read_seq": one.read_seq,
        "role": one.role,
        "others_read": one.receipts.read,
        "others_delivered": one.receipts.delivered,
        "typing": one.receipts.typing(now),
    }


class Run:
    def __init__(self, case: Json) -> None:
        self.now = 0
        self.follower = Follower("ann", lists=case.get("lists", False))
        self.asked: dict[str, list[Request]] = {}
        self.marks: dict[str, Mark] = {}
        self.last_sync: Request | None = None
        if case.get("start") != "nothing":
            self.begin()
        self.now = BEGIN_MS

    def begin(self) -> None:
        """As the README says."""
        membership = {"conversation_id": "c", "rev": 1, "me": 1}
        head = {"conversation_id": "c", "last_seq": 2, "last_rev": 3}
        members = [{"user_id": "ann", "rev": 1}, {"user_id": "bob", "rev": 1}]
        items = [{"seq": 1, "rev": 2, "content": "one"}, {"seq": 2, "rev": 3, "content": "two"}]
        self.follower.auth()
        self.follower.frame({"type": "hello", "epoch": "one", "me": 1}, self.now)
        self.asks(["sync"])
        self.answer("sync", {"me": {"rev": 1, "memberships": [membership]}, "conversations": [head]})
        self.now = 100
        self.asks(["snapshot c"])
        conversation = {"id": "c", "last_rev": 3, "members": members}
        self.answer("snapshot c", {"conversation": conversation, "page": {"items": items, "last_rev": 3}})
        self.follower.auth()

    def asks(self, wanted: list[str]) -> None:
        requests = self.follower.requests(self.now)
        assert sorted(name_of(one) for one in requests) == sorted(wanted)
        for one in requests:
            self.asked.setdefault(name_of(one), []).append(one)
            if one.kind == "sync":
                self.last_sync = one

    def answer(self, name: str, body: Json) -> None:
        request = self.asked[name].pop(0)
        self.follower.answer(request, filled("" if request.kind == "snapshot" else request.kind, body), self.now)

    def frame(self, frame: Json) -> None:
        self.follower.frame(filled("changes" if frame["type"] == "changes" else "", frame), self.now)

    def view(self, wanted: Json) -> None:
        assert set(self.follower.conversations) == set(wanted)
        for conversation_id, keys in wanted.items():
            held = shown(self.follower.conversations[conversation_id], self.now)
            assert {key: held[key] for key in keys} == keys

    def step(self, step: Json) -> None:
        self.now = BEGIN_MS + step["at"] if "at" in step else self.now
        follower = self.follower
        match step:
            case {"frame": frame}:
                self.frame(frame)
            case {"asks": wanted}:
                self.asks(wanted)
            case {"body": wanted}:
                assert self.last_sync and self.last_sync.body == wanted
            case {"answer": name, "with": body}:
                self.answer(name, body)
            case {"fail": name, "status": status}:
                request = self.asked[name].pop(0)
                follower.failed(request, self.now, wait_ms=step.get("wait_ms"), gone=status == 404)
            case {"reply": row, "mark": name}:
                follower.reply(filled("message", row), self.marks[name], self.now)
            case {"mark": name}:
                self.marks[name] = follower.mark(name)
            case {"marked_read": conversation_id, "seq": seq, "me": me}:
                follower.marked_read(conversation_id, seq, me, self.now)
            case {"older": conversation_id}:
                follower.older(conversation_id)
            case {"wake": _}:
                follower.wake(self.now)
            case {"auth": wanted}:
                assert follower.auth() == wanted
            case {"next": wanted}:
                assert follower.wake_at() == (None if wanted is None else BEGIN_MS + wanted)
            case {"view": _} | {"me": _}:
                if "me" in step:
                    assert follower.me.known == step["me"]
                if "view" in step:
                    self.view(step["view"])
            case _:
                raise AssertionError(f"a step of no known sort: {step}")


@pytest.mark.parametrize("case", CASES)
def test_case(case: Json) -> None:
    run = Run(case)
    for number, step in enumerate(case["steps"], 1):
        try:
            run.step(step)
        except AssertionError as failure:
            failure.add_note(f"step {number}: {json.dumps(step, ensure_ascii=False)}")
            raise
