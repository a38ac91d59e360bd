"""Messages on their way outlive the page: a reload, a server that is away, a tab that closes; not a log-out."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Request, Route, WebSocketRoute, expect

from support.client import PASSWORD, Person, new_name
from support.stack import Stack
from support.visitor import MakeVisitor, Visitor
from support.waiting import wait_until

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
LOG_OUT = "**/api/v1/auth/logout"


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


def is_sending(request: Request) -> bool:
    return request.method == "POST" and request.url.endswith("/messages")


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


def test_stored_and_not_answered_is_said_once(stack: Stack, visitor: MakeVisitor) -> None:
    """The answer is lost and the page loaded anew: it sends again what the server has, under the id that it had."""
    ann, bob, _ = start(visitor, stack)
    without_a_socket(ann.context, stack.url, ann)
    ann.open_conversation(bob.username)
    ids: list[str] = []

    def lose_the_answer(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        ids.append(route.request.post_data_json["id"])
        assert route.fetch().status in (200, 201)
        route.abort()

    ann.context.route(MESSAGES, lose_the_answer)
    with ann.page.expect_event("requestfailed", is_sending):
        ann.write("said once")
    assert said(bob) == ["hello", "said once"]
    assert ann.page.evaluate(COUNT_KEPT) == 1
    before = len(ids)
    with ann.page.expect_event("requestfailed", is_sending):
        ann.page.reload()
    assert len(ids) > before
    ann.context.unroute(MESSAGES)
    ann.open_conversation(bob.username)
    expect(ann.bubble("said once")).to_have_attribute("data-state", "sent")
    expect(ann.bubble("said once")).to_have_count(1)
    assert len(set(ids)) == 1
    assert said(bob) == ["hello", "said once"]
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
    wait_until(lambda: ann.page.evaluate(COUNT_KEPT) == 0, "nothing is kept")
    ann.context.unroute(MESSAGES)
    ann.to_log_in()
    ann.fill_in(name, PASSWORD)
    ann.open_conversation(bob.username)
    expect(ann.bubble("hello")).to_be_visible()
    expect(ann.bubble("never said")).to_have_count(0)
    ann.write("said")
    expect(ann.bubble("said")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "said"]


def with_one_on_its_way(visitor: MakeVisitor, stack: Stack, text: str) -> tuple[Visitor, Person, str]:
    """As `start`, without a socket, and with a message that nobody answers."""
    ann, bob, name = start(visitor, stack)
    without_a_socket(ann.context, stack.url, ann)
    ann.open_conversation(bob.username)
    refuse_sending(ann.context, None)
    ann.write(text)
    expect(ann.bubble(text)).to_have_attribute("data-state", "pending")
    return ann, bob, name


def test_logging_out_forgets_though_the_page_is_closed_before_the_answer(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, name = with_one_on_its_way(visitor, stack, "never said")
    answers: list[int] = []
    ann.context.route(LOG_OUT, lambda route: answers.append(route.fetch().status))
    ann.at("log-out").click()
    wait_until(lambda: ann.page.wait_for_timeout(20) or answers == [204], "logged out on the server")
    before = ann.page
    ann.page = ann.context.new_page()
    before.close()
    ann.context.unroute(LOG_OUT)
    ann.context.unroute(MESSAGES)
    ann.page.goto(stack.url)
    ann.to_log_in()
    ann.fill_in(name, PASSWORD)
    ann.open_conversation(bob.username)
    ann.write("said")
    expect(ann.bubble("said")).to_have_attribute("data-state", "sent")
    expect(ann.bubble("never said")).to_have_count(0)
    ann.page.reload()
    ann.open_conversation(bob.username)
    expect(ann.bubble("said")).to_be_visible()
    assert said(bob) == ["hello", "said"]
    assert ann.page.evaluate(COUNT_KEPT) == 0


def test_logging_out_forgets_though_the_socket_ends_first(stack: Stack, visitor: MakeVisitor) -> None:
    """The socket says that the session is revoked before the log-out is answered: it is a log-out all the same."""
    ann, bob, _ = start(visitor, stack)
    lost: list[str] = []

    def lose_messages(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda frame: (lost.append if '"message.send"' in frame else server.send)(frame))

    ann.context.route_web_socket("**/ws", lose_messages)
    refuse_sending(ann.context, None)
    ann.page.goto(stack.url)
    ann.open_conversation(bob.username)
    ann.write("never said")
    wait_until(lambda: ann.page.evaluate(COUNT_KEPT) == 1 and lost, "it is kept, and the socket is there")
    held: list[tuple[Route, APIResponse]] = []
    ann.context.route(LOG_OUT, lambda route: held.append((route, route.fetch())))
    ann.at("log-out").click()
    expect(ann.at("auth-username")).to_be_visible()
    wait_until(lambda: ann.page.evaluate(COUNT_KEPT) == 0, "nothing is kept")
    ((route, response),) = held
    route.fulfill(response=response)


def test_a_log_out_that_fails_forgets_nothing(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, _ = with_one_on_its_way(visitor, stack, "still said")
    ann.context.route(LOG_OUT, lambda route: route.abort())
    with ann.page.expect_event("dialog"):
        ann.at("log-out").click()
    expect(ann.at("log-out")).to_be_enabled()
    ann.page.reload()
    ann.open_conversation(bob.username)
    expect(ann.bubble("still said")).to_have_attribute("data-state", "pending")
    ann.context.unroute(MESSAGES)
    expect(ann.bubble("still said")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "still said"]


def test_a_duplicated_tab_goes_on_with_what_the_first_left(stack: Stack, visitor: MakeVisitor) -> None:
    """A tab opened by a script has a copy of the first one's sessionStorage; it is a tab of its own all the same."""
    ann, bob, _ = with_one_on_its_way(visitor, stack, "left behind")
    first = ann.page
    with ann.context.expect_page() as opened:
        first.evaluate("window.open(location.href)")
    ann.page = opened.value
    ann.open_conversation(bob.username)
    expect(ann.bubble("hello")).to_be_visible()
    ann.page.evaluate("dispatchEvent(new Event('online'))")
    expect(ann.bubble("left behind")).to_have_count(0)
    first.get_by_test_id("composer-input").fill("left later")
    first.get_by_test_id("composer-send").click()
    wait_until(lambda: first.evaluate(COUNT_KEPT) == 2, "both are kept")
    first.close()
    ann.context.unroute(MESSAGES)
    for text in ("left behind", "left later"):
        expect(ann.bubble(text)).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "left behind", "left later"]
    assert ann.page.evaluate(COUNT_KEPT) == 0


