"""api/openapi.yaml as a judge: finds the operation of a request and says what in an exchange contradicts the document.

Objects are closed while judging: a key that a schema doesn't name is an error in an answer, even though clients must
ignore such keys (the document says what there is)."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from support.stack import ROOT

PATH = ROOT / "api/openapi.yaml"
URN = "urn:openapi"
METHODS = ("get", "put", "post", "delete", "patch")
PROBLEM = "application/problem+json"

Json = dict[str, Any]


def load() -> Document:
    return Document(yaml.safe_load(PATH.read_text()))


def pointer(*steps: str) -> str:
    """A JSON pointer into the document (RFC 6901)."""
    return URN + "#/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)


def media_type(headers: httpx.Headers) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()


@dataclass(frozen=True)
class Operation:
    """One operation of the document. `steps` lead to it."""

    document: Document
    id: str
    steps: tuple[str, ...]
    spec: Json

    @property
    def path(self) -> str:
        """With the server's part, and the names of path parameters in braces."""
        item = self.document.spec["paths"][self.steps[1]]
        servers = self.spec.get("servers", item.get("servers"))
        prefix = servers[0]["url"].rstrip("/") if servers else self.document.server_path
        return prefix + self.steps[1]

    @property
    def closed(self) -> bool:
        """Does it need somebody who is logged in?"""
        return bool(self.spec.get("security", self.document.spec["security"]))

    def request_errors(self, request: httpx.Request) -> list[str]:
        """What is wrong with a request that the server accepted."""
        errors = []
        spec, steps = self.document.resolve(self.spec.get("requestBody", {}), (*self.steps, "requestBody"))
        if request.content:
            content = spec.get("content", {})
            kind = media_type(request.headers)
            if kind not in content:
                return [f"request body of type {kind!r} is not documented"]
            errors += self.document.body_errors((*steps, "content", kind, "schema"), request.content, "request")
        elif spec.get("required"):
            errors.append("request without the required body")
        known = {(p["in"], p["name"].lower()) for p in self.parameters()}
        for name in parse_qs(request.url.query.decode()):
            if ("query", name.lower()) not in known:
                errors.append(f"query parameter {name} is not documented")
        return errors

    def body_schema(self) -> tuple[Json, tuple[str, ...]] | None:
        """The schema of its JSON body and where it stands, or None when it has no body."""
        body, steps = self.document.resolve(self.spec.get("requestBody", {}), (*self.steps, "requestBody"))
        if not body:
            return None
        kind = "application/json"
        return self.document.resolve(body["content"][kind]["schema"], (*steps, "content", kind, "schema"))

    def body_example(self) -> Json | None:
        """The example of its JSON body."""
        body, _ = self.document.resolve(self.spec.get("requestBody", {}), ())
        example: Json | None = body["content"]["application/json"]["example"] if body else None
        return example

    def parameters(self) -> list[Json]:
        path_item = self.document.spec["paths"][self.steps[1]]
        return [
            self.document.resolve(p, ())[0] for p in path_item.get("parameters", []) + self.spec.get("parameters", [])
        ]

    def response_errors(self, response: httpx.Response) -> list[str]:
        """What is wrong with an answer."""
        responses = self.spec["responses"]
        key = str(response.status_code)
        if key not in responses:
            key = "default"
        spec, steps = self.document.resolve(responses.get(key, {}), (*self.steps, "responses", key))
        if key == "default" and response.status_code not in spec.get("x-stonechat-statuses", []):
            return [f"status is not documented; it says {response.text[:300]}"]
        errors = self.document.header_errors(spec.get("headers", {}), (*steps, "headers"), response.headers)
        content = spec.get("content")
        kind = media_type(response.headers)
        if not content:
            return errors + ([f"a body that is not documented: {response.text[:300]}"] if response.content else [])
        if kind not in content:
            return [*errors, f"type {kind!r} is not documented, only {', '.join(content)}"]
        if "json" in kind:
            errors += self.document.body_errors((*steps, "content", kind, "schema"), response.content, "answer")
        return errors


