"""/docs in Chromium: the operations are there, one can be tried out, and the policy of the page lets it work."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from support.client import PASSWORD, new_name
from support.stack import Stack


def test_an_operation_is_tried_out(browser: Browser, stack: Stack) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(stack.url + "/docs")
    expect(page.get_by_role("heading", name="Stonechat")).to_be_visible()

    operation = page.locator("#operations-accounts-sign_up")
    operation.get_by_role("button").first.click()
    expect(operation.get_by_text("Make an account and log in")).to_be_visible()
    operation.locator("textarea").fill(f'{{"username": "{new_name()}", "password": "{PASSWORD}"}}')
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("201")
    expect(operation.locator(".live-responses-table")).to_contain_text("access_token")

    icons = operation.locator("svg, select").first
    expect(icons).to_be_visible()
    assert complaints == []
    assert all(url.startswith((stack.url + "/", "data:", "blob:")) for url in asked), "nobody else is asked"
    page.close()
