#!/usr/bin/env python3
"""Checks the rules of the house that neither the compiler nor CMake can see, and prints `file:line: rule: message`.

Banned functions, where third-party headers and SQL may stand, the order of the layers of shared/, that programs don't
include one another, sizes, comments, and words that have no place in the tree. The exit status is 1 when something was
found."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("api", "push", "worker", "ctl")
SKIPPED_FOLDERS = {"build", "var", "node_modules", "dist", "__pycache__"}
TEXT_SUFFIXES = {
    *(".c", ".h", ".def", ".sql", ".py", ".ts", ".tsx", ".mjs", ".css", ".html", ".md", ".yaml", ".yml", ".json"),
    *(".toml", ".txt", ".conf", ".cmake", ""),
}
FILE_LINES_MAX = 500

BANNED = re.compile(r"\b(sprintf|strcpy|strcat|strncpy|atoi|strtok|sscanf|gets|alloca|system|popen)\s*\(")

# Header → the only files that include it. jansson is the exception: everybody may.
CONFINED = {
    "libwebsockets.h": ["push/ws.c", "push/ws_*.c"],
    "fcgiapp.h": ["api/fcgi.c"],
    "jwt.h": ["shared/token.c"],
    "sqlite3.h": ["shared/db/driver_sqlite*.[ch]"],
    "libpq-fe.h": ["shared/db/driver_postgres*.[ch]"],
    "librdkafka/*": ["shared/pipeline/submit_kafka.c", "worker/consumer.c"],
    "hiredis/*": ["shared/redis.c", "push/subscriber.c"],
    "uuid/*": ["shared/base/id.c"],
    "sodium.h": [
        "shared/base/hash.c",
        "shared/base/id.c",
        "shared/base/random.c",
        "shared/password.c",
        "shared/token.c",
    ],
    "uv.h": ["push/*.[ch]"],
    "uni*.h": ["shared/base/text.c"],
}
# Of the uni*.h above, the one that belongs to the C library.
UNCONFINED = {"unistd.h"}

# Layer of shared/ → the layers it may include besides itself.
SUPPORT = {"base", "support"}
LAYERS = {
    "base": set(),
    "support": {"base"},
    "model": SUPPORT,
    "bus": SUPPORT | {"model"},
    "db": SUPPORT | {"model"},
    "store": SUPPORT | {"model", "db"},
    "writer": SUPPORT | {"model", "db", "store", "bus"},
    "pipeline": SUPPORT | {"model", "db", "store", "bus", "writer"},
}
BUS_FILES = ("redis", "bus", "cache", "rate_limit")

SQL = re.compile(
    r'"\s*(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\b|DELETE\s+FROM\b|UPDATE\s+\w+\s+SET\b|WITH\s+\w+(\s*\(.*\))?\s+AS\b'
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|UNIQUE)\b|PRAGMA\s|BEGIN\s+IMMEDIATE\b)"
)
SQL_PLACES = ["shared/store/*", "shared/db/*", "migrations/*", "tests/*"]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
UNFINISHED = re.compile(r"\b(TODO|XXX|FIXME)\b")
WORKPLACE = re.compile(r"(^|[^\w.])/(work|root)/")
BANNER = re.compile(r"^\s*(/\*|//|#|\*)\s*([-=*~_])\2{3,}")
# A comment of one line that ends like a statement or opens a block.
DEAD_CODE = re.compile(r"^\s*(//.*[;{}]\s*$|/\*\s*(\w+\s*\(.*\)|\w[\w\s*>.\[\]-]*=[^=].*);\s*\*/\s*$)")

Finding = tuple[Path, int, str, str]


def project_files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name == ".ci" or not skipped(Path(folder) / name))
        for name in sorted(names):
            path = Path(folder) / name
            if path.suffix in TEXT_SUFFIXES and path.is_file() and name != ".git":  # a worktree's pointer
                yield path.relative_to(ROOT)


def skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in SKIPPED_FOLDERS


def matches(path: Path, patterns: list[str]) -> bool:
    return any(fnmatch(path.as_posix(), pattern) for pattern in patterns)


def without_comments_and_strings(text: str) -> str:
    """The same lines, with the insides of comments and literals blanked."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.DOTALL)


def without_comments(text: str) -> str:
    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found[0] == '"' else re.sub(r"[^\n]", " ", found)

    return re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', blank, text, flags=re.DOTALL)


