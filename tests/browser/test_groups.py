"""A group in the page: made, led, handed over, left and deleted by two people."""

from __future__ import annotations

from playwright.sync_api import expect

from support.client import PASSWORD, Person, new_name
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor


def signed_up(visitor: MakeVisitor, who: str) -> tuple[Visitor, str]:
    one, name = visitor(), new_name(who)
    one.sign_up(name)
    return one, name


def make_group(one: Visitor, title: str, *people: str) -> None:
    one.at("open-new-group").click()
    one.at("group-title").fill(title)
    for name in people:
        one.at("people-search").fill(name)
        one.at("people-found").filter(has_text=name).click()
    one.at("group-create").click()
    expect(one.at("new-group")).to_have_count(0)
    expect(one.at("composer-input")).to_be_visible()


def look_at(one: Visitor) -> None:
    """Opens what is to be known of the group."""
    one.at("conversation-menu").click()
    one.at("open-group").click()


def choose(one: Visitor, name: str, action: str) -> None:
    """Something to do with a member, from the menu beside the name."""
    one.at("member").filter(has_text=name).get_by_test_id("member-menu").click()
    one.at(f"member-{action}").click()


def test_a_group_lives(stack: Stack, visitor: MakeVisitor) -> None:
    ann, ann_name = signed_up(visitor, "ann")
    bob, bob_name = signed_up(visitor, "bob")
    eve = Person.new(stack, "eve")

    # It needs a name; then it is there at once, on the other's open page as well.
    ann.at("open-new-group").click()
    ann.at("group-create").click()
    expect(ann.at("refusal")).to_have_text("Give the group a name.")
    ann.page.keyboard.press("Escape")
    make_group(ann, "Night shift", bob_name)
    expect(ann.at("conversation-note")).to_contain_text("2 members")
    bob.at("conversation-item").filter(has_text="Night shift").click()
    ann.write("welcome")
    expect(bob.bubble("welcome")).to_be_visible()
    expect(ann.entry("welcome").get_by_test_id("receipt")).to_have_attribute("data-receipt", "read")

    # A member looks; an owner renames and adds.
    look_at(bob)
    expect(bob.at("member")).to_have_count(2)
    expect(bob.at("group-add")).to_have_count(0)
    expect(bob.at("group-title")).to_have_count(0)
    look_at(ann)
    ann.at("group-title").fill("Day shift")
    ann.at("group-save").click()
    expect(bob.at("conversation-item").first).to_contain_text("Day shift")
    ann.at("group-add").click()
    ann.at("people-search").fill(eve.username)
    ann.at("people-found").filter(has_text=eve.username).click()
    ann.at("group-add-done").click()
    for one in (ann, bob):
        expect(one.at("member")).to_have_count(3)
        expect(one.at("group-count")).to_have_text("3 members")

    # Handed over: who had it is an admin, and who has it may delete.
    choose(ann, bob_name, "hand-over")
    ann.at("question-yes").click()
    expect(bob.at("group-delete")).to_be_visible()
    expect(ann.at("group-delete")).to_have_count(0)
    expect(ann.at("member").filter(has_text=bob_name)).to_have_attribute("data-role", "owner")

    # Removed, she cannot read it any more; gone is gone on the open page, and said.
    choose(bob, eve.username, "remove")
    bob.at("question-yes").click()
    expect(bob.at("member")).to_have_count(2)
    choose(bob, ann_name, "remove")
    bob.at("question-yes").click()
    expect(ann.at("gone")).to_be_visible()
    expect(ann.at("group")).to_have_count(0)
    expect(ann.at("conversation-item")).to_have_count(0)


def test_a_group_is_left_and_deleted(stack: Stack, visitor: MakeVisitor) -> None:
    ann, _ = signed_up(visitor, "ann")
    bob, bob_name = signed_up(visitor, "bob")
    make_group(ann, "Short lived", bob_name)
    bob.at("conversation-item").filter(has_text="Short lived").click()
    # The owner cannot simply leave, and hears what to do.
    look_at(ann)
    ann.at("group-leave").click()
    ann.at("group-leave-confirm").click()
    expect(ann.at("refusal").filter(visible=True)).to_have_attribute("data-code", "last_owner")
    look_at(bob)
    bob.at("group-leave").click()
    bob.at("group-leave-confirm").click()
    expect(bob.at("gone")).to_be_visible()
    expect(bob.at("conversation-item")).to_have_count(0)
    expect(ann.at("member")).to_have_count(1)
    ann.at("group-delete").click()
    ann.at("group-delete-confirm").click()
    expect(ann.at("conversation-item")).to_have_count(0)


