"""Fixtures of the browser tests: Chromium, a stack of the test's own, and visitors of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from support.shared import MakeStack
from support.stack import Stack
from support.visitor import CHROMIUM, FLAGS, MakeVisitor, Visitor


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    return make_stack()


@pytest.fixture
def visitor(browser: Browser, stack: Stack) -> Iterator[MakeVisitor]:
    visitors: list[Visitor] = []

    def make() -> Visitor:
        visitors.append(Visitor(browser.new_context(), stack))
        return visitors[-1]

    yield make
    for one in visitors:
        one.context.close()
