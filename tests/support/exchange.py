"""One HTTP exchange by its bytes, on a connection of its own: for requests that no client library sends."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass, field

import httpx

from support.recorder import RECORDER


@dataclass
class Request:
    """A request line, headers as given (in order, also twice) and a body."""

    method: str = "GET"
    path: str = "/"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def encode(self) -> bytes:
        headers = [("Host", "127.0.0.1"), *self.headers]
        if self.body:
            headers.append(("Content-Length", str(len(self.body))))
        head = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*head, "", ""]).encode() + self.body


def upgrade_headers(to: str = "websocket") -> list[tuple[str, str]]:
    """What a browser sends to open a socket of ours, or to become something else."""
    return [
        ("Connection", "Upgrade"),
        ("Upgrade", to),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "stonechat.v1"),
    ]


def exchange(port: int, request: Request | bytes) -> httpx.Response | None:
    """The first answer, or None when the server ends the connection without one."""
    method = request.method if isinstance(request, Request) else request.split(b" ")[0].decode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=15) as wire:
        try:
            wire.sendall(request.encode() if isinstance(request, Request) else request)
            answer = http.client.HTTPResponse(wire, method=method)
            answer.begin()
            response = httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())
        except (ConnectionError, http.client.BadStatusLine):
            return None
    if isinstance(request, Request) and request.method.isalpha():
        url, body = f"http://127.0.0.1:{port}{request.path}", request.body or None
        response.request = httpx.Request(request.method, url, headers=request.headers, content=body)
        RECORDER.on_any_response(response)
    return response
