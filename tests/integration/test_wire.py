"""The push port by bytes that no client library sends: upgrades that are none, fragments, peers that don't read."""

from __future__ import annotations

import json
import re
import resource
import socket
import struct
import time
from pathlib import Path

import httpx
import pytest

from support.client import Person
from support.shared import MakeStack
from support.stack import Stack
from support.waiting import wait_until
from support.wire import CLOSE, CONTINUATION, FRAME_BYTES, PING, PONG, TEXT, Json, Wire, frame


# -- HTTP
def test_health_on_one_connection(stack: Stack) -> None:
    with Wire(stack) as wire:
        for path in ("/healthz", "/readyz", "/healthz"):
            wire.request(path=path)
            status, body = wire.answer()
            assert (status, json.loads(body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/ws", 426), ("GET", "/etc/passwd", 404), ("POST", "/healthz", 405)],
)
def test_everything_else_is_refused(stack: Stack, method: str, path: str, status: int) -> None:
    with Wire(stack) as wire:
        wire.request(method, path)
        assert wire.answer()[0] == status


@pytest.mark.parametrize("upgrade", ["foo", "h2c", "websocket2"])
@pytest.mark.parametrize("kept_alive", [False, True])
def test_upgrade_to_something_else(stack: Stack, upgrade: str, kept_alive: bool) -> None:
    with Wire(stack) as wire:
        if kept_alive:
            wire.request(path="/healthz")
            assert wire.answer()[0] == 200
        wire.ask_upgrade(Upgrade=upgrade, HTTP2_Settings="AAMAAABkAARAAAAAAAIAAAAA")
        assert wire.answer()[0] in (0, 403, 426)
        assert wire.closed()


def test_upgrade_after_a_request(stack: Stack, ann: Person) -> None:
    with Wire(stack) as wire:
        wire.request(path="/healthz")
        assert wire.answer()[0] == 200
        wire.upgrade().authenticate(ann)


def test_http2_with_prior_knowledge(stack: Stack) -> None:
    with Wire(stack) as wire:
        wire.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        assert wire.closed()
        assert not wire.bytes.startswith(b"\0\0"), "no settings frame of HTTP/2"


def test_headers_without_end(stack: Stack) -> None:
    with Wire(stack) as wire:
        wire.request(X="x" * 20000)
        assert wire.answer()[0] in (0, 400, 431)
        assert wire.closed()


@pytest.mark.parametrize(
    ("header", "value"), [("Origin", "http://" + "x" * 1000), ("Sec_WebSocket_Protocol", "x," * 500)]
)
def test_a_header_longer_than_any_rule(stack: Stack, header: str, value: str) -> None:
    with Wire(stack) as wire:
        wire.ask_upgrade(**{header: value})
        assert wire.answer()[0] in (400, 403)
        assert wire.closed()


def test_compression_is_not_accepted(stack: Stack) -> None:
    with Wire(stack) as wire:
        wire.ask_upgrade(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
        while b"\r\n\r\n" not in wire.bytes:
            assert wire.more()
        assert b"101" in wire.bytes
        assert b"extensions" not in wire.bytes.lower()


# -- frames
def test_frames_sent_ahead_wait_for_hello(stack: Stack, ann: Person) -> None:
    """All in one segment: what follows auth is read after hello, in order, and nothing is lost."""
    with Wire(stack).upgrade() as wire:
        auth = json.dumps({"id": 1, "type": "auth", "token": ann.token}).encode()
        wire.socket.sendall(frame(auth) + b"".join(frame(b'{"id":%d,"type":"ping"}' % n) for n in range(2, 202)))
        got: list[Json] = []
        while len(got) < 201:
            got += wire.receive_json()
        assert [one["reply_to"] for one in got] == list(range(1, 202))
        assert got[0]["type"] == "hello"


def test_a_frame_in_fragments(stack: Stack, ann: Person) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        text = b'{"id":7,"type":"ping"}'
        wire.send(text[:5], fin=False)
        wire.send(b"in between", PING)
        for byte in text[5:-1]:
            wire.send(bytes([byte]), CONTINUATION, fin=False)
        wire.send(text[-1:], CONTINUATION)
        got = dict(wire.receive() for _ in range(2))
        assert got[PONG] == b"in between"
        assert json.loads(got[TEXT])["type"] == "pong"


def test_a_character_across_fragments(stack: Stack, ann: Person) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        text = '{"id":"ü","type":"ping"}'.encode()
        cut = text.index(b"\xc3") + 1
        wire.send(text[:cut], fin=False)
        wire.send(text[cut:], CONTINUATION)
        assert wire.receive_json()[0]["reply_to"] == "ü"


@pytest.mark.parametrize("fragmented", [False, True])
def test_a_frame_of_the_largest_size(stack: Stack, ann: Person, fragmented: bool) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        text = b'{"id":8,"type":"ping"}'.ljust(FRAME_BYTES)
        if fragmented:
            wire.send(text[:30000], fin=False)
            wire.send(text[30000:], CONTINUATION)
        else:
            wire.send(text)
        assert wire.reply(8)["ok"] is True
        assert wire.ping(9)["ok"] is True


@pytest.mark.parametrize("fragmented", [False, True])
def test_one_byte_more(stack: Stack, ann: Person, fragmented: bool) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        text = b'{"id":8,"type":"ping"}'.ljust(FRAME_BYTES + 1)
        if fragmented:
            wire.send(text[:30000], fin=False)
            wire.send(text[30000:], CONTINUATION)
        else:
            wire.send(text)
        assert wire.close_code() == 4413


def test_a_frame_that_only_says_it_is_too_big(stack: Stack, ann: Person) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.socket.sendall(b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0{")
        assert wire.close_code() == 4413


def test_empty_fragments_without_end(stack: Stack, ann: Person) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.send(b"", fin=False)
        wire.socket.sendall(frame(b"", CONTINUATION, fin=False) * 3000)
        assert wire.close_code() == 4413


def test_broken_utf8(stack: Stack, ann: Person) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.send(b'{"id":1,"type":"\xff"}')
        assert wire.close_code() == 1007


def test_a_peer_that_vanishes_in_the_middle(stack: Stack, ann: Person) -> None:
    for cut in (1, 3, 7, 20):
        with Wire(stack).upgrade().authenticate(ann) as wire:
            wire.socket.sendall(frame(b'{"id":8,"type":"ping"}')[:cut])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with Wire(stack).upgrade().authenticate(ann) as wire:
        assert wire.ping(2)["ok"] is True


def test_the_peer_closes(stack: Stack, ann: Person) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.send(struct.pack("!H", 1000) + b"bye", CLOSE)
        assert wire.close_code() == 1000
        assert wire.closed()


def test_a_peer_that_ignores_the_close_is_dropped(stack: Stack) -> None:
    with Wire(stack).upgrade() as wire:
        began = time.monotonic()
        wire.send(b"no json")
        assert wire.close_code() == 4400
        assert wire.closed()
        assert time.monotonic() - began < 9


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1])
def test_the_largest_ids_of_a_frame(stack: Stack, ann: Person, number: int) -> None:
    with Wire(stack).upgrade().authenticate(ann) as wire:
        assert wire.ping(number)["reply_to"] == number


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63 - 1, -(2**63)])
def test_an_id_beyond_what_every_client_can_count(stack: Stack, ann: Person, number: int) -> None:
    """It would come back as another one to a client whose numbers are doubles."""
    with Wire(stack).upgrade().authenticate(ann) as wire:
        wire.send(b'{"id":%d,"type":"ping"}' % number)
        refused = wire.receive_json()[0]
        assert (refused["reply_to"], refused["ok"], refused["error"]["code"]) == (None, False, "bad_request")
        assert "2^53" in refused["error"]["detail"]
        assert wire.ping(9)["ok"] is True


