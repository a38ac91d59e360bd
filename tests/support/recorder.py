"""Holds every exchange of the tests against api/openapi.yaml while it happens.

Every exchange of httpx and of support.exchange with the API of a stack is looked at; what breaks the document is kept
until the test that caused it ends and fails (tests/conftest.py). Which (operation, status) pairs were reached is kept
too."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import httpx

from support.openapi import Document, load
from support.secrets import SECRETS


def decoded_path(url: httpx.URL) -> str:
    """The path as a server takes it apart: a slash that was encoded stays in its segment."""
    segments = url.raw_path.decode().partition("?")[0].split("/")
    return "/".join(unquote(segment).replace("/", "%2F") for segment in segments)


class Recorder:
    def __init__(self) -> None:
        self.violations: list[str] = []
        self.reached: set[tuple[str, str]] = set()
        self._document: Document | None = None

    @property
    def document(self) -> Document:
        if self._document is None:
            self._document = load()
        return self._document

    def on_response(self, response: httpx.Response) -> None:
        response.read()
        request = response.request
        if hasattr(request, "_content"):  # not of one that was streamed
            SECRETS.saw(request.content)
        SECRETS.saw(response.content)
        if request.method == "HEAD" or (request.method == "OPTIONS" and response.status_code < 500):
            return  # what is said of a path, not of an operation
        operation = self.document.find(request.method, decoded_path(request.url))
        name = f"{request.method} {request.url.path} → {response.status_code}"
        if operation is None:
            # A path or method that is nobody's: the answer must still be a problem document.
            self._violation(name, self.document.problem_errors(response))
            return
        self.reached.add((operation.id, str(response.status_code)))
        self._violation(name, operation.response_errors(response))
        if response.is_success:
            self._violation(name, operation.request_errors(request))

    def on_any_response(self, response: httpx.Response) -> None:
        """An answer of whoever: that of a stack to a request for the API is recorded."""
        path = response.request.url.path
        if response.headers.get("Server") == "stonechat" and path.startswith(("/api/", "/healthz", "/readyz")):
            self.on_response(response)

    def watch_httpx(self) -> None:
        """Records what tests ask for without a client of ours, too."""
        send = httpx.Client.send

        def send_and_record(client: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
            response = send(client, request, **more)
            if not more.get("stream"):
                self.on_any_response(response)
            return response

        httpx.Client.send = send_and_record  # type: ignore[method-assign]

    def check_schema(self, name: str, value: Any) -> None:
        """A JSON value that came another way (a WebSocket) and has this schema."""
        self._violation(
            f"{name} {json.dumps(value, ensure_ascii=False)[:300]}", self.document.schema_errors(name, value)
        )

    def _violation(self, name: str, errors: list[str]) -> None:
        self.violations += [f"{name}: {error}" for error in errors]

    def take(self) -> list[str]:
        """The violations since the last call."""
        taken, self.violations = self.violations, []
        return taken


RECORDER = Recorder()
