"""Somebody in front of the real page in Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, expect

from support.client import PASSWORD
from support.stack import Stack

CHROMIUM = os.environ.get("STONECHAT_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    # Also as root, in a container, and without a word to anybody outside.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

expect.set_options(timeout=15_000)


class Visitor:
    """Somebody in front of the page. What the browser complains about is kept."""

    def __init__(self, context: BrowserContext, stack: Stack) -> None:
        self.context, self.stack = context, stack
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.goto(stack.url)

    def at(self, hook: str) -> Locator:
        return self.page.get_by_test_id(hook)

    def fill_in(self, username: str, password: str) -> None:
        self.at("auth-username").fill(username)
        self.at("auth-password").fill(password)
        self.at("auth-submit").click()

    def to_sign_up(self) -> None:
        """The form toggles between the two; its button says which it is."""
        if not re.search("sign up|create|register", self.at("auth-submit").inner_text(), re.IGNORECASE):
            self.at("auth-switch").click()

    def to_log_in(self) -> None:
        if not re.search("log in|sign in", self.at("auth-submit").inner_text(), re.IGNORECASE):
            self.at("auth-switch").click()

    def sign_up(self, username: str) -> None:
        self.to_sign_up()
        self.fill_in(username, PASSWORD)
        expect(self.at("me-name")).to_contain_text(username)

    def open_with(self, username: str) -> None:
        """Finds a person and opens the conversation with them."""
        self.at("search-input").fill(username)
        self.at("search-result").filter(has_text=username).click()
        expect(self.at("composer-input")).to_be_visible()

    def write(self, text: str) -> None:
        self.at("composer-input").fill(text)
        self.at("composer-send").click()

    def bubble(self, text: str) -> Locator:
        return self.at("message").filter(has=self.page.get_by_text(text, exact=True))

    def entry(self, text: str) -> Locator:
        """A message with all that stands around it."""
        return self.at("entry").filter(has=self.page.get_by_text(text, exact=True))

    def act(self, text: str, action: str) -> None:
        """Presses one of the buttons of a message: react, reply, edit, delete."""
        self.entry(text).hover()
        self.entry(text).get_by_test_id(f"message-{action}").click()

    def reaction(self, text: str, emoji: str) -> Locator:
        return self.entry(text).locator(f'[data-testid="reaction"][data-emoji="{emoji}"]')

    def open_conversation(self, username: str) -> None:
        self.at("conversation-item").filter(has_text=username).click()
        expect(self.at("composer-input")).to_be_visible()


MakeVisitor = Callable[[], Visitor]
