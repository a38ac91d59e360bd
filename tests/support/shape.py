"""The shape of JSON: keys and types, to compare an example of a document with what the server really says."""

from __future__ import annotations

from typing import Any


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "list", dict: "object"}[type(value)]


def differences(example: Any, real: Any, at: str = "") -> list[str]:
    """Where the two differ in keys or types. Null stands for any type, and an empty list for any other: what can be
    null or in a list is for the schemas to say."""
    if example is None or real is None:
        return []
    if kind(example) != kind(real):
        return [f"{at or 'it'} is {kind(example)} in the example and {kind(real)} in truth"]
    if isinstance(example, list):
        return differences(example[0], real[0], f"{at}[]") if example and real else []
    if not isinstance(example, dict):
        return []
    found = [f"{at}.{key} is only in the example" for key in example.keys() - real.keys()]
    found += [f"{at}.{key} is not in the example" for key in real.keys() - example.keys()]
    for key in example.keys() & real.keys():
        found += differences(example[key], real[key], f"{at}.{key}")
    return found
