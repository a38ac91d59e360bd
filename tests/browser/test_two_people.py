"""Two people with the real page in Chromium: sign up, find each other, talk, scroll back, reload, log out."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from support.client import PASSWORD, Person, new_name
from support.shared import MakeStack
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor


def test_two_people_talk(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob = visitor(), visitor()
    ann_name, bob_name = new_name("ann"), new_name("bob")
    ann.sign_up(ann_name)
    bob.sign_up(bob_name)

    ann.open_with(bob_name)
    ann.write("hello bob")
    expect(ann.bubble("hello bob")).to_have_attribute("data-state", "sent")
    expect(ann.bubble("hello bob")).to_have_attribute("data-seq", "1")

    # It arrives without a reload, in a conversation that did not exist before.
    bob.at("conversation-item").filter(has_text=ann_name).click()
    expect(bob.bubble("hello bob")).to_be_visible()
    bob.at("composer-input").fill("hello ann")
    bob.at("composer-input").press("Enter")
    expect(ann.bubble("hello ann")).to_be_visible()
    expect(bob.bubble("hello ann")).to_have_attribute("data-seq", "2")

    # Text is text.
    evil = "<img src=x onerror=alert(1)><b>bold</b> &amp; <script>alert(2)</script>"
    ann.write(evil)
    expect(bob.bubble(evil)).to_be_visible()
    expect(bob.at("message").locator("img, b, script")).to_have_count(0)

    # Each is shown once, also to its sender.
    for one in (ann, bob):
        expect(one.at("message")).to_have_count(3)

    # A reload stays logged in and shows the same.
    bob.page.reload()
    expect(bob.at("me-name")).to_contain_text(bob_name)
    bob.at("conversation-item").filter(has_text=ann_name).click()
    expect(bob.at("message")).to_have_count(3)
    ann.write("after the reload")
    expect(bob.bubble("after the reload")).to_be_visible()

    # Logged out is out, also after a reload, and also when the page tries the cookie it had.
    ann.at("log-out").click()
    expect(ann.at("auth-username")).to_be_visible()
    ann.page.evaluate("localStorage.setItem('stonechat.session', '1')")
    with ann.page.expect_response("**/auth/refresh") as refused:
        ann.page.reload()
    assert refused.value.status == 401
    expect(ann.at("auth-username")).to_be_visible()
    ann.to_log_in()
    ann.fill_in(ann_name, PASSWORD)
    expect(ann.at("me-name")).to_contain_text(ann_name)
    ann.at("conversation-item").filter(has_text=bob_name).click()
    expect(ann.at("message")).to_have_count(4)

    for one in (ann, bob):
        unexpected = [line for line in one.complaints if "401" not in line]
        assert unexpected == [], "a 401 is how a page learns that nobody is logged in"


def test_what_is_wrong_is_said(stack: Stack, visitor: MakeVisitor) -> None:
    ann = visitor()
    name = new_name("ann")
    ann.to_log_in()
    ann.fill_in(name, PASSWORD)
    expect(ann.at("auth-error")).to_be_visible()
    expect(ann.at("auth-error")).not_to_be_empty()
    ann.to_sign_up()
    ann.fill_in(name, "short")
    expect(ann.at("auth-error")).to_be_visible()
    ann.fill_in(name, PASSWORD)
    expect(ann.at("me-name")).to_contain_text(name)


def test_scrolling_back(stack: Stack, visitor: MakeVisitor) -> None:
    """Older pages come as they are needed, until the beginning."""
    ann = visitor()
    name = new_name("ann")
    ann.sign_up(name)
    bob = Person.new(stack, "bob")
    ann_id = next(user["id"] for user in bob.get("/users", query=name).json()["items"])
    for n in range(1, 181):
        assert bob.send_direct(ann_id, f"message {n}").status_code == 201
    ann.page.reload()
    ann.at("conversation-item").filter(has_text=bob.username).click()
    expect(ann.bubble("message 180")).to_be_visible()
    expect(ann.bubble("message 1")).to_have_count(0)
    beginning = ann.bubble("message 1")
    for _ in range(60):
        if beginning.count():
            break
        first = ann.at("message").first.get_attribute("data-seq")
        ann.at("message-list").hover()
        ann.page.mouse.wheel(0, -20_000)
        expect(ann.at("message").first).not_to_have_attribute("data-seq", str(first))
    expect(beginning).to_have_count(1)
    seqs = [int(str(m.get_attribute("data-seq"))) for m in ann.at("message").all()]
    assert seqs == sorted(set(seqs)), "in order, each once"


def test_the_connection_comes_back(stack: Stack, visitor: MakeVisitor) -> None:
    """push is killed: the page says so, sends by REST, and afterwards shows what was said meanwhile and hears again."""
    ann = visitor()
    name = new_name("ann")
    ann.sign_up(name)
    bob = Person.new(stack, "bob")
    ann_id = next(user["id"] for user in bob.get("/users", query=name).json()["items"])
    room = bob.send_direct(ann_id, "before").json()["conversation_id"]
    ann.at("conversation-item").filter(has_text=bob.username).click()
    expect(ann.bubble("before")).to_be_visible()
    stack.push.kill()
    expect(ann.at("connection-banner")).to_be_visible()
    assert bob.send(room, "meanwhile").status_code == 201
    ann.write("from the dark")
    expect(ann.bubble("from the dark")).to_have_attribute("data-state", "sent")
    stack.restart("push")
    expect(ann.bubble("meanwhile")).to_be_visible(timeout=40_000)
    expect(ann.at("connection-banner")).to_have_attribute("data-state", "online", timeout=40_000)
    assert bob.send(room, "and on").status_code == 201
    expect(ann.bubble("and on")).to_be_visible()
    contents = [m["content"] for m in bob.history(room)]
    assert sorted(contents) == ["and on", "before", "from the dark", "meanwhile"]


def test_too_many_pages(browser: Browser, make_stack: MakeStack) -> None:
    """The page over the limit says so, renews no token and waits for its person, who may try again."""
    stack = make_stack({"limits.sockets_per_user": "1"})
    context = browser.new_context()
    first = Visitor(context, stack)
    name = new_name("ann")
    first.sign_up(name)
    expect(first.at("connection-banner")).to_have_attribute("data-state", "online")
    second = Visitor(context, stack)
    expect(second.at("connection-banner")).to_have_attribute("data-state", "stopped")
    expect(second.at("connection-banner")).to_contain_text("too many places")

    renewals: list[str] = []
    second.page.on("request", lambda request: renewals.append(request.url) if "/auth/refresh" in request.url else None)
    again = second.at("connection-banner").get_by_role("button")
    with second.page.expect_websocket() as attempt:
        again.click()
    if not attempt.value.is_closed():
        attempt.value.wait_for_event("close")
    expect(second.at("connection-banner")).to_have_attribute("data-state", "stopped")

    first.page.close()
    expect(second.at("connection-banner")).to_have_attribute("data-state", "stopped")
    for _ in range(100):  # the server has yet to see it go
        if second.at("connection-banner").get_attribute("data-state") == "online":
            break
        with second.page.expect_websocket():
            again.click()
        expect(second.at("connection-banner")).to_have_attribute("data-state", re.compile("online|stopped"))
    expect(second.at("connection-banner")).to_have_attribute("data-state", "online")
    assert renewals == []
    context.close()
