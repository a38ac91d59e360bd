"""Accounts: sign_up, log_in, refresh_session, log_out, get_me, find_users."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import httpx
import pytest

from support.client import PASSWORD, Api, Person, new_name
from support.problems import problem
from support.shared import MakePerson, MakeStack, Shared
from support.stack import Stack
from support.waiting import wait_until


@pytest.fixture
def api(stack: Stack) -> Api:
    return Api(stack)


# -- sign_up
def test_first_person_is_admin_and_later_ones_are_members(shared: Shared, ann: Person) -> None:
    assert shared.founder_answer.status_code == 201, shared.founder_answer.text
    assert shared.founder_answer.json()["user"]["role"] == "admin"
    assert ann.user["role"] == "member"


def test_sign_up_answers_user_and_tokens(api: Api) -> None:
    name = new_name()
    answer = api.sign_up(name, display_name="Ann Ünï")
    assert answer.status_code == 201
    body = answer.json()
    assert body["user"]["username"] == name
    assert body["user"]["display_name"] == "Ann Ünï"
    assert body["expires_in"] == 600
    assert body["access_token"].count(".") == 2
    assert len(body["refresh_token"]) >= 43, "256 bits"
    assert '"password' not in answer.text and PASSWORD not in answer.text and "hash" not in answer.text


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_username_is_taken_in_any_case(api: Api, change: object) -> None:
    name = new_name("mixed")
    assert api.sign_up(name).status_code == 201
    assert callable(change)
    problem(api.sign_up(change(name)), 409, "username_taken")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "x" * 33),
        ("username", "with space"),
        ("username", "slash/ed"),
        ("username", ""),
        ("password", "1234567"),
        ("password", "x" * 1025),
        ("password", "ü" * 513),
    ],
)
def test_sign_up_names_the_field_that_is_out_of_range(api: Api, field: str, value: str) -> None:
    body = {"username": new_name(), "password": PASSWORD} | {field: value}
    errors = problem(api.post("/auth/signup", body), 422)["errors"]
    assert [error["field"] for error in errors] == [field]
    assert all(error["code"] and error["detail"] for error in errors)


@pytest.mark.parametrize("password", ["x" * 8, "y" * 1024, "  spaces  ", "ümläut-𝄞-pass", "tab\tline\n"])
def test_any_password_of_8_to_1024_bytes_works_as_it_is(api: Api, password: str) -> None:
    name = new_name()
    assert api.sign_up(name, password).status_code == 201
    assert api.log_in(name, password).status_code == 200
    assert api.log_in(name, password.strip() + "x").status_code == 401


def test_password_is_not_normalised(api: Api) -> None:
    name = new_name()
    assert api.sign_up(name, "caf\u00e9 au lait").status_code == 201
    assert api.log_in(name, "cafe\u0301 au lait").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"username": "someone", "password": PASSWORD, "colour": "red"},
        {"username": "someone"},
        {"username": 12, "password": PASSWORD},
        {"username": "someone", "password": None},
        ["username", "password"],
        "username",
    ],
)
def test_sign_up_refuses_a_wrong_shape(api: Api, body: object) -> None:
    problem(api.post("/auth/signup", body), 400)


def test_sign_up_can_be_closed(make_stack: MakeStack) -> None:
    problem(Api(make_stack({"auth.sign_up": "closed"})).sign_up(new_name()), 403)


# -- log_in
def test_log_in(ann: Person, api: Api) -> None:
    answer = api.log_in(ann.username.upper())
    assert answer.status_code == 200
    assert answer.json()["user"] == ann.user
    assert Person(ann.stack, answer.json()).get("/users/me").status_code == 200


def test_unknown_person_and_wrong_password_get_the_same_answer(ann: Person, api: Api) -> None:
    wrong = api.log_in(ann.username, "not the password")
    unknown = api.log_in(new_name("nobody"), "not the password")
    assert "www-authenticate" in wrong.headers and "www-authenticate" in unknown.headers
    mine, theirs = problem(wrong, 401), problem(unknown, 401)
    assert mine.pop("request_id") != theirs.pop("request_id")
    assert mine == theirs


# -- refresh_session
def test_refresh_rotates(ann: Person) -> None:
    answer = ann.refresh(str(ann.refresh_token))
    assert answer.status_code == 200
    body = answer.json()
    assert body["refresh_token"] != ann.refresh_token
    assert Api(ann.stack, body["access_token"]).get("/users/me").json()["id"] == ann.id
    assert ann.refresh(body["refresh_token"]).status_code == 200


def test_previous_refresh_token_works_until_its_successor_is_used(ann: Person) -> None:
    """An answer that was lost on the way costs nobody their session."""
    assert ann.refresh(str(ann.refresh_token)).status_code == 200, "this answer is lost"
    again = ann.refresh(str(ann.refresh_token))
    assert again.status_code == 200
    assert ann.refresh(again.json()["refresh_token"]).status_code == 200


def test_an_old_refresh_token_is_refused_after_its_successor_was_used(ann: Person) -> None:
    second = ann.refresh(str(ann.refresh_token)).json()["refresh_token"]
    assert ann.refresh(second).status_code == 200
    problem(ann.refresh(str(ann.refresh_token)), 401)


def test_an_old_refresh_token_revokes_the_session(ann: Person) -> None:
    """Somebody who shows a token that was used up has stolen it, or was stolen from."""
    second = ann.refresh(str(ann.refresh_token)).json()["refresh_token"]
    newest = ann.refresh(second).json()
    problem(ann.refresh(str(ann.refresh_token)), 401)
    problem(ann.refresh(newest["refresh_token"]), 401)
    problem(Api(ann.stack, newest["access_token"]).get("/users/me"), 401)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 4000])
def test_unknown_refresh_token(api: Api, token: str) -> None:
    assert api.refresh(token).status_code in ((401,) if token else (400, 401, 422))


# -- log_out
def test_log_out_ends_the_session_at_once(ann: Person) -> None:
    other = ann.another_device()
    assert ann.log_out().status_code == 204
    problem(ann.get("/users/me"), 401)
    problem(ann.refresh(str(ann.refresh_token)), 401)
    assert other.get("/users/me").status_code == 200, "the other device stays logged in"


# -- cookie mode
def cookie_of(answer: httpx.Response) -> str:
    """The one Set-Cookie of an answer, with its attributes checked."""
    (cookie,) = answer.headers.get_list("set-cookie")
    attributes = [part.strip().lower() for part in cookie.split(";")]
    assert "httponly" in attributes
    assert "samesite=strict" in attributes
    assert any(part.startswith("path=/") for part in attributes)
    return str(cookie)


def value_of(cookie: str) -> str:
    return cookie.split(";")[0].split("=", 1)[1]


@pytest.mark.parametrize("door", ["sign_up", "log_in"])
def test_cookie_mode_keeps_the_refresh_token_out_of_the_body(ann: Person, api: Api, door: str) -> None:
    answer = (
        api.sign_up(new_name(), session="cookie") if door == "sign_up" else api.log_in(ann.username, session="cookie")
    )
    assert answer.status_code == (201 if door == "sign_up" else 200)
    assert "refresh_token" not in answer.json()
    cookie = cookie_of(answer)
    assert value_of(cookie) not in answer.text
    assert "max-age=" in cookie.lower() or "expires=" in cookie.lower(), "it survives the browser's end"


def test_cookie_mode_refreshes_and_logs_out(ann: Person, api: Api) -> None:
    first = cookie_of(api.log_in(ann.username, session="cookie"))
    own = {"Origin": api.stack.url, "Sec-Fetch-Site": "same-origin"}
    answer = api.post("/auth/refresh", {}, headers=own)
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()
    assert value_of(cookie_of(answer)) != value_of(first)
    api.token = answer.json()["access_token"]
    assert api.get("/users/me").json()["id"] == ann.id
    out = api.post("/auth/logout", {}, headers=own)
    assert out.status_code == 204
    assert value_of(cookie_of(out)) == ""
    api.token = None
    problem(api.post("/auth/refresh", {}, headers=own), 401)


@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_cookie_mode_refuses_foreign_pages(ann: Person, api: Api, foreign: dict[str, str]) -> None:
    assert api.log_in(ann.username, session="cookie").status_code == 200
    problem(api.post("/auth/refresh", {}, headers=foreign), 403)
    body = {"username": ann.username, "password": PASSWORD, "session": "cookie"}
    problem(api.post("/auth/login", body, headers=foreign), 403)
    problem(api.post("/auth/signup", body | {"username": new_name()}, headers=foreign), 403)
    problem(api.post("/auth/logout", {}, headers=foreign), 403)
    assert api.post("/auth/refresh", {}, headers={"Origin": api.stack.url}).status_code == 200, (
        "it did not lose its cookie"
    )


def test_an_origin_of_the_settings_is_not_foreign(make_stack: MakeStack) -> None:
    """A log-in for each: behind https the next cookie is for https alone."""
    stack = make_stack({"public.origins": "https://chat.example, https://other.example"})
    name = new_name()
    assert Api(stack).sign_up(name).status_code == 201
    for origin, status in [
        ("https://chat.example", 200),
        ("https://other.example", 200),
        ("https://third.example", 403),
    ]:
        api = Api(stack)
        assert api.log_in(name, session="cookie").status_code == 200
        assert api.post("/auth/refresh", {}, headers={"Origin": origin}).status_code == status


def test_two_copies_on_one_host_do_not_log_one_another_out(api: Api, make_stack: MakeStack) -> None:
    """Cookies are a host's, whatever the port: one jar for both, as in a browser."""
    other = Api(make_stack())
    doors = (api, other)
    for door in doors:
        cookie = cookie_of(door.sign_up(new_name(), session="cookie"))
        assert cookie.startswith(f"stonechat_refresh_{door.stack.port}=")
    jar = {cookie.name: str(cookie.value) for door in doors for cookie in door.http.cookies.jar}
    assert len(jar) == 2
    header = "; ".join(f"{name}={value}" for name, value in jar.items())
    for door in doors:
        answer = httpx.post(door.stack.url + "/api/v1/auth/refresh", json={}, headers={"Cookie": header})
        assert answer.status_code == 200, answer.text