def numbered(text: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(text.split("\n"), 1)


def layer_of(path: Path) -> str | None:
    """The layer of a file of shared/, or None for what is elsewhere."""
    if path.parts[0] != "shared":
        return None
    if len(path.parts) > 2:
        return path.parts[1]
    stem = path.name.split(".")[0]
    return "bus" if any(stem == name or stem.startswith(name + "_") for name in BUS_FILES) else "support"


def resolve(path: Path, included: str) -> Path | None:
    """The file of ours that a quoted include means."""
    for folder in (path.parent, Path("shared"), Path()):
        if (ROOT / folder / included).is_file():
            return (ROOT / folder / included).resolve().relative_to(ROOT)
    return None


def check_include(path: Path, included: str) -> Iterator[tuple[str, str]]:
    for header, places in CONFINED.items():
        if fnmatch(included, header) and included not in UNCONFINED and not matches(path, places):
            yield "third-party-header", f"<{included}> is included only in {', '.join(places)}"
    target = resolve(path, included)
    if target is None:
        return
    here, there = path.parts[0], target.parts[0]
    if there in PROGRAMS and here in (*PROGRAMS, "shared") and here != there:
        yield "programs", f"{here}/ must not include {target}"
    layer, other = layer_of(path), layer_of(target)
    if layer and other and layer != other and other not in LAYERS.get(layer, set()):
        yield "layers", f"{layer} must not include {other} ({target})"


def check_c(path: Path, text: str) -> Iterator[Finding]:
    in_tests = path.parts[0] == "tests"
    for number, line in numbered(text):
        if not in_tests and (found := INCLUDE.match(line)):
            for rule, message in check_include(path, found.group(2)):
                yield path, number, rule, message
    for number, line in numbered(without_comments_and_strings(text)):
        if found := BANNED.search(line):
            yield path, number, "banned-function", f"{found.group(1)} is banned (STYLE: Sizes)"
    if not matches(path, SQL_PLACES):
        for number, line in numbered(without_comments(text)):
            if SQL.search(line):
                yield path, number, "sql", "SQL stands in shared/store and shared/db alone"


def check_opening(path: Path, text: str) -> Iterator[Finding]:
    openings = {
        **dict.fromkeys((".c", ".h", ".css"), ("/*",)),
        **dict.fromkeys((".ts", ".tsx", ".mjs"), ("/*", "//")),
        **dict.fromkeys((".sql",), ("--",)),
        **dict.fromkeys((".py",), ('"""', "#")),
    }.get(path.suffix)
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith("#!")), "")
    if openings and first and not path.name.endswith(".d.ts") and not first.startswith(openings):
        yield path, 1, "opening-comment", "a file opens with a comment that says what it is for"


def check_text(path: Path, text: str) -> Iterator[Finding]:
    """What holds for every file. This file names what it looks for, so its own lines are spared that."""
    code = path.suffix in {".c", ".h", ".ts", ".tsx", ".mjs", ".py", ".sql", ".def", ".css"}
    lines = text.split("\n")
    if code and len(lines) - 1 > FILE_LINES_MAX:
        yield path, FILE_LINES_MAX + 1, "file-length", f"{len(lines) - 1} lines; a file has at most {FILE_LINES_MAX}"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield path, number, "white-space", "white space at the end of the line"
        if path.name == "lint.py":
            continue
        if UNFINISHED.search(line):
            yield path, number, "unfinished", "finish it, or file an issue"
        if WORKPLACE.search(line):
            yield path, number, "workplace", "a path of one machine"
        if code and BANNER.match(line):
            yield path, number, "banner", "no banners: a name or a file says it better"
        if path.suffix in {".c", ".h", ".ts", ".tsx"} and DEAD_CODE.match(line):
            yield path, number, "commented-out", "no commented-out code: git remembers it"
    if not text.endswith("\n") and text:
        yield path, len(lines), "white-space", "no newline at the end of the file"


def check_lock_file(path: Path, text: str) -> Iterator[Finding]:
    for number, line in numbered(text):
        if '"resolved": "http' in line:
            yield path, number, "registry", "the lock file names a registry's host: see web/.npmrc"


def check_file(path: Path) -> Iterator[Finding]:
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        yield path, 1, "utf-8", "not UTF-8"
        return
    if path.name == "package-lock.json":
        yield from check_lock_file(path, text)
        return
    if ".gen." in path.name or path.name == "LICENSE":
        return
    yield from check_text(path, text)
    yield from check_opening(path, text)
    if path.suffix in {".c", ".h"}:
        yield from check_c(path, text)


def main() -> int:
    findings = [finding for path in project_files() for finding in check_file(path)]
    for path, number, rule, message in findings:
        print(f"{path}:{number}: {rule}: {message}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
