"""Two people and what they do with messages: unread counts, editing, deleting, answering, reacting; and the page when
the server refuses, slows down or goes away, and in two tabs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Request, Response, Route, WebSocketRoute, expect

from support.client import Person, new_name
from support.shared import MakeStack
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor


def pair(visitor: MakeVisitor, *texts: str) -> tuple[Visitor, Visitor, str, str]:
    """Ann and Bob; Ann has said all this, and both look at it."""
    ann, bob = visitor(), visitor()
    ann_name, bob_name = new_name("ann"), new_name("bob")
    ann.sign_up(ann_name)
    bob.sign_up(bob_name)
    ann.open_with(bob_name)
    for text in texts:
        ann.write(text)
        expect(ann.bubble(text)).to_have_attribute("data-state", "sent")
    if texts:
        bob.open_conversation(ann_name)
        expect(bob.bubble(texts[-1])).to_be_visible()
    return ann, bob, ann_name, bob_name


def test_unread_counts(stack: Stack, visitor: MakeVisitor) -> None:
    """Counted while the conversation isn't open; read on one device is read on the other, also after a reload."""
    bob = visitor()
    bob_name = new_name("bob")
    bob.sign_up(bob_name)
    ann, eve = Person.new(stack, "ann"), Person.new(stack, "eve")
    bob_id = next(user["id"] for user in ann.get("/users", query=bob_name).json()["items"])
    for n in range(3):
        assert ann.send_direct(bob_id, f"from ann {n}").status_code == 201
    assert eve.send_direct(bob_id, "from eve").status_code == 201
    phone = visitor()
    phone.to_log_in()
    phone.fill_in(bob_name, "correct horse battery")
    for device in (bob, phone):
        row = device.at("conversation-item").filter(has_text=ann.username)
        expect(row.locator(".badge")).to_have_text("3 unread")
        expect(device.at("conversation-item").first).to_contain_text(eve.username)
        expect(device.page).to_have_title("(4) Stonechat")

    bob.open_conversation(ann.username)
    for device in (bob, phone):
        expect(device.at("conversation-item").filter(has_text=ann.username).locator(".badge")).to_have_count(0)
        expect(device.page).to_have_title("(1) Stonechat")
        expect(device.at("conversation-item").filter(has_text=eve.username).locator(".badge")).to_have_text("1 unread")
    assert ann.send_direct(bob_id, "one more").status_code == 201
    expect(bob.bubble("one more")).to_be_visible()
    expect(phone.at("conversation-item").first).to_contain_text("one more")
    expect(phone.page).to_have_title("(1) Stonechat")
    phone.page.reload()
    expect(phone.page).to_have_title("(1) Stonechat")