# -- slow readers
def frames_received(stack: Stack) -> int:
    text = httpx.get(f"http://127.0.0.1:{stack.port + 11}/metrics").text
    return int(float(re.findall(r"^stonechat_frames_received_total (\S+)", text, re.MULTILINE)[0]))


def test_replies_nobody_reads_stop_the_reading(make_stack: MakeStack) -> None:
    """A client that sends and doesn't read is not read any more; nothing is lost once it reads."""
    ann = Person.new(make_stack())
    total = 20000
    with Wire(ann.stack, receive_buffer=4096).upgrade().authenticate(ann) as wire:
        for n in range(total):
            wire.socket.sendall(frame(b'{"id":%d,"type":"ping"}' % n))
        seen = [0, -1]

        def rests() -> bool:
            seen.append(frames_received(ann.stack))
            return seen[-1] == seen[-2] > 1

        wait_until(rests, "the server reads no more")
        assert seen[-1] < total / 4
        got: list[Json] = []
        while len(got) < total:
            got += wire.receive_json()
        assert [one["reply_to"] for one in got] == list(range(total))
        assert wire.ping(total)["ok"] is True


def test_a_slow_reader_gets_a_gap_marker(make_stack: MakeStack) -> None:
    """More than a lane holds: the stream collapses into a marker that tells the newest revision."""
    stack = make_stack()
    ann, bob = Person.new(stack), Person.new(stack)
    room = ann.conversation_with(bob)
    with Wire(stack, receive_buffer=4096).upgrade().authenticate(bob) as slow, ann.connect() as fast:
        numbers = [fast.ask("message.send", conversation_id=room, content="x" * 4000) for _ in range(300)]
        last = fast.reply(numbers[-1])["message"]
        fast.created(last["id"])
        seen = 0
        got: list[Json] = []
        while seen < last["rev"]:
            got = slow.receive_json()
            for one in got:
                if one["type"] == "message.created":
                    assert one["rev"] == seen + 1 or seen == 0, "dense until the marker"
                    seen = one["rev"]
                elif one["type"] == "gap":
                    assert one["conversation_id"] == room
                    seen = one["last_rev"]
        assert got[-1]["type"] == "gap"
        assert got[-1]["last_rev"] == last["rev"]
        assert slow.ping(99)["ok"] is True


