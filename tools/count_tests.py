#!/usr/bin/env python3
"""Adds up reports of tests and ends with the line that counts all tests: `N passed, N failed`.

Usage: count_tests.py FOLDER [PART THAT ENDED BADLY …]. FOLDER holds one .xml (JUnit) or .tap (of node's runner) per
part of the tests, and sanitizer.* for each report of a sanitizer, which counts as a failure. The exit status is 0 when
some test ran and nothing failed."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

# A test's line: indentation, result, name, directive (the runner writes a name's own # as \#).
TAP_LINE = re.compile(r"( *)(not ok|ok) \d+ - (.*?)(?: # ([A-Z]+)\b ?(.*))?$")


@dataclass
class Count:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add_junit(self, part: str, case: ElementTree.Element) -> None:
        name = f"{part}: {case.get('classname', '')} {case.get('name', '')}"
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            self.failed.append(name)
        elif (skip := case.find("skipped")) is not None or case.get("status") in ("notrun", "disabled"):
            reason = skip.get("message", "") if skip is not None else "not run"
            self.skipped.append(f"{name} ({reason})")
        else:
            self.passed += 1

    def add_tap(self, part: str, lines: list[str]) -> None:
        deeper = 0  # the indentation of the line before: a test with tests inside follows them, and isn't one itself
        for match in filter(None, map(TAP_LINE.match, lines)):
            indentation, result, name, directive, reason = match.groups()
            if len(indentation) >= deeper:
                if directive:
                    self.skipped.append(f"{part}: {name} ({reason})")
                elif result == "ok":
                    self.passed += 1
                else:
                    self.failed.append(f"{part}: {name}")
            deeper = len(indentation)


def count(folder: Path, broken: list[str]) -> Count:
    total = Count()
    seen_failing = set()
    for report in sorted([*folder.glob("*.xml"), *folder.glob("*.tap")]):
        before = len(total.failed)
        if report.suffix == ".tap":
            total.add_tap(report.stem, report.read_text().splitlines())
        else:
            for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 (our own reports)
                total.add_junit(report.stem, case)
        if len(total.failed) > before:
            seen_failing.add(report.stem)
    # A part that ended badly without a failing test did not run at all, or not to its end.
    total.failed += [f"{part}: did not run to its end" for part in broken if part not in seen_failing]
    for report in sorted(folder.glob("sanitizer.*")):
        print(report.read_text(errors="replace"))
        total.failed.append(f"sanitizer report {report}")
    return total


def main(folder: str, broken: list[str]) -> int:
    total = count(Path(folder), broken)
    if os.environ.get("CI"):
        total.failed += [f"skipped: {name}" for name in total.skipped]
    for name in total.skipped:
        print(f"skipped: {name}")
    for name in total.failed:
        print(f"failed: {name}")
    skipped = f", {len(total.skipped)} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {len(total.failed)} failed{skipped}")
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
