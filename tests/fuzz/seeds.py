#!/usr/bin/env python3
"""Writes what the fuzzers begin with: `seeds.py FOLDER` makes FOLDER/<fuzzer>/ with one input a file, and
FOLDER/words.dict, the words that the fuzzers put in.

All of it comes from the examples in api/openapi.yaml and push/PROTOCOL.md and from conf/stonechat.conf, so that a new
operation, frame or setting is there as soon as it is documented. Ids and tokens of the examples become the two-letter
names that place.h explains."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from gen_routes import Route, routes  # noqa: E402
from support.protocol import examples, is_from_client  # noqa: E402

Json = dict[str, Any]

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
# Key, parameter or header → what it may hold.
NAMES = {
    "user_id": "$b",
    "recipient_id": "$b",
    "conversation_id": "$c",
    "message_id": "$m",
    "reply_to_id": "$m",
    "session_id": "$s",
    "token": "$t",
    "refresh_token": "$r",
    "epoch": "$k",
    "Idempotency-Key": "0190a5e2-0000-7000-8000-00000000000d",
}
# What a browser asks before a page of another site may send something.
PREFLIGHT = (":OPTIONS", "Origin: https://chat.example", "Access-Control-Request-Method: POST")
# What stands in place of an example's value, one after the other.
OTHER_VALUES = (
    None,
    True,
    -1,
    0,
    2**53 - 1,
    2**53,
    1.5,
    [],
    {},
    "",
    " ",
    "a\tb\nc",
    "a\0b",
    "\u202e\u200d",
    "👍🏽",
    "é" * 4001,
)
# Separates the requests of one input (fuzz_rest.c).
NEXT = b"\xff"
HS256 = '{"alg":"HS256","typ":"JWT"}'
ID = "0190a5e2-0000-7000-8000-00000000000a"


def named(value: Any, key: str = "") -> Any:
    """The example with names in place of ids and tokens."""
    if isinstance(value, dict):
        return {("$c" if UUID.match(k) else k): named(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [named(v, key) for v in value]
    return NAMES.get(key, value) if isinstance(value, str) else value


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def variants(example: Json) -> Iterator[Json]:
    """The example with each key left out or holding something else, and with one more key."""
    for key in example:
        yield {k: v for k, v in example.items() if k != key}
        yield from (example | {key: value} for value in OTHER_VALUES)
    yield example | {"more": 1}


class Operation:
    """What the document shows of one row of the route table; `index` counts them."""

    def __init__(self, spec: Json, index: int, route: Route) -> None:
        self.index = index
        self.route = route
        self.id = route.id
        item = next(item for item in spec["paths"].values() if route.operation in item.values())
        listed = item.get("parameters", []) + route.operation.get("parameters", [])
        self.parameters = [self._follow(spec, parameter) for parameter in listed]

    def _follow(self, spec: Json, node: Json) -> Json:
        while "$ref" in node:
            found: Any = spec
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node

    def _values(self, where: str) -> list[tuple[str, str]]:
        """Parameters of one kind, with the name or the example that they may hold."""
        found = [(p["name"], p.get("example", p.get("schema", {}).get("default"))) for p in self.parameters
                 if p["in"] == where]  # fmt: skip
        return [(name, str(NAMES.get(name, 1 if example is None else example))) for name, example in found]

    def example(self) -> Json | None:
        """Of the body."""
        content = self.route.operation.get("requestBody", {}).get("content", {})
        return next((named(media["example"]) for media in content.values() if "example" in media), None)

    def query(self, only: str | None = None) -> str:
        return urlencode([(n, v) for n, v in self._values("query") if only in (None, n)], safe="$")

    def queries(self) -> list[str]:
        """Without parameters, with each alone, with all."""
        return ["", *(self.query(name) for name, _ in self._values("query")), self.query()]

    def request(
        self, caller: str = "0", headers: bool = False, more: tuple[str, ...] = (), body: Json | None = None
    ) -> bytes:
        required = {p["name"] for p in self.parameters if p["in"] == "query" and p.get("required")}
        query = "&".join(self.query(name) for name in sorted(required))
        path = "/".join(quote(value, safe="$") for _, value in self._values("path"))
        lines = [f"{path}?{query}" if query else path]
        lines += [f"{name}: {value}" for name, value in self._values("header") if headers]
        lines += more
        head = bytes([self.index]) + caller.encode()
        body = self.example() if body is None else body
        return head + "\n".join([*lines, "", ""]).encode() + (b"" if body is None else compact(body))


def operations() -> list[Operation]:
    spec = yaml.safe_load((ROOT / "api/openapi.yaml").read_text())
    return [Operation(spec, index, route) for index, route in enumerate(routes(spec))]


def rest() -> Iterator[bytes]:
    """Each operation by everybody, with its headers, and after another that may change what it finds."""
    served = [operation for operation in operations() if operation.route.rate != "none"]
    writing = [operation for operation in served if operation.route.rate == "write"]
    for operation in served:
        yield from (operation.request(caller) for caller in "0123")
        yield operation.request(headers=True)
        yield operation.request(more=PREFLIGHT)
        yield operation.request() + NEXT + operation.request()
        if example := operation.example():
            yield from (operation.request(body=body) for body in variants(example))
            yield operation.request(body=example | {"username": "somebody.else"})
    for first in writing:
        yield NEXT.join(operation.request() for operation in [first, *writing][:8])


def query() -> Iterator[bytes]:
    reading = [operation for operation in operations() if operation.route.query]
    for index, operation in enumerate(reading):
        yield from (bytes([index]) + text.encode() for text in operation.queries())
    # Cursors as the lists make them: kind, number, text.
    for index, cursor in enumerate(["dXNlcnMgMCBib2I", "Y29udmVyc2F0aW9ucyAxNzcwMDAwMDAwMDAwIGE", "c3luYyAxIDEgYQ"]):
        yield bytes([index]) + f"cursor={cursor}&limit=1".encode()


def frames() -> Iterator[bytes]:
    shown = [named(example) for example in examples() if is_from_client(example)]
    client = [compact(example) for example in shown]
    auth = next(frame for frame in client if b'"type":"auth"' in frame)
    for frame in client:
        yield b"L" + frame
        yield b"L<\n" + frame + b"\n" + frame + b"\n>\n" + frame
        yield b"-" + frame
    for example in shown:
        way = b"-" if example["type"] == "auth" else b"L"
        yield from (way + compact(variant) for variant in variants(example))
    yield b"-" + auth + b"\n" + b"\n".join(client)
    yield b"L" + b"\n.\n".join(client)


def tokens() -> Iterator[bytes]:
    claims = {"iss": "stonechat", "aud": "stonechat", "sub": ID, "sid": ID, "iat": 1770000000, "exp": 1770000600}
    shown = re.findall(r"\beyJ[\w.-]+", (ROOT / "api/openapi.yaml").read_text())
    refresh = re.findall(r"refresh_token: ([\w.-]{40,})", (ROOT / "api/openapi.yaml").read_text())
    for way in "STU":
        yield way.encode() + HS256.encode() + b"\n" + compact(claims)
        for algorithm in ("HS512", "none"):
            yield way.encode() + HS256.replace("HS256", algorithm).encode() + b"\n" + compact(claims)
    for variant in variants(claims):
        yield b"S" + HS256.encode() + b"\n" + compact(variant)
    yield from (b"R" + token.encode() for token in set(shown))
    for token in set(refresh):
        yield b"F" + token.encode()
        yield b"C" + f"theme=dark; stonechat_refresh_8080={token}; x=y".encode()


def records() -> Iterator[bytes]:
    """Each event of the contract as the bus carries it (shared/model/event.h)."""
    for event in (example for example in examples() if "type" in example and "reply_to" not in example):
        room, person = event.get("conversation_id"), "me" in event
        if is_from_client(event) or not (room or person):
            continue
        about = f"{room if person and room else '-'} {1 if person and room else 0}"
        passes = not person and "rev" not in event
        subject = event.get("user_id", "-") if passes else event.get("session_id", "-")
        header = f"e1 {event.get('rev', event.get('me', 0))} {event['type']} {subject} {about}"
        yield f"{'u' if person else 'c'}:{ID if person else room}\n{header}\n".encode() + compact(event)


def settings() -> list[tuple[str, str]]:
    lines = (ROOT / "conf/stonechat.conf").read_text().splitlines()
    return re.findall(r"^#([a-z_.]+) = ?(.*)$", "\n".join(lines), re.MULTILINE)


def config() -> Iterator[bytes]:
    found = settings()
    yield "\n".join(f"{name} = {value}" for name, value in found).encode()
    for name, value in found:
        variable = "STONECHAT_" + name.upper().replace(".", "_")
        yield f"# one\n{name} = {value} # why\n{variable}={value}\n--{name}={value}\n--help".encode()
    yield b"public.origins = https://a.example, http://b.example:81"


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)
    elif isinstance(value, str) and len(value) <= 32:
        yield value


def words() -> set[str]:
    shown = [named(example) for example in examples() if is_from_client(example)]
    found = {word for example in shown for word in keys_of(example)}
    for operation in operations():
        found |= set(keys_of(operation.example() or {}))
        found |= {parameter["name"] for parameter in operation.parameters}
    found |= {name for name, _ in settings()}
    found |= {"$a", "$b", "$e", "$c", "$m", "$n", "$s", "$t", "$u", "$r", "$k", "HS256", "HS512", "none", "alg", "typ"}
    found |= {
        "true",
        "false",
        "null",
        "9007199254740991",
        "-1",
        "cookie",
        "Origin",
        "Host",
        "Cookie",
        "Content-Type",
        "OPTIONS",
    }
    return {word for word in found if word}


def dictionary() -> str:
    """In libFuzzer's form: one quoted word a line, other bytes than ASCII escaped."""
    escaped = ("".join(chr(b) if 32 < b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word.encode())
               for word in sorted(words()))  # fmt: skip
    return "".join(f'"{word}"\n' for word in escaped)


SEEDS = {
    "fuzz_rest": rest,
    "fuzz_query": query,
    "fuzz_frames": frames,
    "fuzz_tokens": tokens,
    "fuzz_records": records,
    "fuzz_config": config,
}


def write(folder: Path) -> None:
    for name, make in SEEDS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(make()):
            (folder / name / f"{number:04}").write_bytes(seed)
    (folder / "words.dict").write_text(dictionary())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
