"""Runs last: api/openapi.yaml promises no answer that these tests have not seen."""

from __future__ import annotations

from support.recorder import RECORDER


def test_every_documented_answer_was_reached() -> None:
    documented = {
        (operation.id, status)
        for operation in RECORDER.document.operations
        for status in operation.spec["responses"]
        if status != "default"
    }
    missing = documented - RECORDER.reached
    assert not missing, "no test has reached " + ", ".join(" ".join(pair) for pair in sorted(missing))
