"""What passes between two people: who is there, typing, and how far each message has come."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from support.client import new_name
from support.shared import MakeStack
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor


def receipt(one: Visitor, text: str, state: str) -> None:
    expect(one.entry(text).get_by_test_id("receipt")).to_have_attribute("data-receipt", state)


def test_receipts(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob = visitor(), visitor()
    ann_name, bob_name = new_name("ann"), new_name("bob")
    ann.sign_up(ann_name)
    bob.sign_up(bob_name)
    bob.page.goto("about:blank")
    ann.open_with(bob_name)
    ann.write("are you there?")
    receipt(ann, "are you there?", "sent")
    # It comes to a device of Bob's, who looks at something else; then he reads it.
    bob.page.goto(stack.url)
    receipt(ann, "are you there?", "delivered")
    bob.open_conversation(ann_name)
    receipt(ann, "are you there?", "read")
    ann.act("are you there?", "readers")
    expect(ann.at("readers-count")).to_have_text("1 person has read it.")
    expect(ann.at("reader")).to_contain_text(bob_name)
    ann.page.keyboard.press("Escape")
    # Whoever opens the conversation later knows it too.
    ann.page.reload()
    receipt(ann, "are you there?", "read")
    # Nobody needs ticks below what others say.
    bob.write("yes")
    expect(ann.bubble("yes")).to_be_visible()
    expect(ann.entry("yes").get_by_test_id("receipt")).to_have_count(0)


def test_typing(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob = visitor(), visitor()
    ann_name, bob_name = new_name("ann"), new_name("bob")
    ann.sign_up(ann_name)
    bob.sign_up(bob_name)
    ann.open_with(bob_name)
    ann.write("hello")
    bob.open_conversation(ann_name)
    expect(bob.bubble("hello")).to_be_visible()
    bob.at("composer-input").press_sequentially("he")
    expect(ann.at("typing")).to_have_text("typing…")
    expect(bob.at("typing")).to_be_hidden()
    # What was typed has come: nobody types any more.
    bob.at("composer-input").press("Enter")
    expect(ann.bubble("he")).to_be_visible()
    expect(ann.at("typing")).to_be_hidden()
    # The list says it too, and it is forgotten when nothing follows.
    ann.at("conversation-item").first.press("Escape")
    bob.at("composer-input").press_sequentially("on second thoughts")
    row = ann.at("conversation-item").filter(has_text=bob_name)
    expect(row).to_contain_text("typing…")
    expect(row).not_to_contain_text("typing…")


def test_presence(make_stack: MakeStack, browser: Browser) -> None:
    """A dot for who is there; the head says since when somebody is not. Without Redis nobody is offline."""
    stack = make_stack({"presence.grace_ms": "300"})
    ann, bob = (Visitor(browser.new_context(), stack) for _ in range(2))
    ann_name, bob_name = new_name("ann"), new_name("bob")
    ann.sign_up(ann_name)
    bob.sign_up(bob_name)
    ann.open_with(bob_name)
    ann.write("hello")
    note, dot = ann.at("conversation-note"), ann.at("conversation-item").get_by_test_id("presence")
    expect(note).to_have_text(f"@{bob_name} · online")
    expect(dot).to_have_attribute("data-status", "online")
    bob.context.close()
    expect(note).to_contain_text("last seen just now")
    expect(dot).to_have_attribute("data-status", "offline")
    stack.redis.kill()
    expect(dot).to_have_count(0)
    ann.context.close()
