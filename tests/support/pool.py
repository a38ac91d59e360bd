"""HTTP for load: requests over kept connections to one host, at a tenth of what httpx costs, and no request sent twice.

A request whose connection ends without an answer fails with LostError: whether it was carried out is not known."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LostError(Exception):
    """No answer: it may have been done or not."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # by their names in lower case
    content: bytes

    def json(self) -> Json:
        body: Json = json.loads(self.content)
        return body


class Pool:
    """At most `size` connections; who finds none waits for one, within the time of the request."""

    def __init__(self, port: int, *, size: int = 64, timeout_s: float = 5.0) -> None:
        self.port, self.timeout_s = port, timeout_s
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(size)

    async def request(self, method: str, path: str, token: str = "", body: Json | None = None) -> Answer:
        try:
            return await asyncio.wait_for(self._request(method, path, token, body), self.timeout_s)
        except (TimeoutError, OSError, EOFError) as error:
            raise LostError(repr(error)) from None

    async def _request(self, method: str, path: str, token: str, body: Json | None) -> Answer:
        async with self._places:
            reader, writer = await self._connection()
            try:
                writer.write(self._text(method, path, token, body))
                answer = await self._answer(reader)
            except BaseException:
                writer.close()
                raise
            if answer.headers.get("connection") == "close":
                writer.close()
            else:
                self._idle.append((reader, writer))
            return answer

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)

    def _text(self, method: str, path: str, token: str, body: Json | None) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        content = b""
        if body is not None:
            content = json.dumps(body).encode()
            lines.append("Content-Type: application/json")
        if body is not None or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(content)}")
        return "\r\n".join([*lines, "", ""]).encode() + content

    @staticmethod
    async def _answer(reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            content = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                content += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        else:
            content = await reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, content)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
