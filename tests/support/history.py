"""The history of a run, as ctl/drill/checker.py reads it: each record is written down when it happens, by one clock."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

Json = dict[str, Any]

CHECKER = Path(__file__).resolve().parents[2] / "ctl/drill/checker.py"


def load_checker() -> ModuleType:
    """The checker as a module: it is a file that stands alone, not a part of a package."""
    spec = importlib.util.spec_from_file_location("checker", CHECKER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


checker = load_checker()


class History:
    """Appends records to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", encoding="utf-8")

    @staticmethod
    def now() -> float:
        return time.monotonic()

    def add(self, kind: str, **keys: Any) -> float:
        """One record; the time at which it was written down."""
        t = self.now()
        self._file.write(json.dumps({"t": t, "kind": kind} | keys, ensure_ascii=False) + "\n")
        return t

    def frame(self, reader: str, text: str) -> None:
        """A frame as it came: one object of its lines."""
        self._file.write(f'{{"t": {self.now()}, "kind": "frame", "reader": "{reader}", "frame": {text}}}\n')

    def records(self) -> Iterator[Json]:
        """What has been written down, once it is closed."""
        with self.path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def close(self) -> None:
        self._file.close()
