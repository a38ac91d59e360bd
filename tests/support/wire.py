"""A WebSocket by its bytes: for what no client library sends."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

from support.client import Person
from support.stack import Stack

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FRAME_BYTES = 65536

Json = dict[str, Any]


class Wire:
    """A TCP connection to the push port, or another one."""

    def __init__(self, stack: Stack, receive_buffer: int = 0, *, port: int = 0) -> None:
        self.stack = stack
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port or stack.push_port))
        self.bytes = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # -- HTTP
    def request(self, method: str = "GET", path: str = "/ws", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.stack.push_port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def ask_upgrade(self, **changed: str) -> None:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec_WebSocket_Protocol": "stonechat.v1",
        }
        self.request(**headers | changed)

    def more(self) -> bool:
        """Reads what there is; False at the end."""
        try:
            got = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.bytes += got
        return bool(got)

    def answer(self) -> tuple[int, bytes]:
        """Status and body of one response; 0 when the server closes without one."""
        while b"\r\n\r\n" not in self.bytes:
            if not self.more():
                return 0, self.bytes
        head, _, self.bytes = self.bytes.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(self.bytes) < length:
            assert self.more()
        body, self.bytes = self.bytes[:length], self.bytes[length:]
        return int(head.split()[1]), body

    def closed(self) -> bool:
        while self.more():
            pass
        return True

    # -- WebSocket
    def upgrade(self, **changed: str) -> Wire:
        self.ask_upgrade(**changed)
        status, _ = self.answer()
        assert status == 101
        return self

    def send(self, data: bytes, opcode: int = TEXT, fin: bool = True) -> None:
        self.socket.sendall(frame(data, opcode, fin))

    def receive(self) -> tuple[int, bytes]:
        """One frame: opcode and payload."""
        while True:
            if len(self.bytes) >= 2:
                length, at = self.bytes[1] & 127, 2
                if length == 126 and len(self.bytes) >= 4:
                    length, at = struct.unpack("!H", self.bytes[2:4])[0], 4
                elif length == 127 and len(self.bytes) >= 10:
                    length, at = struct.unpack("!Q", self.bytes[2:10])[0], 10
                elif length >= 126:
                    length = 1 << 62
                if len(self.bytes) >= at + length:
                    opcode, payload = self.bytes[0] & 15, self.bytes[at : at + length]
                    self.bytes = self.bytes[at + length :]
                    return opcode, payload
            assert self.more(), "the server closed without a close frame"

    def receive_json(self) -> list[Json]:
        while True:
            opcode, payload = self.receive()
            if opcode == TEXT:
                return [json.loads(line) for line in payload.split(b"\n")]
            assert opcode == PING

    def close_code(self) -> int:
        """Of the close frame that comes, after any other frames."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

    def end(self) -> int:
        """The code of the close frame, or 0 when the server just closes or says none."""
        while True:
            try:
                opcode, payload = self.receive()
            except AssertionError:
                return 0
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0]) if len(payload) > 1 else 0

    def reply_among_pongs(self, number: int) -> Json:
        while True:
            opcode, payload = self.receive()
            if opcode == TEXT:
                for line in payload.split(b"\n"):
                    if json.loads(line).get("reply_to") == number:
                        found: Json = json.loads(line)
                        return found

    def reply(self, number: int) -> Json:
        while True:
            for found in self.receive_json():
                if found.get("reply_to") == number:
                    return found

    def authenticate(self, person: Person) -> Wire:
        self.send(json.dumps({"id": 1, "type": "auth", "token": person.token}).encode())
        assert self.reply(1)["type"] == "hello"
        return self

    def ping(self, number: int) -> Json:
        self.send(b'{"id":%d,"type":"ping"}' % number)
        return self.reply(number)


def frame(data: bytes, opcode: int = TEXT, fin: bool = True) -> bytes:
    return raw_frame((128 if fin else 0) | opcode, data)


def raw_frame(first: int, data: bytes, masked: bool = True) -> bytes:
    """A frame with this first byte: FIN (128), three reserved bits (64, 32, 16) and the opcode."""
    mask = os.urandom(4) if masked else b""
    length, bit = len(data), 128 if masked else 0
    if length < 126:
        size = bytes([bit | length])
    elif length < 65536:
        size = bytes([bit | 126]) + struct.pack("!H", length)
    else:
        size = bytes([bit | 127]) + struct.pack("!Q", length)
    payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)) if masked else data
    return bytes([first]) + size + mask + payload
