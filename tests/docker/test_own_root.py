"""support/own_root.py, which the tests' engine is started with, in a changed root directory and in an ordinary one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.engine import ALONE
from support.stack import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0 and not os.environ.get("CI"), reason="mounting needs root")

# What a command sees that enters the mount namespace of the program, as `docker exec` does.
ENTER = ("nsenter", "--mount=/proc/self/ns/mnt", "sh", "-c", "pwd; cat /mnt/mark 2>/dev/null || echo nothing")

# Everything that is here, at $0 once more, with a mark that is only there.
CHANGED_ROOT = """
mount --rbind / "$0"
mount -t tmpfs mark "$0/mnt"
echo marked >"$0/mnt/mark"
exec chroot "$0" "$@"
"""


def test_who_enters_the_namespace_is_in_the_changed_root(tmp_path: Path) -> None:
    changed_root = ("unshare", "--mount", "sh", "-euc", CHANGED_ROOT, str(tmp_path))
    assert run(*changed_root, *ENTER) == "/\nnothing\n"
    assert run(*changed_root, *ALONE, *ENTER) == "/\nmarked\n"


def test_an_ordinary_root_stays_what_it_is() -> None:
    see = ("sh", "-c", f"ls -id / /proc {ROOT}; ls /")
    assert run(*ALONE, "nsenter", "--mount=/proc/self/ns/mnt", *see) == run(*see)


def test_mounts_are_seen_by_the_program_alone(tmp_path: Path) -> None:
    mounted = run(*ALONE, "sh", "-euc", 'mount -t tmpfs mark "$0"; touch "$0/inside"; ls "$0"', str(tmp_path))
    assert mounted == "inside\n" and list(tmp_path.iterdir()) == []


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout
