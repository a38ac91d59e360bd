"""A page of another origin in Chromium: what public.origins lets it do with the API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from support.client import PASSWORD, new_name
from support.shared import MakeStack

REFUSED = "TypeError: Failed to fetch"

# Signs up, asks who it is, and makes a mistake whose explanation it reads.
CLIENT = """async ([url, account, credentials]) => {
    const options = {method: "POST", headers: {"Content-Type": "application/json"}, body: account, credentials};
    try {
        const made = await fetch(`${url}/api/v1/auth/signup`, options);
        const {access_token: token} = await made.json();
        const me = await fetch(`${url}/api/v1/users/me`, {headers: {Authorization: `Bearer ${token}`}});
        const wrong = await fetch(`${url}/api/v1/auth/login`, {...options, body: "["});
        return [made.status, me.status, wrong.status, (await wrong.json()).code, wrong.headers.has("x-request-id")];
    } catch (error) {
        return String(error);
    }
}"""


class Page(BaseHTTPRequestHandler):
    """An empty page without any policy."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>client</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def client_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("listed", "credentials", "said"),
    [
        (True, "omit", [201, 200, 400, "invalid_json", True]),
        (True, "include", REFUSED),
        (False, "omit", REFUSED),
    ],
)
def test_a_page_of_another_origin(
    browser: Browser, make_stack: MakeStack, client_url: str, listed: bool, credentials: str, said: object
) -> None:
    """With its token when it is listed; never with cookies."""
    stack = make_stack({"public.origins": client_url if listed else "https://client.example"})
    page = browser.new_page()
    page.goto(client_url)
    account = json.dumps({"username": new_name(), "password": PASSWORD})
    assert page.evaluate(CLIENT, [stack.url, account, credentials]) == said
    page.close()
