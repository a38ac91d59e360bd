"""An administrator in the page: invitations and sign-up, people, the audit; and what it means to those concerned."""

from __future__ import annotations

from playwright.sync_api import expect

from support.client import PASSWORD, new_name
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor


def administrator(visitor: MakeVisitor) -> Visitor:
    """Whoever signs up first."""
    boss = visitor()
    boss.sign_up(new_name("boss"))
    boss.at("open-settings").click()
    boss.at("open-admin").click()
    expect(boss.at("account")).to_have_count(1)
    return boss


def choose(boss: Visitor, name: str, action: str) -> None:
    boss.at("account").filter(has_text=name).get_by_test_id("account-menu").click()
    boss.at(f"account-{action}").click()


def test_an_invitation(stack: Stack, visitor: MakeVisitor) -> None:
    boss = administrator(visitor)
    boss.at("tab-invites").click()
    expect(boss.at("sign-up-open")).to_be_checked()
    boss.at("sign-up-invite").click()
    expect(boss.at("sign-up-invite")).to_be_checked()
    boss.at("invite-note").fill("for Carol")
    boss.at("invite-make").click()
    link = boss.at("invite-link").input_value()
    expect(boss.at("invite")).to_contain_text("for Carol")

    # Without a code it is asked for; with the link it is there.
    carol, name = visitor(), new_name("carol")
    carol.to_sign_up()
    carol.fill_in(name, PASSWORD)
    expect(carol.at("auth-error")).to_have_attribute("data-code", "invite_required")
    carol.at("auth-invite").fill("wrong")
    carol.at("auth-submit").click()
    expect(carol.at("auth-error")).to_have_attribute("data-code", "invite_invalid")
    carol.page.goto("about:blank")
    carol.page.goto(link)
    expect(carol.at("auth-invite")).to_have_value(link.partition("#invite=")[2])
    carol.fill_in(name, PASSWORD)
    expect(carol.at("me-name")).to_contain_text(name)
    assert "invite" not in carol.page.url
    # Others see nothing of administration.
    carol.at("open-settings").click()
    expect(carol.at("tab-account")).to_be_visible()
    expect(carol.at("open-admin")).to_have_count(0)

    boss.at("sign-up-closed").click()
    expect(boss.at("sign-up-closed")).to_be_checked()
    dan = visitor()
    dan.to_sign_up()
    dan.fill_in(new_name("dan"), PASSWORD)
    expect(dan.at("auth-error")).to_have_attribute("data-code", "sign_up_closed")


def test_a_person_is_disabled_and_helped_back(stack: Stack, visitor: MakeVisitor) -> None:
    boss = administrator(visitor)
    bob, name = visitor(), new_name("bob")
    bob.sign_up(name)
    boss.at("accounts-search").fill(name)
    expect(boss.at("account")).to_have_count(1)
    choose(boss, name, "disable")
    boss.at("question-yes").click()
    expect(bob.at("auth-username")).to_be_visible()
    expect(boss.at("account")).to_have_attribute("data-state", "disabled")
    bob.fill_in(name, PASSWORD)
    expect(bob.at("auth-error")).to_be_visible()

    # Back, with a password for once: nothing but another one first.
    choose(boss, name, "enable")
    expect(boss.at("account")).to_have_attribute("data-state", "active")
    choose(boss, name, "reset")
    boss.at("question-yes").click()
    password = boss.at("account-password").input_value()
    bob.fill_in(name, password)
    expect(bob.at("must-change")).to_be_visible()
    expect(bob.at("password-current")).to_have_count(0)
    bob.at("password-new").fill("staple correct horse")
    bob.at("password-save").click()
    expect(bob.at("me-name")).to_contain_text(name)

    boss.at("tab-audit").click()
    expect(boss.at("audit-entry").filter(has_text=name).first).to_be_visible()
    boss.at("tab-accounts").click()
    boss.at("accounts-search").fill(name)
    choose(boss, name, "delete")
    boss.at("question-yes").click()
    expect(bob.at("auth-username")).to_be_visible()
    expect(boss.at("account")).to_have_count(0)


def test_the_last_administrator_stays(stack: Stack, visitor: MakeVisitor) -> None:
    boss = administrator(visitor)
    boss.at("account-menu").click()
    boss.at("account-demote").click()
    expect(boss.at("refusal").filter(visible=True)).to_have_attribute("data-code", "last_admin")


def test_an_account_is_deleted_by_its_owner(stack: Stack, visitor: MakeVisitor) -> None:
    administrator(visitor)
    bob, name = visitor(), new_name("bob")
    bob.sign_up(name)
    bob.at("open-settings").click()
    bob.at("tab-data").click()
    bob.at("delete-password").fill("wrong horse battery")
    bob.at("delete-me").click()
    bob.at("delete-me-confirm").click()
    expect(bob.at("refusal").filter(visible=True)).to_be_visible()
    bob.at("delete-password").fill(PASSWORD)
    bob.at("delete-me").click()
    bob.at("delete-me-confirm").click()
    expect(bob.at("auth-username")).to_be_visible()
    bob.fill_in(name, PASSWORD)
    expect(bob.at("auth-error")).to_be_visible()
