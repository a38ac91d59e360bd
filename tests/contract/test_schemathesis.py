"""Schemathesis against the running stack: requests made up from api/openapi.yaml, good and bad ones, alone and in
sequences along its links, by two people; no answer is a 5xx, and none is undocumented.

Always the same requests: STONECHAT_SEED=N tries others. What it generates depends on nothing but the document, the seed
and the ids of the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.client import Json, Person
from support.openapi import load
from support.scene import Scene
from support.stack import Stack

SEED = os.environ.get("STONECHAT_SEED", "42")
WITHIN_S = 400
DOCUMENT = load()

# What makes a good request be refused when things are otherwise than it says.
CONDITIONS = ("IdempotencyKey", "IfMatch", "IfNoneMatch")

# A sequence is played again in parts, and is to go the same way: with Bob the conversation is there already.
MADE_ONCE = ("POST /api/v1/conversations", "201")

# Of 74, of which three lead from what is made once; the others that are missed differ with the seed.
LINKS_FOLLOWED_MIN = 50

# These end a session, after which all else is 401: each is tried by itself.
FAREWELLS = ["log_out", "revoke_session"]

# With the password of the example it ends a person, or the sessions of whose id is drawn, Ann's own too:
# tests/integration/test_administration.py tries both.
LEFT_OUT = [*FAREWELLS, "delete_me", "reset_password"]

CONFIG = f"""
hooks = "{Path(__file__).with_name("schemathesis_hooks.py")}"

[output.sanitization]
enabled = false # the people of these tests exist for a minute

# 401: it went without its token on purpose. 403, 404, 409 and 412: whose it is, whether it is there, and as it was.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 304, 401, 403, 404, 409, 412]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]

[generation]
max-examples = 60 # of each operation
allow-x00 = false # NUL is refused everywhere (docs/decisions/0007), which no schema can say

[phases.stateful]
max-steps = 10
inference.algorithms = [] # the links of the document, and no guesses
generation.max-examples = 160

[auth.wfc]
path = "people.json"
peers = ["ann", "eve"]

# Everybody may see everybody.
[[operations]]
include-operation-id = ["get_user", "get_presence"]
checks.object_level_authorization.enabled = false

# A deleted message keeps its place: it is 200, without its content.
[[operations]]
include-operation-id = "get_message"
checks.use_after_free.enabled = false

# 422 for what no schema says: a username after folding, a password's length in bytes, a blank or invisible name.
[[operations]]
include-operation-id = ["sign_up", "update_me", "change_password"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 409, 422]

# 422 for a blank or invisible title, and for people who are nobody.
[[operations]]
include-operation-id = ["create_conversation", "update_conversation", "add_members", "add_member"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422]

# 422 for a blank or invisible name, for oneself, and for a time that is over.
[[operations]]
include-operation-id = ["create_token", "block_user", "mute_conversation"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422]

# 422 for a seq that no message has yet.
[[operations]]
include-operation-id = "mark_read"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 404, 422]

