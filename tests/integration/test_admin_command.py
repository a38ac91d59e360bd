"""`stonechat admin …` beside the running servers: it does what REST does, and they hear of it."""

from __future__ import annotations

import subprocess
import time
from datetime import datetime, timedelta

import pytest

from support import truth
from support.admin_command import did, run
from support.client import Api, Person, new_name
from support.problems import problem
from support.shared import MakePerson, MakeStack
from support.stack import Stack

BUS_BOUND_S, CHECK_BOUND_S, PATIENCE = 1.0, 5.0, 3


def test_disable_and_enable_reach_the_servers(stack: Stack, person: MakePerson) -> None:
    ann = person()
    with ann.connect() as live:
        began = time.monotonic()
        done = run(stack, "disable", ann.username.upper())
        assert done.returncode == 0 and "Redis" not in done.stderr, done.stderr
        assert live.wait_closed(BUS_BOUND_S * PATIENCE) == 4403
        print(f"closed after {time.monotonic() - began:.2f} s, the command included (promised: {BUS_BOUND_S:g} s)")
    problem(ann.get("/users/me"), 401, "session_ended")
    (account,) = did(stack, "enable", ann.id)
    assert account["state"] == "active"
    assert Api(stack).log_in(ann.username).status_code == 200
    acts = did(stack, "audit", "--target", ann.id)
    assert [act["action"] for act in acts] == ["user.enabled", "user.disabled"]
    assert acts[0]["actor"].startswith("operator:") and acts[0]["address"] is None


def test_without_redis_it_says_so_and_the_servers_find_out(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann = Person.new(stack, "ann")
    truth.write(stack, "UPDATE users SET role = 'member'")
    stack.redis.kill()
    with ann.connect() as live:
        began = time.monotonic()
        done = run(stack, "disable", ann.username)
        assert done.returncode == 0 and "within 5 seconds" in done.stderr, done.stderr
        assert live.wait_closed(CHECK_BOUND_S * PATIENCE) == 4403
        print(f"closed after {time.monotonic() - began:.2f} s (promised: {CHECK_BOUND_S:g} s)")


def test_roles_passwords_and_the_end(stack: Stack, person: MakePerson) -> None:
    ann = person()
    problem(ann.get("/admin/users"), 403, "admin_required")
    assert did(stack, "grant", ann.username)[0]["role"] == "admin"
    assert ann.get("/admin/users").status_code == 200
    assert did(stack, "revoke-role", ann.username)[0]["role"] == "member"
    (once,) = did(stack, "reset-password", ann.username)
    (act,) = did(stack, "audit", "--action", "user.password_reset", "--target", ann.id)
    life = datetime.fromisoformat(once["expires_at"]) - datetime.fromisoformat(act["at"])
    assert life == timedelta(hours=72)
    assert Api(stack).log_in(ann.username, once["password"]).json()["user"]["must_change_password"] is True
    refused = run(stack, "delete", ann.username)
    assert refused.returncode == 1 and "--yes" in refused.stderr
    assert did(stack, "delete", "--yes", ann.username) == [{"user_id": ann.id, "state": "deleted"}]
    assert did(stack, "show", ann.username)[0]["state"] == "deleted", "by the name that stays reserved"
    assert run(stack, "disable", ann.username).returncode == 1
    assert run(stack, "delete", "--yes", ann.username).returncode == 0, "again"
    assert "user.deleted" in run(stack, "show", ann.id).stdout


def test_invites_and_the_switch(make_stack: MakeStack) -> None:
    stack = make_stack({"auth.sign_up": "invite"})
    api = Api(stack)
    code = run(stack, "invite", "--days", "1", "--note", "for the first").stdout.strip()
    first = api.sign_up(new_name(), invite_code=code)
    assert first.json()["user"]["role"] == "admin", "the first person, on a server that is not open"
    assert did(stack, "invites")[0]["used_by"] == first.json()["user"]["id"]
    assert did(stack, "sign-up") == [{"sign_up": "invite", "by_setting": True}]
    assert did(stack, "sign-up", "closed") == [{"sign_up": "closed", "by_setting": False}]
    problem(api.sign_up(new_name()), 403, "sign_up_closed")
    assert did(stack, "sign-up", "default")[0]["sign_up"] == "invite"
    (made,) = did(stack, "invite")
    assert run(stack, "revoke-invite", made["id"]).returncode == 0
    problem(api.sign_up(new_name(), invite_code=made["code"]), 403, "invite_invalid")


def test_a_list_is_filtered(stack: Stack, person: MakePerson) -> None:
    ann = person("inlist")
    (found,) = did(stack, "list", ann.username)
    assert found["id"] == ann.id and found["state"] == "active"
    assert did(stack, "list", "--state", "disabled", ann.username) == []
    assert ann.username in run(stack, "list", "inlist").stdout
    assert len(did(stack, "list", "--limit", "1")) == 1


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        ((), 0, "reset-password USER"),
        (("dance",), 2, "reset-password USER"),
        (("disable",), 2, "stonechat admin disable USER"),
        (("disable", "a", "b"), 2, "one too many"),
        (("invites", "x"), 2, "one too many"),
        (("list", "--colour"), 2, "no option --colour"),
        (("list", "--limit"), 2, "needs a value"),
        (("list", "--limit", "-1"), 2, "whole number"),
        (("list", "--state", "odd"), 1, "--state is"),
        (("list", "--state", "all active"), 1, "--state is"),
        (("disable", "no_such_person"), 1, "stonechat admin list"),
        (("disable", "\x01"), 1, "stonechat admin list"),
        (("sign-up", "ajar"), 1, "open, invite, closed"),
        (("sign-up", "open invite"), 1, "open, invite, closed"),
        (("invite", "--days", "366"), 1, "1 to 365"),
        (("invite", "--note", "\x07"), 1, "none that control or are invisible"),
        (("invite", "--note", "for \u202eann"), 1, "none that control or are invisible"),
        (("invite", "--note", "for\u200bann"), 1, "none that control or are invisible"),
        (("revoke-invite", "odd"), 1, "stonechat admin invites"),
        (("revoke-invite", "00000000-0000-4000-8000-000000000000"), 1, "no such invite"),
    ],
)
def test_what_is_wrong_is_said(stack: Stack, argv: tuple[str, ...], status: int, said: str) -> None:
    done = run(stack, *argv)
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


def test_the_last_administrator_stays(make_stack: MakeStack) -> None:
    stack = make_stack()
    root = Person.new(stack, "root")
    for argv in (("disable",), ("revoke-role",), ("delete", "--yes")):
        done = run(stack, *argv, root.username)
        assert done.returncode == 1 and "last administrator" in done.stderr


def test_without_a_database_it_names_the_command(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> None:
    env = stack.env | {"STONECHAT_DATA": str(tmp_path_factory.mktemp("none")), "STONECHAT_DATABASE_URL": ""}
    done = subprocess.run([str(stack.build / "stonechat"), "admin", "list"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "stonechat migrate" in done.stderr
