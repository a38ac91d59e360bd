"""Holds every exchange of the tests against api/openapi.yaml while it happens.

The clients report each request and response; what breaks the document is kept until the test that caused it ends and
fails (tests/conftest.py). Which (operation, status) pairs were reached is kept too."""

from __future__ import annotations

import json
from typing import Any

import httpx

from support.openapi import Document, load
from support.secrets import SECRETS


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
        """An httpx response hook."""
        response.read()
        request = response.request
        if hasattr(request, "_content"):  # not of one that was streamed
            SECRETS.saw(request.content)
        SECRETS.saw(response.content)
        if request.method in ("HEAD", "OPTIONS") and response.status_code < 500:
            return  # what is said of a path, not of an operation
        operation = self.document.find(request.method, request.url.path)
        name = f"{request.method} {request.url.path} → {response.status_code}"
        if operation is None:
            # A path or method that is nobody's: the answer must still be a problem document.
            self._violation(name, self.document.problem_errors(response))
            return
        self.reached.add((operation.id, str(response.status_code)))
        self._violation(name, operation.response_errors(response))
        if response.is_success:
            self._violation(name, operation.request_errors(request))

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
