"""push/PROTOCOL.md by itself: its examples are JSON and hold what api/openapi.yaml calls by the same names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.openapi import load
from support.protocol import client_frames, documented_types, examples, is_from_client
from support.stack import ROOT

DOCUMENT = load()
EXAMPLES = examples()
SERVER_EVENTS = [e for e in EXAMPLES if not is_from_client(e) and "reply_to" not in e]

# What stands inside a frame, and the schema it has in the REST half.
SCHEMAS = {"message": "Message", "conversation": "Conversation"}
LISTS = {"messages": "Message", "members": "Member", "memberships": "Membership"}


def test_what_the_document_shows() -> None:
    shown = {example["type"] for example in EXAMPLES if "type" in example}
    assert {"auth", "auth.refresh", "hello", "message.send", "message.created", "ping", "pong"} <= shown
    assert {"gap", "changes", "mode", "conversation.created", "conversation.removed", "session.revoked"} <= shown


def test_every_frame_that_is_taken_is_documented_with_an_example() -> None:
    table = (ROOT / "push/events.c").read_text().partition("static const struct row rows[] = {")[2].partition("};")[0]
    taken = set(re.findall(r'{"([a-z.]+)", ', table))
    assert taken == documented_types() == {frame["type"] for frame in client_frames()}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: str(e.get("type", "reply")))
def test_what_is_inside_has_the_schemas_of_rest(example: dict[str, Any]) -> None:
    inside = [(SCHEMAS[key], example[key]) for key in SCHEMAS if isinstance(example.get(key), dict)]
    inside += [(LISTS[key], one) for key in LISTS for one in example.get(key, [])]
    for name, value in inside:
        assert DOCUMENT.schema_errors(name, value) == []


@pytest.mark.parametrize("example", SERVER_EVENTS, ids=lambda e: str(e["type"]))
def test_an_event_belongs_to_one_stream(example: dict[str, Any]) -> None:
    """`me` never stands together with `rev`, but for the head that a removal was read at."""
    assert not {"me", "rev"} <= example.keys() or example["type"] == "conversation.removed"


def test_a_refusal_says_what_and_whether_to_try_again() -> None:
    refusals = [example["error"] for example in EXAMPLES if example.get("ok") is False]
    assert refusals
    for error in refusals:
        assert {"code", "detail", "retryable"} <= error.keys()
