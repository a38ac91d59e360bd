"""Hooks of the Schemathesis runs (test_schemathesis.py): the rules that api/openapi.yaml can only say in words, so that
a request that is called good is one; and a GET as HTTP clients send it.

Schemathesis loads this file by itself, in a process of its own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import schemathesis
from schemathesis.core import NOT_SET

ANCHORS = ("before_seq", "after_seq", "around_seq")
WITHOUT_BODY = ("GET", "HEAD", "TRACE", "CONNECT")


def has_float(value: Any) -> bool:
    """1.0 is an integer to JSON Schema; here an integer is written as one."""
    if isinstance(value, Mapping):
        return any(has_float(one) for one in value.values())
    return isinstance(value, float)


def as_id(value: Any) -> uuid.UUID | None:
    """A UUID however it is written."""
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return None


def names_two_messages(body: Any, headers: Mapping[str, str]) -> bool:
    """`id` and `Idempotency-Key` are two names for one thing."""
    key = headers.get("Idempotency-Key")
    chosen = body.get("id") if isinstance(body, Mapping) else None
    return bool(key) and chosen is not None and as_id(key) != as_id(chosen)


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Whether a request that the schemas call good is good by the words of the document too."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return True
    at_most_one = sum(name in (case.query or {}) for name in ANCHORS) <= 1
    return at_most_one and not has_float(case.body) and not names_two_messages(case.body, case.headers or {})


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A method without a body, tried at the path of one that has one, is sent without it (RFC 9110, 9.3.1)."""
    if case.method.upper() in WITHOUT_BODY:
        case.body = NOT_SET