class Document:
    """The whole document, with what is needed to judge by it."""

    def __init__(self, spec: Json) -> None:
        self.spec = spec
        closed = copy.deepcopy(spec)
        close_objects(closed, composed(spec))
        resource = Resource.from_contents(closed, default_specification=DRAFT202012)
        self._registry: Registry = Registry().with_resource(URN, resource)
        self.operations = list(self._operations())
        self.server_path = self._server_path()

    def _server_path(self) -> str:
        """The path of the first server: what stands before each path of the document."""
        servers = self.spec.get("servers", [{"url": "/"}])
        return re.sub(r"^https?://[^/]*", "", servers[0]["url"]).rstrip("/")

    def _operations(self) -> list[Operation]:
        found = []
        for path, item in self.spec["paths"].items():
            for method in METHODS:
                if method in item:
                    spec = item[method]
                    found.append(Operation(self, spec["operationId"], ("paths", path, method), spec))
        return found

    def find(self, method: str, path: str) -> Operation | None:
        """The operation of a request; literal paths win over those with parameters."""
        fits = []
        for operation in self.operations:
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(operation.path))
            if operation.steps[2] == method.lower() and re.fullmatch(pattern, path):
                fits.append(operation)
        return min(fits, key=lambda o: o.steps[1].count("{"), default=None)

    def resolve(self, spec: Json, steps: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """Follows a $ref of the document (not of a schema)."""
        while "$ref" in spec:
            steps = tuple(spec["$ref"].removeprefix("#/").split("/"))
            spec = self.spec
            for step in steps:
                spec = spec[step]
        return spec, steps

    def validator(self, *steps: str) -> Draft202012Validator:
        return Draft202012Validator(
            {"$ref": pointer(*steps)}, registry=self._registry, format_checker=FormatChecker(["date-time", "uuid"])
        )

    def value_errors(self, steps: tuple[str, ...], value: Any) -> list[str]:
        return [
            f"at /{'/'.join(map(str, error.absolute_path))}: {error.message[:400]}"
            for error in self.validator(*steps).iter_errors(value)
        ]

    def body_errors(self, steps: tuple[str, ...], body: bytes, whose: str) -> list[str]:
        try:
            value = json.loads(body)
        except ValueError:
            return [f"{whose} is not JSON: {body[:200]!r}"]
        return [f"{whose} {error}" for error in self.value_errors(steps, value)]

    def schema_errors(self, name: str, value: Any) -> list[str]:
        return self.value_errors(("components", "schemas", name), value)

    def header_errors(self, headers: Json, steps: tuple[str, ...], given: httpx.Headers) -> list[str]:
        """Required headers that are missing, and those of another type than documented."""
        errors = []
        for name, at in headers.items():
            spec, found = self.resolve(at, (*steps, name))
            if name not in given:
                errors += [f"header {name} is missing"] if spec.get("required") else []
                continue
            kind = self.resolve(spec.get("schema", {}), (*found, "schema"))[0].get("type")
            value = int(given[name]) if kind == "integer" and given[name].isdigit() else given[name]
            errors += [f"header {name} {error}" for error in self.value_errors((*found, "schema"), value)]
        return errors

    def problem_errors(self, response: httpx.Response) -> list[str]:
        """What is wrong with a problem document that belongs to no operation."""
        if response.is_success:
            return ["success of an operation that is not documented"]
        if media_type(response.headers) != PROBLEM:
            return [f"an error of type {media_type(response.headers)!r}: {response.text[:200]}"]
        return self.body_errors(("components", "schemas", "Problem"), response.content, "answer")


def composed(node: Any) -> set[str]:
    """Names of the schemas that are parts of an allOf: they can't be closed by themselves."""
    found: set[str] = set()
    if isinstance(node, dict):
        found |= {part["$ref"].rsplit("/", 1)[1] for part in node.get("allOf", []) if "$ref" in part}
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            found |= composed(value)
    return found


def close_objects(spec: Json, parts: set[str]) -> None:
    """Adds unevaluatedProperties: false to every object schema that says nothing about other keys."""

    def close(node: Any, part: bool) -> None:
        if isinstance(node, list):
            for value in node:
                close(value, part)
        if not isinstance(node, dict):
            return
        describes = isinstance(node.get("properties"), dict) or "allOf" in node
        if describes and not part and not {"additionalProperties", "unevaluatedProperties"} & set(node):
            node["unevaluatedProperties"] = False
        for key, value in node.items():
            if key not in ("example", "examples", "enum", "const", "default"):
                close(value, key == "allOf")

    for name, schema in spec.get("components", {}).get("schemas", {}).items():
        close(schema, name in parts)
    for key in ("responses", "requestBodies", "parameters", "headers"):
        close(spec.get("components", {}).get(key, {}), False)
    close(spec.get("paths", {}), False)