def test_session_has_one_of_two_values(ann: Person, api: Api) -> None:
    problem(api.sign_up(new_name(), session="sausage"), 422)
    problem(api.log_in(ann.username, session="sausage"), 422)


@pytest.mark.parametrize("path", ["/auth/login", "/auth/refresh", "/auth/logout"])
@pytest.mark.parametrize("body", [{"colour": "red"}, {"refresh_token": 7}, []])
def test_the_other_doors_refuse_a_wrong_shape(api: Api, path: str, body: object) -> None:
    problem(api.post(path, body), 400)


# -- get_me, and who may
def test_get_me(ann: Person) -> None:
    answer = ann.get("/users/me")
    assert answer.status_code == 200
    assert answer.json() == ann.user


def forge(token: str, header: dict[str, object], key: bytes) -> str:
    """The claims of a good token below another header and key."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = part(json.dumps(header).encode()) + "." + token.split(".")[1]
    signature = part(hmac.digest(key, signed.encode(), hashlib.sha256)) if key else ""
    return f"{signed}.{signature}"


def test_a_token_that_is_none_of_ours_is_refused(ann: Person) -> None:
    good = str(ann.token)
    header, claims, signature = good.split(".")
    bad = {
        "none": None,
        "garbage": "garbage",
        "cut": f"{header}.{claims}",
        "changed signature": f"{header}.{claims}.{signature[:-3]}AAA",
        "changed claims": f"{header}.{claims[:-2]}AA.{signature}",
        "alg none": forge(good, {"alg": "none", "typ": "JWT"}, b""),
        "another key": forge(good, {"alg": "HS256", "typ": "JWT"}, b"k" * 32),
        "no key": forge(good, {"alg": "HS256", "typ": "JWT"}, b"\0"),
        "refresh token": ann.refresh_token,
    }
    for name, token in bad.items():
        answer = Api(ann.stack).request(
            "GET", "/users/me", headers={"Authorization": f"Bearer {token}"} if token is not None else {}
        )
        assert answer.headers.get("www-authenticate", "").startswith("Bearer"), name
        problem(answer, 401)
    basic = Api(ann.stack).request("GET", "/users/me", headers={"Authorization": f"Basic {good}"})
    problem(basic, 401)


def test_an_access_token_expires(make_stack: MakeStack) -> None:
    ann = Person.new(make_stack({"auth.access_token_s": "1"}))
    answer = wait_until(lambda: (a := ann.get("/users/me")).status_code == 401 and a, "the token has expired")
    problem(answer, 401)
    assert ann.refresh(str(ann.refresh_token)).status_code == 200


# -- find_users
def test_find_users_by_the_beginning_of_either_name(person: MakePerson, ann: Person) -> None:
    word = new_name("z")[:14]
    by_name = Person.new(ann.stack, word)
    by_display = person("other", display_name=f"{word.upper()} the Great")
    person("not", display_name=f"not {word}")
    answer = ann.get("/users", query=word[:-1].upper())
    assert answer.status_code == 200
    assert {user["id"] for user in answer.json()["items"]} == {by_name.id, by_display.id}


def test_find_users_tells_nothing_private(ann: Person, bob: Person) -> None:
    (found,) = ann.get("/users", query=bob.username).json()["items"]
    assert found["id"] == bob.id
    assert not {key for key in found if "hash" in key or "password" in key or "session" in key}


def test_find_users_treats_wildcards_as_letters(ann: Person, bob: Person) -> None:
    assert ann.get("/users", query="%").json()["items"] == []
    pattern = bob.username.replace("_", "%", 1)
    assert ann.get("/users", query=pattern).json()["items"] == []


def test_find_users_in_pages(ann: Person) -> None:
    word = new_name("y")[:14]
    everybody = {Person.new(ann.stack, word).id for _ in range(5)}
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = ann.get("/users", query=word, limit=2, **cursor).json()
        assert len(page["items"]) <= 2
        found += [user["id"] for user in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(found) == 5
    assert set(found) == everybody


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": "0"}, 422),
        ({"limit": "201"}, 422),
        ({"limit": "many"}, 400),
        ({"limit": "-1"}, 422),
        ({"cursor": "nonsense"}, 400),
    ],
)
def test_find_users_refuses_bad_parameters(ann: Person, params: dict[str, str], status: int) -> None:
    problem(ann.get("/users", query="a", **params), status)