@pytest.mark.parametrize(
    "breaking",
    [
        pytest.param("Object.defineProperty(window, 'indexedDB', {value: undefined})", id="missing"),
        pytest.param("Object.defineProperty(window, 'indexedDB', {get() { throw new Error('no') }})", id="refused"),
    ],
)
def test_goes_on_without_indexed_db(stack: Stack, visitor: MakeVisitor, breaking: str) -> None:
    """A browser that keeps nothing sends all the same, and the page knows of the failure."""
    ann = visitor()
    ann.page.add_init_script(breaking)
    ann.page.add_init_script(
        "addEventListener('unhandledrejection', (event) => console.error('unhandled', event.reason))"
    )
    ann.page.reload()
    bob = Person.new(stack, "bob")
    ann.sign_up(new_name("ann"))
    ann.open_with(bob.username)
    ann.write("hello")
    expect(ann.bubble("hello")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello"]
    assert [line for line in ann.complaints if "unhandled" in line or "error:" in line] == []


def test_what_is_left_is_found_where_locks_are_refused(stack: Stack, visitor: MakeVisitor) -> None:
    ann, bob, _ = with_one_on_its_way(visitor, stack, "left behind")
    ann.page.add_init_script("navigator.locks.query = () => Promise.reject(new DOMException('no', 'SecurityError'))")
    ann.page.reload()
    ann.context.unroute(MESSAGES)
    ann.open_conversation(bob.username)
    expect(ann.bubble("left behind")).to_have_attribute("data-state", "sent")
    assert said(bob) == ["hello", "left behind"]
    assert [line for line in ann.complaints if "error:" in line] == []


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
