"""What a person decides about themselves: their name, their password, where they are logged in."""

from __future__ import annotations

import json

import httpx
from playwright.sync_api import expect

from support.client import PASSWORD, new_name
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor


def at_two_devices(visitor: MakeVisitor) -> tuple[Visitor, Visitor, str]:
    laptop, phone = visitor(), visitor()
    name = new_name("ann")
    laptop.sign_up(name)
    phone.to_log_in()
    phone.fill_in(name, PASSWORD)
    expect(phone.at("me-name")).to_contain_text(name)
    return laptop, phone, name


def test_another_device_is_logged_out(stack: Stack, visitor: MakeVisitor) -> None:
    laptop, phone, _ = at_two_devices(visitor)
    laptop.at("open-settings").click()
    laptop.at("tab-devices").click()
    expect(laptop.at("device")).to_have_count(2)
    other = laptop.page.locator('[data-testid="device"][data-current="false"]')
    expect(laptop.page.locator('[data-testid="device"][data-current="true"]')).to_contain_text("This device")
    expect(other).to_contain_text("Chrome on Linux")
    # It asks first; Escape takes the question back and nothing else.
    other.get_by_test_id("device-end").click()
    laptop.page.keyboard.press("Escape")
    expect(laptop.at("device-end-confirm")).to_have_count(0)
    expect(laptop.at("settings")).to_be_visible()
    other.get_by_test_id("device-end").click()
    laptop.at("device-end-confirm").click()
    expect(laptop.at("device")).to_have_count(1)
    expect(phone.at("auth-username")).to_be_visible()
    expect(phone.page.get_by_text("Your session has ended")).to_be_visible()
    laptop.page.keyboard.press("Escape")
    expect(laptop.at("settings")).to_have_count(0)
    expect(laptop.at("open-settings")).to_be_focused()
    laptop.page.reload()
    expect(laptop.at("me-name")).to_be_visible()


def test_name_and_password(stack: Stack, visitor: MakeVisitor) -> None:
    laptop, phone, name = at_two_devices(visitor)
    laptop.at("open-settings").click()
    laptop.at("settings-name").fill("Ann Lee")
    laptop.at("settings-name-save").click()
    expect(laptop.at("account-done")).to_have_text("Your name is changed.")
    expect(laptop.at("me-name")).to_have_text("Ann Lee")
    laptop.at("settings-name").fill("\u202eevil")
    laptop.at("settings-name-save").click()
    expect(laptop.at("refusal").first).to_be_visible()
    expect(laptop.at("me-name")).to_have_text("Ann Lee")

    laptop.at("password-current").fill("wrong horse battery")
    laptop.at("password-new").fill("staple correct horse")
    laptop.at("password-save").click()
    expect(laptop.at("refusal").last).to_be_visible()
    expect(phone.at("me-name")).to_be_visible()
    laptop.at("password-current").fill(PASSWORD)
    laptop.at("password-save").click()
    expect(laptop.at("account-done")).to_have_text("Your password is changed.")
    expect(phone.at("auth-username")).to_be_visible()
    phone.fill_in(name, "staple correct horse")
    expect(phone.at("me-name")).to_have_text("Ann Lee")


def test_a_token_is_shown_once(stack: Stack, visitor: MakeVisitor) -> None:
    ann = visitor()
    name = new_name("ann")
    ann.sign_up(name)
    ann.at("open-settings").click()
    ann.at("tab-tokens").click()
    ann.at("token-make").click()
    expect(ann.at("refusal").first).to_have_text("Say what the token is for.")
    ann.at("token-name").fill("nightly report")
    ann.at("token-make").click()
    token = ann.at("token-secret").input_value()
    assert token.startswith("stonechat_pat_")

    def who_am_i() -> httpx.Response:
        return httpx.get(f"{stack.url}/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})

    assert who_am_i().json()["username"] == name
    expect(ann.at("token")).to_contain_text("nightly report")
    # Once: it is gone when one comes back.
    ann.at("tab-devices").click()
    ann.at("tab-tokens").click()
    expect(ann.at("token")).to_contain_text(token[: len("stonechat_pat_") + 8])
    expect(ann.at("token-secret")).to_have_count(0)
    assert token not in ann.page.content()
    ann.at("token-revoke").click()
    ann.at("token-revoke-confirm").click()
    expect(ann.at("token")).to_have_count(0)
    assert who_am_i().status_code == 401


def test_everything_is_taken_along(stack: Stack, visitor: MakeVisitor) -> None:
    ann = visitor()
    name = new_name("ann")
    ann.sign_up(name)
    ann.open_with(name)
    ann.write("note to self")
    expect(ann.bubble("note to self")).to_have_attribute("data-state", "sent")
    ann.at("open-settings").click()
    ann.at("tab-data").click()
    with ann.page.expect_download() as download:
        ann.at("export").click()
    assert download.value.suggested_filename == f"stonechat-{name}.jsonl"
    rows = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert rows[0]["kind"] == "profile" and rows[0]["username"] == name
    assert "note to self" in [row.get("content") for row in rows]


def test_all_other_devices_are_logged_out(stack: Stack, visitor: MakeVisitor) -> None:
    laptop, phone, _ = at_two_devices(visitor)
    laptop.at("open-settings").click()
    laptop.at("tab-devices").click()
    laptop.at("devices-end-others").click()
    laptop.at("devices-end-others-confirm").click()
    expect(laptop.at("device")).to_have_count(1)
    expect(phone.at("auth-username")).to_be_visible()
    expect(laptop.at("me-name")).to_be_visible()
