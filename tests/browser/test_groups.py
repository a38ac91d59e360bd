"""A group in the page: made, led, handed over, left and deleted by two people."""

from __future__ import annotations

from playwright.sync_api import expect

from support.client import Person, new_name
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
    bob.at("open-group").click()
    expect(bob.at("member")).to_have_count(2)
    expect(bob.at("group-add")).to_have_count(0)
    expect(bob.at("group-title")).to_have_count(0)
    ann.at("open-group").click()
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
    ann.at("member-confirm").click()
    expect(bob.at("group-delete")).to_be_visible()
    expect(ann.at("group-delete")).to_have_count(0)
    expect(ann.at("member").filter(has_text=bob_name)).to_have_attribute("data-role", "owner")

    # Removed, she cannot read it any more; gone is gone on the open page, and said.
    choose(bob, eve.username, "remove")
    bob.at("member-confirm").click()
    expect(bob.at("member")).to_have_count(2)
    choose(bob, ann_name, "remove")
    bob.at("member-confirm").click()
    expect(ann.at("gone")).to_be_visible()
    expect(ann.at("group")).to_have_count(0)
    expect(ann.at("conversation-item")).to_have_count(0)


def test_a_group_is_left_and_deleted(stack: Stack, visitor: MakeVisitor) -> None:
    ann, _ = signed_up(visitor, "ann")
    bob, bob_name = signed_up(visitor, "bob")
    make_group(ann, "Short lived", bob_name)
    bob.at("conversation-item").filter(has_text="Short lived").click()
    # The owner cannot simply leave, and hears what to do.
    ann.at("open-group").click()
    ann.at("group-leave").click()
    ann.at("group-leave-confirm").click()
    expect(ann.at("refusal").filter(visible=True)).to_have_attribute("data-code", "last_owner")
    bob.at("open-group").click()
    bob.at("group-leave").click()
    bob.at("group-leave-confirm").click()
    expect(bob.at("gone")).to_be_visible()
    expect(bob.at("conversation-item")).to_have_count(0)
    expect(ann.at("member")).to_have_count(1)
    ann.at("group-delete").click()
    ann.at("group-delete-confirm").click()
    expect(ann.at("conversation-item")).to_have_count(0)
