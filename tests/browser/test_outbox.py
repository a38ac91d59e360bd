"""Messages on their way outlive the page: a reload, a server that is away, a tab that closes; not a log-out."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Route, WebSocketRoute, expect

from support.client import PASSWORD, Person, new_name
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor

COUNT_KEPT = """() => new Promise((resolve, reject) => {
    const opened = indexedDB.open("stonechat");
    opened.onerror = reject;
    opened.onsuccess = () => {
        const count = opened.result.transaction("outbox").objectStore("outbox").count();
        count.onsuccess = () => { opened.result.close(); resolve(count.result); };
    };
})"""
PROBLEM = (
    '{"type": "about:blank", "title": "No", "status": 422, "code": "too_long", "detail": "Too long, says the test."}'
)
MESSAGES = "**/api/v1/**/messages"


def start(visitor: MakeVisitor, stack: Stack) -> tuple[Visitor, Person, str]:
    """Ann in front of the page, having said hello to Bob; Bob; Ann's name."""
    ann, bob = visitor(), Person.new(stack, "bob")
    name = new_name("ann")
    ann.sign_up(name)
    ann.open_with(bob.username)
    ann.write("hello")
    expect(ann.bubble("hello")).to_have_attribute("data-state", "sent")
    return ann, bob, name


def said(bob: Person) -> list[str]:
    """What is stored of their conversation."""
    (conversation,) = bob.conversations()
    return [message["content"] for message in bob.history(conversation["id"])]


def without_a_socket(context: BrowserContext, page_url: str, visitor: Visitor) -> None:
    """From its next load on the page has no socket, so that it sends by REST, where a test can refuse."""

    def close(socket: WebSocketRoute) -> None:
        socket.close(code=4001)

    context.route_web_socket("**/ws", close)
    visitor.page.goto(page_url)


def refuse_sending(context: BrowserContext, status: int | None) -> None:
    """POST of a message: refused with this status, or without an answer."""

    def refuse(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
        elif status is None:
            route.abort()
        else:
            route.fulfill(status=status, content_type="application/problem+json", body=PROBLEM)

    context.route(MESSAGES, refuse)


def test_sent_by_the_page_that_comes_after(stack: Stack, visitor: MakeVisitor) -> None:
    """The server goes away, the page is loaded anew, the server comes back: all is said once, and in order."""
    ann, bob, _ = start(visitor, stack)
    stack.push.kill()
    stack.api.kill()
    for text in ("one", "two", "three"):
        ann.write(text)
        expect(ann.bubble(text)).to_have_attribute("data-state", "pending")
    ann.page.reload()
    expect(ann.page.get_by_role("status")).to_contain_text("can't be reached")
    assert ann.page.evaluate(COUNT_KEPT) == 3
    stack.api.start()
    stack.restart("push")
    ann.open_conversation(bob.username)
    for text in ("one", "two", "three"):
        expect(ann.bubble(text)).to_have_attribute("data-state", "sent")
        expect(ann.bubble(text)).to_have_count(1)
    assert said(bob) == ["hello", "one", "two", "three"]
    assert ann.page.evaluate(COUNT_KEPT) == 0


def test_what_failed_is_kept_with_its_reason(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, _ = start(visitor, stack)
    without_a_socket(ann.context, stack.url, ann)
    ann.open_conversation(bob.username)
    refuse_sending(ann.context, 422)
    for text in ("kept", "discarded"):
        ann.write(text)
        expect(ann.entry(text).get_by_test_id("failed")).to_contain_text("Too long, says the test.")
    ann.context.unroute(MESSAGES)
    ann.page.reload()
    ann.open_conversation(bob.username)
    for text in ("kept", "discarded"):
        expect(ann.entry(text).get_by_test_id("failed")).to_contain_text("Too long, says the test.")
    ann.entry("discarded").get_by_role("button", name="Discard").click()
    expect(ann.bubble("discarded")).to_have_count(0)
    ann.entry("kept").get_by_role("button", name="Try again").click()
    expect(ann.bubble("kept")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "kept"]
    assert ann.page.evaluate(COUNT_KEPT) == 0


def test_logging_out_forgets(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, name = start(visitor, stack)
    without_a_socket(ann.context, stack.url, ann)
    ann.open_conversation(bob.username)
    refuse_sending(ann.context, None)
    ann.write("never said")
    expect(ann.bubble("never said")).to_have_attribute("data-state", "pending")
    assert ann.page.evaluate(COUNT_KEPT) == 1
    ann.at("log-out").click()
    expect(ann.at("auth-username")).to_be_visible()
    ann.page.wait_for_function(f"async () => (await ({COUNT_KEPT})()) === 0")
    ann.context.unroute(MESSAGES)
    ann.to_log_in()
    ann.fill_in(name, PASSWORD)
    ann.open_conversation(bob.username)
    expect(ann.bubble("hello")).to_be_visible()
    expect(ann.bubble("never said")).to_have_count(0)
    ann.write("said")
    expect(ann.bubble("said")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "said"]


def test_another_tab_goes_on_with_what_a_closed_one_left(stack: Stack, visitor: MakeVisitor) -> None:
    """Each tab sends its own; what a tab leaves behind is sent by one that is there, once."""
    ann, bob, _ = start(visitor, stack)
    without_a_socket(ann.context, stack.url, ann)
    ann.open_conversation(bob.username)
    refuse_sending(ann.context, None)
    ann.write("left behind")
    expect(ann.bubble("left behind")).to_have_attribute("data-state", "pending")
    first = ann.page
    ann.page = ann.context.new_page()
    ann.page.goto(stack.url)
    ann.open_conversation(bob.username)
    expect(ann.bubble("hello")).to_be_visible()
    expect(ann.bubble("left behind")).to_have_count(0)
    posts: list[str] = []
    ann.context.unroute(MESSAGES)
    ann.context.on("request", lambda one: posts.append(one.method) if one.url.endswith("/messages") else None)
    first.close()
    ann.page.evaluate("dispatchEvent(new Event('online'))")
    expect(ann.bubble("left behind")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "left behind"]
    assert posts.count("POST") == 1
