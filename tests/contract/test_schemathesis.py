"""Schemathesis against the running stack: requests made up from api/openapi.yaml, good and bad ones, alone and in
sequences along its links, by two people; no answer is a 5xx, and none is undocumented.

Always the same requests: STONECHAT_SEED=N tries others. What it generates depends on nothing but the document, the seed
and the ids of the run."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.client import PASSWORD, Json
from support.openapi import load
from support.scene import Scene
from support.stack import Stack

SEED = os.environ.get("STONECHAT_SEED", "42")
WITHIN_S = 400
DOCUMENT = load()

# These end the session that sends them: they are tried by themselves.
FAREWELLS = ["log_out", "revoke_session"]

# tests/integration/test_bad_input_http.py asks for every method at every path; here a GET is sent with a body, which
# lighttpd refuses before anybody looks at its path. A deleted message keeps its place, and a reaction may be taken back
# twice.
NOT_CHECKED = "unsupported_method,use_after_free"

CONFIG = """
[output.sanitization]
enabled = false # the people of these tests exist for a minute

# Control characters, lengths in bytes and two ids that differ (422) are more than a schema says.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 304, 401, 403, 404, 409, 412, 422]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]

[generation]
max-examples = 60 # of each operation
allow-x00 = false # NUL is refused everywhere (docs/decisions/0007), which no schema can say

[phases.stateful]
max-steps = 8
inference.algorithms = [] # the links of the document, and no guesses
generation.max-examples = 300

[auth.wfc]
path = "people.json"
peers = ["ann", "eve"]

# Everybody may see everybody.
[[operations]]
include-operation-id = "get_user"
checks.object_level_authorization.enabled = false

# Made up cursors, parameters of which only one may be given, and 1.0, which is an integer to a schema.
[[operations]]
include-operation-id = ["list_sessions", "find_users", "list_conversations", "list_messages", "sync", "mark_read"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 304, 400, 401, 403, 404, 409, 412, 422]
"""


def document(scene: Scene) -> Json:
    """api/openapi.yaml for this stack: with paths from the root, and ids that exist among the ids to choose from."""
    spec: Json = copy.deepcopy(DOCUMENT.spec)
    spec["servers"] = [{"url": scene.stack.url}]
    spec["paths"] = {}
    for operation in DOCUMENT.operations:
        path = copy.deepcopy(DOCUMENT.spec["paths"][operation.steps[1]])
        path.pop("servers", None)
        spec["paths"][operation.path] = path
    there = scene.values(DOCUMENT.operations[0])
    there["emoji"] = "👍"
    there["session_id"] = scene.session_of(scene.eve)
    there |= {"message_id": scene.message["id"], "reply_to_id": scene.message["id"]}
    del there["refresh_token"]
    settle(spec, there)
    return spec


def settle(node: Any, there: Json) -> None:
    """Puts what is there into examples, and into the choice of values, wherever a key or parameter has its name."""
    if isinstance(node, list):
        for one in node:
            settle(one, there)
    if not isinstance(node, dict):
        return
    if node.get("name") in there and "in" in node and "schema" in node:
        node["example"] = there[node["name"]]
        other = {"type": "string", "format": "uuid"} if node["in"] == "path" else node["schema"]
        other = {"enum": ["👋", "❤️", "a", "👍👍"]} if node["name"] == "emoji" else other
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
               "--exclude-checks", NOT_CHECKED, "--continue-on-failure", *arguments]  # fmt: skip
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
    phases = ["--phases", "examples,coverage,fuzzing", *options("--exclude-operation-id", FAREWELLS)]
    said = run(scene.stack, tmp_path, document(scene), people(scene), *phases)
    assert f"Tested: {len(DOCUMENT.operations) - len(FAREWELLS)}" in said
    assert scene.ann.get("/users/me").status_code == 200, "she was logged in all the while"
    assert scene.eve.get("/users/me").status_code == 200


def test_operations_in_sequence(scene: Scene, tmp_path: Path) -> None:
    """What one answers, the next is asked with: along the links of the document."""
    spec = document(scene)
    # What may be said has been tried by now; here it is to be accepted, so that something follows.
    spec["components"]["schemas"]["Content"] = {"enum": ["Hello", "Hello again", "👍", "x" * 4000]}
    said = run(scene.stack, tmp_path, spec, people(scene), "--phases", "stateful", "--mode", "positive",
               *options("--exclude-operation-id", FAREWELLS))  # fmt: skip
    covered = re.search(r"API Links: +(\d+) covered", said)
    assert covered and int(covered[1]) >= 8, "it has followed them"
    assert scene.ann.get("/users/me").status_code == 200


def test_the_operations_that_end_a_session(scene: Scene, tmp_path: Path) -> None:
    devices = {"ann": str(scene.ann.another_device().token), "eve": str(scene.eve.another_device().token)}
    phases = ["--phases", "examples,coverage,fuzzing", *options("--include-operation-id", FAREWELLS)]
    run(scene.stack, tmp_path, document(scene), devices, *phases)
    assert scene.api.log_in(scene.ann.username, PASSWORD).status_code == 200
