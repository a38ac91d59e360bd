#!/usr/bin/env python3
"""Runs the fuzzers, two at a time: `run.py BUILD REPORTS SECONDS`, called by script/test.

BUILD is the folder of the preset fuzz. What the fuzzers begin with is written anew (seeds.py); what they found worth
keeping stays in BUILD/corpus for the next run. Each has a line with its speed and coverage. A finding is an input on
which something did not hold: it stays in BUILD/findings, with a copy and all that the fuzzer said in REPORTS.
REPORTS/fuzz.xml (JUnit) has a test case for each fuzzer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import seeds

AT_ONCE = 2
INPUT_TIMEOUT_S = 25  # for one input
END_WITHIN_S = 120  # after the time is over
MEMORY_MB = 2048
SHOWN_LINES = 25
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder is made in it)

# What a fuzzer says besides what it found: its progress, its own frames of the stack, the input in other forms.
NOISE = re.compile(
    r"^#\d+\t|^0x|^(INFO|NOTE|Base64|MS|Dictionary|artifact_prefix)|^stat::|Combine libFuzzer| in fuzzer::"
)

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@dataclass
class Run:
    name: str
    seconds: int
    output: str
    findings: list[Path] = field(default_factory=list)
    exit_status: int = 0

    @property
    def failed(self) -> bool:
        return self.exit_status != 0 or bool(self.findings)

    def last(self, pattern: str) -> str:
        return (re.findall(pattern, self.output) or ["?"])[-1]

    def line(self) -> str:
        """`rest     ok     900 runs/s, 27000 runs, 3400 of 9000 edges`"""
        verdict = "FAILED" if self.failed else "ok"
        speed, runs = self.last(r"average_exec_per_sec: +(\d+)"), self.last(r"number_of_executed_units: +(\d+)")
        edges, of = self.last(r" cov: (\d+)"), self.last(r"\((\d+) inline 8-bit counters\)")
        return f"{self.name:13} {verdict:6} {speed:>6} runs/s, {runs:>8} runs, {edges:>5} of {of:>5} edges"

    def last_words(self) -> str:
        """What did not hold and where, without the bytes of the input."""
        lines = [line[:400] for line in self.output.splitlines() if not NOISE.search(line)]
        return "\n".join(lines[-SHOWN_LINES:])


def fuzz(build: Path, name: str, seconds: int, folder: str) -> Run:
    corpus, findings = build / "corpus" / name, build / "findings" / name
    shutil.rmtree(findings, ignore_errors=True)
    for needed in (corpus, findings):
        needed.mkdir(parents=True, exist_ok=True)
    command = [
        build / "tests/fuzz" / name,
        *(f"-max_total_time={seconds}", f"-timeout={INPUT_TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MB}"),
        *(f"-dict={build / 'seeds/words.dict'}", f"-artifact_prefix={findings}/", "-print_final_stats=1"),
        *(corpus, build / "seeds" / name),
    ]
    try:
        done = subprocess.run(
            command,
            env=os.environ | SANITIZERS | {"TMPDIR": folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + END_WITHIN_S,
            check=False,
        )
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = (expired.stdout or b"") + b"\nIt did not end by itself.", 1
    return Run(name, seconds, output.decode(errors="replace"), sorted(findings.iterdir()), status)


def report(build: Path, reports: Path, run: Run) -> None:
    """The fuzzer's line, and of a finding all that is needed to look at it."""
    print(run.line(), flush=True)
    if not run.failed:
        return
    (reports / f"{run.name}.log").write_text(run.output)
    print(run.last_words())
    print(f"All that it said: {reports / f'{run.name}.log'}")
    for finding in run.findings:
        shutil.copy(finding, reports / f"{run.name}-{finding.name}")
        print(f"The input: {finding}\nOnce more: {build / 'tests/fuzz' / run.name} {finding}", flush=True)


def write_junit(path: Path, runs: list[Run]) -> None:
    failed = sum(run.failed for run in runs)
    suite = ElementTree.Element("testsuite", name="fuzz", tests=str(len(runs)), failures=str(failed))
    for run in runs:
        case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=run.name, time=str(run.seconds))
        if run.failed:
            words = re.sub(r"[^\x20-\x7e\n\t]", "?", run.last_words())
            ElementTree.SubElement(case, "failure", message=f"{run.name} found something").text = words
    ElementTree.ElementTree(suite).write(path)


def main(build: Path, reports: Path, seconds: int) -> int:
    shutil.rmtree(build / "seeds", ignore_errors=True)
    seeds.write(build / "seeds")
    names = sorted(seeds.SEEDS)
    runs = []
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        for run in pool.map(lambda name: fuzz(build, name, seconds, folder), names):
            report(build, reports, run)
            runs.append(run)
    write_junit(reports / "fuzz.xml", runs)
    return int(any(run.failed for run in runs))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3])))