# 422 for a reply to a message of another conversation.
[[operations]]
include-operation-id = ["send_message", "send_direct_message"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 404, 409, 422]
"""


def document(scene: Scene) -> Json:
    """api/openapi.yaml for this stack: with paths from the root, and what exists among the values to choose from."""
    there = scene.values(DOCUMENT.operations[0]) | {
        "emoji": "👍",
        "session_id": scene.session_of(scene.ann),
        "token_id": scene.ann.post("/auth/tokens", {"name": "a script"}).json()["id"],
        "invite_id": scene.ann.post("/admin/invites", {}).json()["id"],
        "message_id": scene.message["id"],
        "reply_to_id": scene.message["id"],
    }
    del there["refresh_token"]
    spec: Json = json.loads(with_ids(json.dumps(DOCUMENT.spec), scene, there))
    spec["servers"] = [{"url": scene.stack.url}]
    paths, spec["paths"] = spec["paths"], {}
    cursors = cursors_of(scene)
    for operation in DOCUMENT.operations:
        path = paths[operation.steps[1]]
        path.pop("servers", None)
        spec["paths"][operation.path] = path
        for parameter in path.get(operation.steps[2], {}).get("parameters", []):
            if parameter.get("$ref") == "#/components/parameters/Cursor":
                parameter |= {"name": "cursor", "in": "query", "schema": {"enum": [cursors[operation.id]]}}
                del parameter["$ref"]
    spec["components"]["schemas"]["SyncRequest"]["properties"]["cursor"] = {"enum": [cursors["sync"], None]}
    settle(spec, there)
    return spec


def with_ids(text: str, scene: Scene, there: Json) -> str:
    """The document with ids that exist in place of those of its examples, from which Schemathesis takes ids too."""
    parameters = [one for operation in DOCUMENT.operations for one in operation.parameters()]
    real = {one["example"]: there[one["name"]] for one in parameters if one["name"].endswith("_id")}
    me = next(operation for operation in DOCUMENT.operations if operation.id == "get_me")
    real[me.spec["responses"]["200"]["content"]["application/json"]["example"]["id"]] = scene.ann.id
    for shown, existing in real.items():
        text = text.replace(shown, existing)
    return text


def cursors_of(scene: Scene) -> Json:
    """A cursor for each operation that takes one."""
    ann = scene.ann
    people = []
    for _ in range(2):
        ann.another_device().close()
        bob = Person.new(scene.stack, "bob")
        assert ann.request("PUT", f"/users/me/blocks/{bob.id}").status_code == 204
        assert ann.post("/admin/invites", {}).status_code == 201
        people.append(bob)
    ann.say(ann, "a note to self")
    pages = {
        "list_sessions": ann.get("/auth/sessions", limit=1),
        "list_conversations": ann.get("/conversations", limit=1),
        "find_users": ann.get("/users", query="bob", limit=1),
        "list_members": ann.get(f"/conversations/{scene.conversation_id}/members", limit=1),
        "list_blocks": ann.get("/users/me/blocks", limit=1),
        "export_me": ann.get("/users/me/export", limit=1),
        "list_accounts": ann.get("/admin/users", limit=1),
        "list_invites": ann.get("/admin/invites", limit=1),
        "list_audit": ann.get("/admin/audit", limit=1),
        "list_readers": read_by_two(ann, people),
        "sync": ann.post("/sync", {"limit": 1}),
    }
    cursors = {name: answer.json()["next_cursor"] for name, answer in pages.items()}
    assert all(cursors.values())
    return cursors


def read_by_two(ann: Person, people: list[Person]) -> httpx.Response:
    """The first of those who have read a message in a group."""
    draft = {"kind": "group", "title": "Readers", "member_ids": [person.id for person in people]}
    room = ann.post("/conversations", draft).json()["id"]
    message = ann.send(room, "read this").json()
    for person in people:
        assert person.request("PUT", f"/conversations/{room}/read", json={"seq": message["seq"]}).status_code == 200
        person.close()
    return ann.get(f"/conversations/{room}/messages/{message['id']}/readers", limit=1)


def settle(node: Any, there: Json) -> None:
    """Puts what is there into examples, and into the choice of values, wherever a key or parameter has its name."""
    if isinstance(node, list):
        for one in node:
            settle(one, there)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("name"), str) and node["name"] in there and "in" in node and "schema" in node:
        node["example"] = there[node["name"]]
        other = {"type": "string", "format": "uuid"} if node["in"] == "path" else node["schema"]
        other = {"enum": ["👋", "❤️", "🇩🇪", "1️⃣"]} if node["name"] == "emoji" else other
        node["schema"] = {"anyOf": [{"enum": [there[node["name"]]]}, other]}
    for name, schema in node.get("properties", {}).items() if node.get("additionalProperties") is False else ():
        if name in there and name.endswith("_id"):
            node["properties"][name] = {"anyOf": [{"enum": [there[name]]}, schema]}
    if isinstance(node.get("example"), dict):
        node["example"] |= {k: v for k, v in there.items() if k in node["example"] and k.endswith("_id")}
    for key, one in node.items():
        if key not in ("example", "enum"):
            settle(one, there)


def run(stack: Stack, folder: Path, spec: Json, people: dict[str, str], *arguments: str) -> str:
    """Runs it in this folder; what it printed. It reads its settings from there and leaves its files there."""
    (folder / "openapi.json").write_text(json.dumps(spec))
    (folder / "schemathesis.toml").write_text(CONFIG)
    headers = {name: [{"name": "Authorization", "value": f"Bearer {token}"}] for name, token in people.items()}
    auth = [{"name": name, "fixedHeaders": header} for name, header in headers.items()]
    (folder / "people.json").write_text(json.dumps({"auth": auth}))
    command = [Path(sys.executable).parent / "schemathesis", "run", "openapi.json", "--url", stack.url, "--seed", SEED,
               "--report-ndjson-path", "report.ndjson", "--continue-on-failure", *arguments]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S)
    print(done.stdout)
    assert done.returncode == 0, f"seed {SEED}\n{done.stdout[-12000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def scene(own_stack: Stack) -> Iterator[Scene]:
    scene = Scene(own_stack)
    yield scene
    scene.close()


def options(name: str, values: list[str]) -> list[str]:
    return [part for value in values for part in (name, value)]


def people(scene: Scene) -> dict[str, str]:
    return {"ann": str(scene.ann.token), "eve": str(scene.eve.token)}


def test_every_operation_alone(scene: Scene, tmp_path: Path) -> None:
    phases = ["--phases", "examples,coverage,fuzzing", *options("--exclude-operation-id", LEFT_OUT)]
    said = run(scene.stack, tmp_path, document(scene), people(scene), *phases)
    assert f"Tested: {len(DOCUMENT.operations) - len(LEFT_OUT)}" in said
    assert scene.ann.get("/users/me").status_code == 200, "she was logged in all the while"
    assert scene.eve.get("/users/me").status_code == 200


def accepted(spec: Json, there: Json) -> Json:
    """The document with only what leads on: each operation alone has tried what may be said besides, and conditions."""
    schemas = spec["components"]["schemas"]
    schemas["Content"] = {"enum": ["Hello", "Hello again", "👍", "x" * 4000]}
    for draft in ("MessageDraft", "DirectMessageDraft"):
        del schemas[draft]["properties"]["id"]
    schemas["DirectMessageDraft"]["properties"]["recipient_id"] = {"enum": [there["recipient_id"]]}
    schemas["DirectDraft"]["properties"]["user_id"] = {"enum": [there["user_id"]]}
    for operation in DOCUMENT.operations:
        parameters = spec["paths"][operation.path][operation.steps[2]].get("parameters", [])
        parameters[:] = [one for one in parameters if one.get("$ref", "").rsplit("/", 1)[-1] not in CONDITIONS]
        for one in parameters:
            if one.get("name") == "query":
                one["schema"] = {"enum": [there["query"]]}
    return spec


def documented_links() -> dict[str, tuple[str, str]]:
    """Every link as Schemathesis names it, and the operation and status from which it leads."""
    labels = {operation.id: f"{operation.steps[2].upper()} {operation.path}" for operation in DOCUMENT.operations}
    found = {}
    for operation in DOCUMENT.operations:
        for status, response in operation.spec["responses"].items():
            for name, link in DOCUMENT.resolve(response, ())[0].get("links", {}).items():
                target = DOCUMENT.resolve(link, ())[0]["operationId"]
                source = labels[operation.id]
                found[f"{source} -> [{status}] {name} -> {labels[target]}"] = (source, status)
    return found


def steps(report: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """The links along which an answer's values were sent on, and the operations with the statuses they gave."""
    followed: set[str] = set()
    given: set[tuple[str, str]] = set()
    for line in report.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {"cases": {}})
        for name, case in recorder["cases"].items():
            response = recorder["interactions"].get(name, {}).get("response")
            if response:
                given.add((f"{case['value']['method']} {case['value']['path']}", str(response["status_code"])))
            if response and case.get("transition") and case["is_transition_applied"]:
                followed.add(case["transition"]["id"])
    return followed, given


