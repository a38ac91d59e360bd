"""What passes between two people: who is there, typing, and how far each message has come."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from support.client import Api, Person, new_name
from support.live import Live
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


def tells(live: Live, type_: str, room: str, **more: int) -> None:
    assert live.request(type_, conversation_id=room, **more)["ok"] is True


def test_nothing_that_passes_shows_of_somebody_blocked(stack: Stack, visitor: MakeVisitor) -> None:
    """Neither typing nor receipts. What came after it is there, so it had come."""
    ann, ann_name = visitor(), new_name("ann")
    ann.sign_up(ann_name)
    anns = Person(stack, Api(stack).log_in(ann_name).json())
    bob, eve = Person.new(stack, "bob"), Person.new(stack, "eve")
    group, of_eve = eve.make_group("Tea", anns, bob), eve.conversation_with(anns)
    direct = bob.conversation_with(anns)
    items = ann.at("conversation-item")
    rows = {one: items.filter(has_text=one.username).filter(has_not_text="Tea") for one in (bob, eve)}
    block = f"/users/me/blocks/{bob.id}"
    with bob.connect() as his, eve.connect() as hers:
        said = anns.send(direct, "before").json()
        ann.open_conversation(bob.username)
        tells(his, "read.update", direct, seq=said["seq"])
        receipt(ann, "before", "read")
        tells(his, "typing.start", direct)
        expect(ann.at("typing")).to_have_text("typing…")

        assert anns.request("PUT", block).status_code == 204
        expect(ann.at("blocked-note")).to_be_visible()
        expect(ann.at("typing")).to_be_hidden(timeout=2_000)  # by itself it would be in 6 s
        expect(ann.entry("before").get_by_test_id("receipt")).to_have_count(0)
        said = anns.send(direct, "afterwards").json()
        tells(his, "read.update", direct, seq=said["seq"])
        for room in (direct, group):
            tells(his, "typing.start", room)
        for room in (of_eve, group):
            tells(hers, "typing.start", room)
        expect(rows[eve]).to_contain_text("typing…")
        assert "typing…" not in rows[bob].inner_text()
        expect(ann.bubble("afterwards")).to_be_visible()
        expect(ann.entry("afterwards").get_by_test_id("receipt")).to_have_count(0)
        tea = items.filter(has_text="Tea")
        expect(tea).to_contain_text(f"{eve.username} is typing…")
        assert bob.username not in tea.inner_text()

        assert anns.request("DELETE", block).status_code == 204
        receipt(ann, "afterwards", "read")


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