def test_slow_mode(stack: Stack, visitor: MakeVisitor) -> None:
    """A member's second message waits for its time, says so, and goes out by itself."""
    ann, _ = signed_up(visitor, "ann")
    bob, bob_name = signed_up(visitor, "bob")
    make_group(ann, "Slowly", bob_name)
    look_at(ann)
    ann.at("group-slow").select_option("5")
    ann.at("group-save").click()
    bob.at("conversation-item").filter(has_text="Slowly").click()
    expect(bob.at("conversation-note")).to_contain_text("slow mode, 5 s")
    bob.write("first")
    expect(bob.bubble("first")).to_have_attribute("data-state", "sent")
    bob.write("second")
    expect(bob.at("waiting")).to_have_attribute("data-code", "slow_mode")
    expect(bob.at("waiting")).to_contain_text("Slow mode: goes out in")
    expect(bob.bubble("second")).to_have_attribute("data-state", "sent")


def test_a_person_is_blocked(stack: Stack, visitor: MakeVisitor) -> None:
    """They aren't told; on all devices of who blocks there is a note instead of the field."""
    ann, ann_name = signed_up(visitor, "ann")
    bob, bob_name = signed_up(visitor, "bob")
    ann.open_with(bob_name)
    ann.write("hello")
    bob.open_conversation(ann_name)
    phone = visitor()
    phone.to_log_in()
    phone.fill_in(ann_name, PASSWORD)
    phone.open_conversation(bob_name)
    ann.at("conversation-menu").click()
    ann.page.keyboard.press("Escape")
    expect(ann.at("block")).to_have_count(0)
    expect(ann.at("conversation-menu")).to_be_focused()
    ann.page.keyboard.press("Enter")
    expect(ann.at("block")).to_be_focused()
    ann.page.keyboard.press("Enter")
    for one in (ann, phone):
        expect(one.at("blocked-note")).to_be_visible()
        expect(one.at("composer-input")).to_have_count(0)
    bob.write("are you there?")
    expect(bob.at("failed")).to_contain_text("Not sent.")
    # Known after a reload too, and lifted from the settings.
    ann.page.reload()
    expect(ann.at("blocked-note")).to_be_visible()
    ann.at("open-settings").click()
    ann.at("tab-blocked").click()
    expect(ann.at("blocked")).to_contain_text(bob_name)
    ann.at("blocked-lift").click()
    expect(ann.at("blocked")).to_have_count(0)
    for one in (ann, phone):
        expect(one.at("composer-input")).to_have_count(1)
    bob.at("failed").get_by_text("Try again").click()
    expect(ann.bubble("are you there?")).to_have_count(1)


def test_a_conversation_is_muted(stack: Stack, visitor: MakeVisitor) -> None:
    """Its messages count where it stands, and not in the title; on all devices."""
    ann, ann_name = signed_up(visitor, "ann")
    bob, bob_name = signed_up(visitor, "bob")
    ann.open_with(bob_name)
    ann.write("hello")
    bob.open_conversation(ann_name)
    phone = visitor()
    phone.to_log_in()
    phone.fill_in(bob_name, PASSWORD)
    bob.at("conversation-menu").click()
    bob.at("mute").click()
    expect(phone.at("muted")).to_be_visible()
    bob.page.goto("about:blank")
    ann.write("did you hear?")
    expect(phone.at("conversation-item").locator(".badge")).to_have_text("1 unread")
    expect(phone.page).to_have_title("Stonechat")
    phone.page.reload()
    expect(phone.at("muted")).to_be_visible()
    expect(phone.page).to_have_title("Stonechat")
    phone.open_conversation(ann_name)
    phone.at("conversation-menu").click()
    phone.at("unmute").click()
    expect(phone.at("muted")).to_have_count(0)
