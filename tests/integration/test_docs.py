"""/openapi.json and /docs: the contract as the server hands it out."""

from __future__ import annotations

import httpx
import pytest
import yaml

from support.stack import ROOT, Stack


def test_the_document_is_the_one_in_the_repository(stack: Stack) -> None:
    answer = httpx.get(stack.url + "/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == yaml.safe_load((ROOT / "api/openapi.yaml").read_text())


def test_the_document_is_for_everybody(stack: Stack) -> None:
    answer = httpx.get(stack.url + "/openapi.json", headers={"Origin": "https://anything.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_has_not_changed_is_not_sent_again(stack: Stack, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    first = httpx.get(stack.url + "/openapi.json", headers=headers)
    assert first.headers.get("content-encoding", "identity") == encoding
    again = httpx.get(stack.url + "/openapi.json", headers=headers | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache", "it is asked for again after the next build"


def test_the_pages_of_the_document(stack: Stack) -> None:
    page = httpx.get(stack.url + "/docs", follow_redirects=True)
    assert page.status_code == 200
    assert page.url.path == "/docs/"
    for name, kind in (("docs.js", "text/javascript"), ("swagger-ui-bundle.js", "text/javascript")):
        assert f'src="{name}"' in page.text
        script = httpx.get(f"{stack.url}/docs/{name}")
        assert (script.status_code, script.headers["content-type"].split(";")[0]) == (200, kind)


def test_the_licence_of_what_is_handed_out(stack: Stack) -> None:
    assert "Apache License" in httpx.get(stack.url + "/docs/LICENSE").text