def test_a_close_while_bytes_wait_still_tells_its_code(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann, bob = Person.new(stack), Person.new(stack)
    room = ann.conversation_with(bob)
    with Wire(stack, receive_buffer=4096).upgrade().authenticate(bob) as slow:
        with ann.connect() as fast:
            numbers = [fast.ask("message.send", conversation_id=room, content="x" * 4000) for _ in range(60)]
            fast.reply(numbers[-1])
        bob.log_out()
        assert slow.close_code() == 4403


# -- accepting
def test_many_at_once_and_gone_at_once(stack: Stack, ann: Person) -> None:
    wires = [Wire(stack) for _ in range(300)]
    for wire in wires:
        wire.ask_upgrade()
    for wire in wires:
        assert wire.answer()[0] == 101
    for wire in wires:
        wire.socket.close()
    with Wire(stack).upgrade().authenticate(ann) as wire:
        assert wire.ping(2)["ok"] is True


def test_out_of_descriptors(make_stack: MakeStack) -> None:
    """It neither spins nor stays deaf: those that wait get in when a place is free."""
    stack = make_stack()
    ann = Person.new(stack)
    pid = stack.push.child.pid if stack.push.child else 0
    open_now = len(list(Path(f"/proc/{pid}/fd").iterdir()))

    def used_ticks() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 10, open_now + 10))
    wires = [Wire(stack) for _ in range(20)]
    for wire in wires:
        wire.ask_upgrade()
    assert wires[0].answer()[0] == 101
    wait_until(lambda: "accept_failed" in stack.push.tail(), "the descriptors are used up")
    used = used_ticks()
    wires[19].socket.settimeout(1)
    with pytest.raises(TimeoutError):
        wires[19].socket.recv(1, socket.MSG_PEEK)  # there is no place for it yet
    assert used_ticks() - used < 30, "it spins"
    wires[19].socket.settimeout(10)
    for wire in wires[:15]:
        wire.socket.close()
    assert wires[19].answer()[0] == 101
    wires[19].authenticate(ann)
    for wire in wires:
        wire.socket.close()
