"""Who may do what: every operation of api/openapi.yaml, tried by everybody there is.

An operation without a rule fails here, so that nobody adds one without saying whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from support import truth
from support.openapi import Operation, load
from support.problems import problem
from support.scene import Scene, each
from support.stack import Stack
from support.tokens import claims_of

DOCUMENT = load()
FINE = 200  # stands for any success


@dataclass(frozen=True)
class Rule:
    """What the owner of the thing, the other party of the conversation, and a stranger to both get."""

    owner: int
    other: int
    stranger: int
    nobody: int = 401  # without a token; the same goes for who is disabled and for a session that was revoked
    admin: int = 403  # of the group, where there is one


ANYBODY = Rule(FINE, FINE, FINE, FINE)
EACH_FOR_THEMSELVES = Rule(FINE, FINE, FINE)
MEMBERS = Rule(FINE, FINE, 404)
THE_SENDER = Rule(FINE, 403, 404)
THE_OWNER = Rule(FINE, 403, 404)  # of a group
ITS_ADMINS = Rule(FINE, 403, 404, admin=FINE)
ONES_OWN = Rule(FINE, 404, 404)
ADMINS = Rule(FINE, 403, 403)  # the owner is one: support/scene.py

RULES = {
    "sign_up": ANYBODY,
    "log_in": ANYBODY,
    "refresh_session": ANYBODY,
    "log_out": ANYBODY,
    "healthz": ANYBODY,
    "readyz": ANYBODY,
    "list_sessions": EACH_FOR_THEMSELVES,
    "get_me": EACH_FOR_THEMSELVES,
    "update_me": EACH_FOR_THEMSELVES,
    "change_password": EACH_FOR_THEMSELVES,
    "find_users": EACH_FOR_THEMSELVES,
    "get_presence": EACH_FOR_THEMSELVES,
    "get_user": EACH_FOR_THEMSELVES,
    "list_conversations": EACH_FOR_THEMSELVES,
    "create_conversation": EACH_FOR_THEMSELVES,
    "send_direct_message": EACH_FOR_THEMSELVES,
    "sync": EACH_FOR_THEMSELVES,
    "get_conversation": MEMBERS,
    "list_messages": MEMBERS,
    "list_changes": MEMBERS,
    "send_message": MEMBERS,
    "mark_read": MEMBERS,
    "mute_conversation": MEMBERS,
    "unmute_conversation": MEMBERS,
    "get_message": MEMBERS,
    "list_readers": MEMBERS,
    "add_reaction": MEMBERS,
    "remove_reaction": MEMBERS,
    "list_members": MEMBERS,
    "update_conversation": ITS_ADMINS,
    "delete_conversation": THE_OWNER,
    "add_members": ITS_ADMINS,
    "add_member": ITS_ADMINS,
    "update_member": THE_OWNER,
    "remove_member": ITS_ADMINS,
    "edit_message": THE_SENDER,
    "delete_message": THE_SENDER,
    "revoke_session": ONES_OWN,
    "revoke_sessions": EACH_FOR_THEMSELVES,
    "list_tokens": EACH_FOR_THEMSELVES,
    "create_token": EACH_FOR_THEMSELVES,
    "revoke_token": ONES_OWN,
    "export_me": EACH_FOR_THEMSELVES,
    "delete_me": EACH_FOR_THEMSELVES,
    "list_accounts": ADMINS,
    "get_account": ADMINS,
    "update_account": ADMINS,
    "delete_account": ADMINS,
    "reset_password": ADMINS,
    "hand_over_conversation": ADMINS,
    "list_invites": ADMINS,
    "create_invite": ADMINS,
    "revoke_invite": ADMINS,
    "get_settings": ADMINS,
    "update_settings": ADMINS,
    "list_audit": ADMINS,
    "list_blocks": EACH_FOR_THEMSELVES,
    "block_user": EACH_FOR_THEMSELVES,
    "unblock_user": EACH_FOR_THEMSELVES,
}


# of any conversation, direct or a group
OF_MEMBERS = [o for o in DOCUMENT.operations if RULES.get(o.id) in (MEMBERS, THE_SENDER)]


def test_every_operation_has_a_rule() -> None:
    assert {operation.id for operation in DOCUMENT.operations} == RULES.keys()


def test_what_needs_no_token_says_so() -> None:
    """`security: []` stands at exactly those that anybody may use."""
    assert {o.id for o in DOCUMENT.operations if not o.closed} == {k for k, rule in RULES.items() if rule is ANYBODY}


@pytest.fixture
def scene(stack: Stack) -> Iterator[Scene]:
    scene = Scene(stack)
    yield scene
    scene.close()


def outcome(answer: httpx.Response) -> int:
    if answer.is_success:
        return FINE
    problem(answer, answer.status_code)
    return answer.status_code


@pytest.mark.parametrize("operation", each([o for o in DOCUMENT.operations if o.closed]))
def test_access(scene: Scene, operation: Operation) -> None:
    rule = RULES[operation.id]
    call = scene.call(operation)
    if scene.group_id:
        former = scene.more[0]
        assert former.remove(scene.group_id).status_code == 204
        assert outcome(call.send(scene.api, former.token)) == rule.stranger, "who was a member is a stranger"
        assert scene.ann.add(scene.group_id, former).status_code == 200
    before = state(scene)

    got = {"nobody": outcome(call.send(scene.api))}
    if rule.stranger != FINE:
        got["stranger"] = outcome(call.send(scene.api, scene.eve.token))
    if scene.group_id and rule.admin != FINE:
        got["admin"] = outcome(call.send(scene.api, scene.more[2].token))
    if rule.other != FINE:
        got["other"] = outcome(call.send(scene.api, scene.bob.token))

    device = scene.ann.another_device()
    truth.revoke_session(scene.stack, str(claims_of(str(device.token))["sid"]))
    got["revoked"] = outcome(call.send(scene.api, device.token))
    truth.disable_user(scene.stack, scene.ann.id)
    got["disabled"] = outcome(call.send(scene.api, scene.ann.token))
    truth.enable_user(scene.stack, scene.ann.id)
    assert state(scene) == before, "who is refused changes nothing"

    admins = [("admin", scene.more[2])] if scene.group_id else []
    for name, person in (("stranger", scene.eve), ("other", scene.bob), *admins, ("owner", scene.ann)):
        if name not in got:
            got[name] = outcome(call.send(scene.api, person.token))
    assert got == {
        "owner": rule.owner,
        "other": rule.other,
        "stranger": rule.stranger,
        "nobody": rule.nobody,
        "disabled": 401,
        "revoked": 401,
    } | ({"admin": rule.admin} if scene.group_id else {})


@pytest.mark.parametrize("operation", each(OF_MEMBERS))
def test_access_in_a_group(scene: Scene, operation: Operation) -> None:
    """Where there are also who was a member, and an admin: the one is a stranger, the other no more than a member."""
    rule = RULES[operation.id]
    former = scene.move_to_group()
    call = scene.call(operation)
    callers = {"former": former, "stranger": scene.eve, "admin": scene.more[2], "other": scene.bob, "owner": scene.ann}
    wanted = {"former": rule.stranger, "stranger": rule.stranger, "admin": rule.other, "other": rule.other}
    before = state(scene)

    got = {"nobody": outcome(call.send(scene.api))}
    for name in [name for name, code in wanted.items() if code != FINE]:
        got[name] = outcome(call.send(scene.api, callers[name].token))
    assert state(scene) == before, "who is refused changes nothing"
    for name in [name for name in callers if name not in got]:
        got[name] = outcome(call.send(scene.api, callers[name].token))
    assert got == wanted | {"nobody": rule.nobody, "owner": rule.owner}


def state(scene: Scene) -> object:
    """What an operation of the scene could change."""
    return (
        scene.bob.history(scene.conversation_id),
        scene.bob.get(f"/conversations/{scene.conversation_id}").json(),
        scene.ann.sync().json()["me"],
        scene.ann.get("/users/me").json(),
        [item["id"] for item in scene.ann.get("/auth/sessions").json()["items"]][-1:],
        len(scene.eve.conversations()),
        scene.ann.get(f"/conversations/{scene.group_id}").json() if scene.group_id else None,
    )


@pytest.mark.parametrize("operation", each([o for o in DOCUMENT.operations if not o.closed]))
def test_what_is_open_is_open_to_all(scene: Scene, operation: Operation) -> None:
    """Without a token, and no worse with one that is worth nothing."""
    assert outcome(scene.call(operation).send(scene.api)) == FINE
    if operation.id == "log_out":
        return  # the refresh token has been used up
    for token in ("nonsense", str(scene.eve.token)):
        fresh = scene.call(operation)
        assert outcome(fresh.send(scene.api, token)) == FINE


@pytest.mark.parametrize("operation", each(OF_MEMBERS))
def test_what_is_others_looks_like_what_is_not_there(scene: Scene, operation: Operation) -> None:
    """Word for word, but for the ids that the stranger named."""
    there = problem(scene.call(operation).send(scene.api, scene.eve.token), 404)
    missing = "00000000-0000-4000-8000-000000000000"
    nowhere = problem(scene.call(operation, conversation_id=missing).send(scene.api, scene.eve.token), 404)
    for varies in ("request_id", "instance"):
        there.pop(varies, None), nowhere.pop(varies, None)
    assert there == nowhere