def test_edit(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, _, _ = pair(visitor, "helo", "second")
    ann.act("helo", "edit")
    expect(ann.at("composer-input")).to_have_value("helo")
    ann.at("composer-input").fill("hello <b>bob</b>")
    ann.at("composer-input").press("Enter")
    for one in (ann, bob):
        expect(one.bubble("hello <b>bob</b>")).to_have_attribute("data-seq", "1")
        expect(one.entry("hello <b>bob</b>").get_by_test_id("edited")).to_be_visible()
        expect(one.at("message")).to_have_count(2)
    # Others' messages offer no such thing.
    bob.entry("second").hover()
    expect(bob.entry("second").get_by_test_id("message-reply")).to_be_visible()
    expect(bob.entry("second").get_by_test_id("message-edit")).to_have_count(0)
    expect(bob.entry("second").get_by_test_id("message-delete")).to_have_count(0)
    # With the keyboard alone: the last one, left as it was, then changed. What was being written stays.
    field = ann.at("composer-input")
    field.press("ArrowUp")
    expect(field).to_have_value("second")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(ann.at("composer-intent")).to_have_count(0)
    field.press("ArrowUp")
    field.fill("second, edited")
    field.press("Enter")
    expect(bob.bubble("second, edited")).to_be_visible()
    expect(field).to_have_value("")


def test_delete(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, ann_name, _ = pair(visitor, "kept", "regretted")
    ann.act("regretted", "delete")
    ann.at("delete-question").get_by_text("Keep").click()
    expect(ann.at("delete-question")).to_have_count(0)
    expect(bob.bubble("regretted")).to_be_visible()
    ann.act("regretted", "delete")
    ann.at("delete-confirm").click()
    for one in (ann, bob):
        expect(one.bubble("regretted")).to_have_count(0)
        expect(one.bubble("Message deleted")).to_have_attribute("data-seq", "2")
    expect(bob.at("conversation-item").filter(has_text=ann_name)).to_contain_text("Message deleted")
    bob.page.reload()
    expect(bob.bubble("Message deleted")).to_have_count(1)
    bob.entry("Message deleted").hover()
    expect(bob.entry("Message deleted").get_by_test_id("message-react")).to_have_count(0)


def test_reply(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, ann_name, _ = pair(visitor, "a question", "something else")
    bob.act("a question", "reply")
    expect(bob.at("composer-intent")).to_contain_text(ann_name)
    bob.write("an answer")
    expect(bob.at("composer-intent")).to_have_count(0)
    for one, who in ((ann, "You"), (bob, ann_name)):
        quote = one.entry("an answer").get_by_test_id("quote")
        expect(quote).to_contain_text("a question")
        expect(quote).to_contain_text(who)
        quote.click()
        expect(one.page.locator('.entry:has([data-seq="1"])')).to_be_focused()
    # The quote is the message as it is now.
    ann.act("something else", "reply")
    ann.at("composer-input").press("Escape")
    ann.page.locator('.entry:has([data-seq="1"])').hover()
    ann.page.locator('.entry:has([data-seq="1"])').get_by_test_id("message-delete").click()
    ann.at("delete-confirm").click()
    expect(bob.entry("an answer").get_by_test_id("quote")).to_contain_text("Message deleted")


def test_reply_to_something_far_back(stack: Stack, visitor: MakeVisitor) -> None:
    """What is quoted is read by itself; pressing the quote reads the pages up to it."""
    ann = visitor()
    name = new_name("ann")
    ann.sign_up(name)
    bob = Person.new(stack, "bob")
    ann_id = next(user["id"] for user in bob.get("/users", query=name).json()["items"])
    first = bob.send_direct(ann_id, "the first").json()
    for n in range(2, 121):
        assert bob.send_direct(ann_id, f"message {n}").status_code == 201
    assert bob.send(first["conversation_id"], "remember?", reply_to_id=first["id"]).status_code == 201
    ann.page.reload()
    ann.open_conversation(bob.username)
    quote = ann.entry("remember?").get_by_test_id("quote")
    expect(quote).to_contain_text("the first")
    expect(ann.page.locator('[data-testid="message"][data-seq="1"]')).to_have_count(0)
    quote.click()
    expect(ann.page.locator('.entry:has([data-seq="1"])')).to_be_focused()
    expect(ann.page.locator('[data-testid="message"][data-seq="1"]')).to_be_in_viewport()


def test_reactions(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, _, _ = pair(visitor, "good news")
    bob.act("good news", "react")
    bob.at("reaction-picker").get_by_label("Party").click()
    expect(bob.reaction("good news", "🎉")).to_have_attribute("aria-pressed", "true")
    expect(ann.reaction("good news", "🎉")).to_contain_text("1")
    expect(ann.reaction("good news", "🎉")).to_have_attribute("aria-pressed", "false")
    ann.reaction("good news", "🎉").click()
    for one in (ann, bob):
        expect(one.reaction("good news", "🎉")).to_contain_text("2")
        expect(one.reaction("good news", "🎉")).to_have_attribute("aria-pressed", "true")
    # By the keyboard: up to the message, Tab to its buttons, the second of the picker.
    ann.at("message-list").focus()
    ann.page.keyboard.press("ArrowUp")
    expect(ann.entry("good news")).to_be_focused()
    ann.page.keyboard.press("Tab")
    expect(ann.entry("good news").get_by_test_id("message-react")).to_be_focused()
    ann.page.keyboard.press("Enter")
    expect(ann.at("reaction-picker").get_by_label("Thumbs up")).to_be_focused()
    ann.page.keyboard.press("ArrowRight")
    ann.page.keyboard.press("Enter")
    expect(bob.reaction("good news", "❤️")).to_contain_text("1")
    expect(ann.at("reaction-picker")).to_have_count(0)
    # Taken back, by both.
    bob.reaction("good news", "🎉").click()
    expect(ann.reaction("good news", "🎉")).to_contain_text("1")
    ann.reaction("good news", "🎉").click()
    for one in (ann, bob):
        expect(one.reaction("good news", "🎉")).to_have_count(0)
    bob.page.reload()
    expect(bob.reaction("good news", "❤️")).to_contain_text("1")
    expect(bob.reaction("good news", "🎉")).to_have_count(0)


def test_without_a_socket(stack: Stack, visitor: MakeVisitor) -> None:
    """push is down: changes go by REST; the other sees them when it is back."""
    ann, bob, _, _ = pair(visitor, "one", "two", "three")
    stack.push.kill()
    for page in (ann, bob):
        expect(page.at("connection-banner")).to_be_visible()
    ann.act("one", "edit")
    ann.write("one, edited")
    ann.act("two", "delete")
    ann.at("delete-confirm").click()
    ann.act("three", "react")
    ann.at("reaction-picker").get_by_label("Heart").click()
    expect(ann.page.locator('[data-change="pending"]')).to_have_count(0)
    expect(ann.at("failed")).to_have_count(0)
    stack.restart("push")
    expect(bob.bubble("one, edited")).to_be_visible(timeout=40_000)
    expect(bob.bubble("Message deleted")).to_have_count(1)
    expect(bob.reaction("three", "❤️")).to_contain_text("1")


def test_refused_and_sent_again(stack: Stack, visitor: MakeVisitor) -> None:
    """A message on its way says so; one that was refused says why and can be sent again or discarded."""
    refusing = {"held": True}

    def between(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def forward(data: str | bytes) -> None:
            frame = json.loads(data)
            if frame["type"] != "message.send" or not refusing["held"]:
                return server.send(data)
            if frame["content"] == "lost":
                return None
            error = {"code": "id_reused", "detail": "Said by the test.", "retryable": False}
            return route.send(json.dumps({"reply_to": frame["id"], "ok": False, "error": error}))

        route.on_message(forward)

    ann = visitor()
    name = new_name("ann")
    ann.sign_up(name)
    bob = Person.new(stack, "bob")
    ann.page.route_web_socket("**/ws", between)
    ann.page.reload()
    ann.open_with(bob.username)
    ann.write("refused")
    expect(ann.bubble("refused")).to_have_attribute("data-state", "failed")
    expect(ann.entry("refused").get_by_test_id("failed")).to_contain_text("Said by the test.")
    ann.write("never mind")
    ann.entry("never mind").get_by_text("Discard").click()
    expect(ann.bubble("never mind")).to_have_count(0)
    ann.write("lost")
    expect(ann.bubble("lost")).to_have_attribute("data-state", "pending")
    refusing["held"] = False
    ann.entry("refused").get_by_text("Try again").click()
    for text in ("lost", "refused"):
        expect(ann.bubble(text)).to_have_attribute("data-state", "sent", timeout=40_000)
    room = bob.conversations()[0]["id"]
    assert sorted(m["content"] for m in bob.history(room)) == ["lost", "refused"]


def test_the_banner_names_the_trouble(stack: Stack, visitor: MakeVisitor) -> None:
    """Without Redis the page says that messages may be late, and still gets them."""
    ann, bob, _, _ = pair(visitor, "before")
    stack.redis.kill()
    expect(ann.at("connection-banner")).to_have_attribute("data-state", "degraded", timeout=30_000)
    expect(ann.at("connection-banner")).to_be_visible()
    bob.write("without redis")
    expect(ann.bubble("without redis")).to_be_visible()
    stack.redis.start()
    stack.wait_ready()
    expect(ann.at("connection-banner")).to_be_hidden(timeout=30_000)


def test_two_tabs_take_turns_to_refresh(browser: Browser, make_stack: MakeStack) -> None:
    """Tokens of four seconds: both renew in time and stay connected; while one waits for its answer, the other does."""
    stack = make_stack({"auth.access_token_s": "4"})
    context = browser.new_context()
    first = Visitor(context, stack)
    first.sign_up(new_name("ann"))
    second = Visitor(context, stack)
    expect(second.at("me-name")).to_be_visible()
    open_now: set[int] = set()
    overlaps: list[str] = []
    reopened: list[int] = []
    statuses: dict[int, list[int]] = {0: [], 1: []}

    def watch(tab: int, page: Visitor) -> None:
        def began(request: Request) -> None:
            if "/auth/refresh" in request.url:
                overlaps.extend(f"{tab} while {other}" for other in open_now)
                open_now.add(tab)

        def ended(response: Response) -> None:
            if "/auth/refresh" in response.url:
                open_now.discard(tab)
                statuses[tab].append(response.status)

        page.page.on("request", began)
        page.page.on("response", ended)
        page.page.on("websocket", lambda _: reopened.append(tab))

    def wait_for(wanted: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + 40
        while not wanted():
            assert time.monotonic() < until, what
            first.page.wait_for_timeout(100)

    def renewed(times: int) -> bool:
        return min(len(one) for one in statuses.values()) >= times

    for tab in (first, second):
        expect(tab.at("connection-banner")).to_have_attribute("data-state", "online")
    watch(0, first)
    watch(1, second)
    wait_for(lambda: renewed(3), "both renew")
    assert reopened == [], "the open sockets have had the new tokens"
    stack.api.freeze()
    wait_for(lambda: bool(open_now), "one asks")
    first.page.wait_for_timeout(2_500)  # half of a token's life: the other has had to ask as well
    assert len(open_now) == 1 and overlaps == []
    stack.api.thaw()
    times = max(len(one) for one in statuses.values()) + 1
    wait_for(lambda: renewed(times), "both go on")
    assert {status for one in statuses.values() for status in one} == {200}
    assert overlaps == []
    for tab in (first, second):
        expect(tab.at("connection-banner")).to_have_attribute("data-state", "online")
    context.close()


def test_a_refresh_that_is_refused_for_good_is_not_repeated(browser: Browser, make_stack: MakeStack) -> None:
    """The page says so and waits for its person."""
    stack = make_stack({"auth.access_token_s": "4"})
    context = browser.new_context()
    ann = Visitor(context, stack)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        problem = {"title": "Bad Request", "status": 400, "code": "bad_request", "detail": "No.", "retryable": False}
        route.fulfill(status=400, content_type="application/problem+json", body=json.dumps(problem))

    ann.sign_up(new_name("ann"))
    ann.page.route("**/auth/refresh", refuse)
    expect(ann.at("connection-banner")).to_have_attribute("data-state", "stopped", timeout=30_000)
    expect(ann.at("connection-banner")).to_contain_text("No.")
    ann.page.wait_for_timeout(3_000)  # the renewal that is due has been tried too
    count = len(asked)
    assert count <= 4
    ann.page.wait_for_timeout(4_000)  # long enough for several tries, if there were any
    assert len(asked) == count
    ann.page.unroute("**/auth/refresh")
    ann.at("connection-banner").get_by_role("button").click()
    expect(ann.at("connection-banner")).to_have_attribute("data-state", "online")
    context.close()
