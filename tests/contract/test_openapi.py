"""api/openapi.yaml by itself: valid, consistent, its examples true, and the route table generated from it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.openapi import PROBLEM, Operation, load
from support.stack import ROOT

DOCUMENT = load()
OPERATIONS = [pytest.param(operation, id=operation.id) for operation in DOCUMENT.operations]


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT.spec["openapi"].startswith("3.1.")
    errors = [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
        for e in OpenAPIV31SpecValidator(DOCUMENT.spec).iter_errors()
    ]
    assert not errors, "\n".join(errors)


def test_operation_ids_are_unique() -> None:
    ids = [operation.id for operation in DOCUMENT.operations]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for value in node:
                yield from references(value)

    used = set(references(DOCUMENT.spec))
    for reference in used:
        DOCUMENT.resolve({"$ref": reference}, ())
    defined = {f"#/components/{kind}/{name}" for kind, named in DOCUMENT.spec["components"].items() for name in named}
    assert not {name for name in defined - used if "securitySchemes" not in name}, "defined and used nowhere"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_what_all_have(operation: Operation) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation.id)
    assert (ROOT / f"api/ops/{operation.id}.c").exists(), "one file for each operation"
    assert operation.spec["summary"] and operation.spec["tags"]
    assert "default" in operation.spec["responses"]
    assert ("401" in operation.spec["responses"]) or not operation.closed, "who is not logged in is told so"
    for status, response in operation.spec["responses"].items():
        resolved, _ = DOCUMENT.resolve(response, ())
        if status == "default" or (status[0] in "45" and operation.id != "readyz"):
            assert list(resolved["content"]) == [PROBLEM]


def examples(operation: Operation) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Where each example's schema is, and the example."""
    body, steps = DOCUMENT.resolve(operation.spec.get("requestBody", {}), (*operation.steps, "requestBody"))
    places = [(body, steps)]
    for status, response in operation.spec["responses"].items():
        places.append(DOCUMENT.resolve(response, (*operation.steps, "responses", status)))
    for spec, at in places:
        for kind, content in spec.get("content", {}).items():
            found = [content["example"]] if "example" in content else []
            found += [named["value"] for named in content.get("examples", {}).values()]
            for value in found:
                yield (*at, "content", kind, "schema"), value


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_examples_are_true(operation: Operation) -> None:
    seen = 0
    for steps, value in examples(operation):
        assert DOCUMENT.value_errors(steps, value) == [], value
        seen += 1
    for parameter in operation.parameters():
        if "example" in parameter:
            schema, _ = DOCUMENT.resolve(parameter["schema"], ())
            assert Draft202012Validator(schema).is_valid(parameter["example"])
    successes = [status for status in operation.spec["responses"] if status in ("200", "201")]
    assert seen >= len(successes), "each success shows an example"


def test_the_route_table_is_generated_from_it() -> None:
    done = subprocess.run(
        [sys.executable, "tools/gen_routes.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


# -- the judge itself: what it must not let pass
def answer(status: int, body: str, kind: str = "application/json", **headers: str) -> httpx.Response:
    return httpx.Response(status, content=body.encode(), headers={"Content-Type": kind} | headers)


def find(method: str, path: str) -> Operation:
    operation = DOCUMENT.find(method, path)
    assert operation
    return operation


USER = '{"id":"019c1f0e-7a2b-7c3d-8e4f-5a6b7c8d9e0f","username":"ann","display_name":"Ann","role":"member",\
"created_at":"2026-01-31T23:59:59.123Z","must_change_password":false}'
KEPT = {"Cache-Control": "private, no-cache", "ETag": '"0.digest"'}


def test_the_judge_accepts_what_is_documented() -> None:
    operation = find("GET", "/api/v1/users/me")
    assert operation.response_errors(answer(200, USER, **KEPT)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        USER.replace('"role":"member"', '"role":"king"'),
        USER.replace("}", ',"password_hash":"x"}'),
        USER.replace(".123Z", "Z"),
        USER.replace('"username":"ann",', ""),
        USER.replace("019c", "z19c"),
        "not json",
    ],
)
def test_the_judge_refuses_a_wrong_body(wrong: str) -> None:
    operation = find("GET", "/api/v1/users/me")
    assert operation.response_errors(answer(200, wrong, **KEPT))


def test_the_judge_refuses_wrong_types_and_headers() -> None:
    operation = find("GET", "/api/v1/users/me")
    assert operation.response_errors(answer(200, USER, ETag=KEPT["ETag"])), "without Cache-Control"
    assert operation.response_errors(answer(200, USER, "text/html", **KEPT))
    assert operation.response_errors(answer(401, USER)), "not a problem document"


def test_the_judge_knows_the_paths() -> None:
    assert find("GET", "/healthz").id == "healthz"
    assert find("POST", "/api/v1/conversations/abc/messages").id == "send_message"
    assert find("GET", "/api/v1/users/me").id == "get_me"
    assert DOCUMENT.find("GET", "/api/v1/healthz") is None
    assert DOCUMENT.find("DELETE", "/api/v1/sync") is None
    assert DOCUMENT.find("GET", "/api/v1/conversations/a/b") is None


# -- codes
ROWS = re.findall(r"^\| (\d{3}) \| ((?:`\w+`(?:, )?)+) \|", DOCUMENT.spec["info"]["description"], re.MULTILINE)
DOCUMENTED = {(int(status), code) for status, codes in ROWS for code in re.findall(r"\w+", codes)}

# What a program says at its start, to the operator, and what only a frame can have.
NOT_OF_REST = {
    "one_recipient",
    "address_invalid",
    "bad_token_key",
    "fastcgi",
    "pipeline_unknown",
    "redis_url_invalid",
    "socket_failed",
    "socket_path",
    "socket_taken",
}


def codes_of_sources() -> set[str]:
    """Every code that stands after a status in the sources that a request passes through."""
    sources = [*ROOT.glob("api/**/*.c"), *ROOT.glob("shared/*.c"), *ROOT.glob("shared/base/text.c")]
    for folder in ("model", "store", "writer", "pipeline"):
        sources += (ROOT / "shared" / folder).glob("*.c")
    found: set[str] = set()
    for source in sources:
        if not source.name.startswith(("config", "client_address", "metrics", "bus", "redis", "program")):
            found |= set(re.findall(r'\bERR_[A-Z_]+,\s*"([a-z_0-9]+)"', source.read_text()))
    found |= set(re.findall(r'= \{\d+, "[^"]+",\s*"([a-z_]+)"', (ROOT / "api/problem.c").read_text()))
    return found - NOT_OF_REST


def test_every_code_is_documented() -> None:
    missing = codes_of_sources() - {code for _, code in DOCUMENTED}
    assert not missing, "in the table of info.description"


def test_every_documented_code_is_told() -> None:
    pages = {(int(path.stem), json.loads(path.read_text())["code"]) for path in (ROOT / "conf/errors").glob("*.html")}
    assert pages <= DOCUMENTED, "lighttpd's own"
    told = codes_of_sources() | {code for _, code in pages}
    assert {code for _, code in DOCUMENTED} <= told