def test_operations_in_sequence(scene: Scene, tmp_path: Path) -> None:
    """What one answers, the next is asked with: along the links of the document."""
    spec = accepted(document(scene), scene.values(DOCUMENT.operations[0]))
    run(scene.stack, tmp_path, spec, people(scene), "--phases", "stateful", "--mode", "positive",
        *options("--exclude-operation-id", LEFT_OUT))  # fmt: skip
    documented = documented_links()
    followed, given = steps(tmp_path / "report.ndjson")
    missed = sorted(set(documented) - followed)
    print(f"{len(followed)} of {len(documented)} links followed; not these:", *missed, sep="\n")
    assert not followed - set(documented)
    assert not set(documented.values()) - given - {MADE_ONCE}, "what a link leads from was never answered"
    assert len(followed) >= LINKS_FOLLOWED_MIN
    assert scene.ann.get("/users/me").status_code == 200


@pytest.mark.parametrize("operation_id", FAREWELLS)
def test_an_operation_that_ends_a_session(operation_id: str, scene: Scene, tmp_path: Path) -> None:
    """By another device of Ann's: log_out ends the device, revoke_session the session in which she signed up."""
    device, other = scene.ann.another_device(), scene.eve.another_device()
    senders = {"ann": str(device.token), "eve": str(other.token)}
    phases = ["--phases", "examples,coverage,fuzzing", "--include-operation-id", operation_id]
    run(scene.stack, tmp_path, document(scene), senders, *phases)
    _, given = steps(tmp_path / "report.ndjson")
    assert "204" in {status for _, status in given}
    ended, going_on = (device, scene.ann) if operation_id == "log_out" else (scene.ann, device)
    assert ended.get("/users/me").status_code == 401, "no use after it has ended"
    assert going_on.get("/users/me").status_code == 200
    assert scene.eve.get("/users/me").status_code == 200, "nobody ends the session of another"
    device.close()
    other.close()
