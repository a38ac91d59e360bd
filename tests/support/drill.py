"""One drill: a stack under load, a fault, calm again, and the checker's verdict as a row of the table."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from support.history import History, checker
from support.load import Load
from support.postgres import Cluster
from support.shared import MakeStack
from support.stack import ROOT, Stack
from support.stored import file_of, for_checker, on_postgres

REPORTS = ROOT / "build/reports"
# A bound of the contract is held with this much patience, for slow machines.
PATIENCE = 3
NOTICE_S, DEGRADED_S, REVOKED_S, SEND_S = 5.0, 3.0, 1.0, 0.05
# While a fault happens.
MESSAGES_PER_SECOND = 200

BOUNDS = {
    NOTICE_S: "a connected device is told of every change within",
    DEGRADED_S: "a silent Redis is noticed within",
    REVOKED_S: "the sockets of a session that was revoked are closed within",
    SEND_S: "99 of 100 sends beside a saturating writer of another process take at most",
}


class Scene:
    """What a fault is done to: the stack, the load on it and the bounds that it measures."""

    def __init__(self, stack: Stack, load: Load, measured: list[tuple[float, float]]) -> None:
        self.stack, self.load, self.history = stack, load, load.history
        self._measured = measured
        self.began = self.mark("the fault begins")

    def begin(self) -> None:
        """For a fault that had to be prepared: it begins now."""
        self.began = self.mark("it is prepared")

    def measure(self, bound_s: float, took_s: float) -> None:
        """Holds what was measured against a bound of the contract."""
        self._measured.append((bound_s, took_s))
        assert took_s <= bound_s * PATIENCE, f"{BOUNDS[bound_s]} {bound_s:g} s: it took {took_s:.2f} s"

    def mark(self, text: str) -> float:
        return self.history.add("note", text=text)

    async def ready(self, redis: str = "ok") -> None:
        """Waits until /readyz is 200 and says this of Redis."""
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as http:
            end = History.now() + 20
            while True:
                try:
                    answer = await http.get(self.stack.url + "/readyz")
                    if answer.status_code == 200 and answer.json()["redis"] == redis:
                        return
                except httpx.HTTPError:
                    pass
                assert History.now() < end, f"not ready again:\n{self.stack.log_tails()}"
                await asyncio.sleep(0.05)

    async def lasts(self, seconds: float) -> None:
        """How long a fault goes on: time is what it is made of."""
        await asyncio.sleep(seconds)

    async def restart(self, *names: str) -> None:
        for name in names:
            self.stack.processes[name].start()
        await self.ready()

    def cut_off(self) -> int:
        """How many sockets of devices were closed since the fault began."""
        return sum(at >= self.began for device in self.load.devices for at, _ in device.closes)

    def set_environment(self, name: str, more: dict[str, str]) -> None:
        """What the program finds in its environment when it is started next, besides what a stack's has."""
        self.stack.processes[name].env = self.stack.env | more


Act = Callable[[Scene], Awaitable[None]]
MakeCluster = Callable[..., Cluster]


class Drills:
    """All drills of a run, and their table."""

    def __init__(
        self, make_stack: MakeStack, seed: int, rows: list[list[str]], measured: list[tuple[float, float]]
    ) -> None:
        self.make_stack, self.seed, self.rows, self.measured = make_stack, seed, rows, measured
        self.cluster: Cluster | None = None  # where the databases are made; None: each is a SQLite file

    def _named(self, fault: str, settings: dict[str, str] | None) -> tuple[str, dict[str, str]]:
        """The fault as the table names it, and the stack's settings with its database."""
        if not self.cluster:
            return fault, settings or {}
        url = self.cluster.url(self.cluster.new_database())
        return f"{fault} (PostgreSQL)", {"database.url": url} | (settings or {})

    def run(
        self,
        fault: str,
        act: Act,
        *,
        settings: dict[str, str] | None = None,
        calm_s: float = 3.0,
        make_stack: MakeStack | None = None,
        idle: bool = False,
        **load: Any,
    ) -> Any:
        """Runs it and asserts that nothing was violated; the checker's report. `idle`: it does not always flow."""
        fault, settings = self._named(fault, settings)
        print(f"\n{fault}: seed {self.seed}", flush=True)
        stack = (make_stack or self.make_stack)(settings)
        folder = REPORTS / "drills"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (re.sub(r"\W+", "-", fault).strip("-") + ".jsonl")
        history = History(path)
        try:
            rate = asyncio.run(self._play(fault, act, Load(stack, history, self.seed, **load), calm_s))
        finally:
            history.close()
        report = checker.check(history.records(), for_checker(stack, path.with_suffix(".db")))
        self.rows.append(report.row())
        self.measured.append((NOTICE_S, report.notice_s))
        print(f"{rate:.0f} messages/s while it happened\n{checker.table([report.row()])}", flush=True)
        if report.violations:
            self._keep(stack, path)
        elif not os.environ.get("STONECHAT_TEST_KEEP"):
            path.unlink()
            path.with_suffix(".db").unlink(missing_ok=True)
        listed = "\n".join(f"{kind}: {sentence}" for kind, sentence in report.violations[:20])
        assert not report.violations, f"seed {self.seed}, {len(report.violations)} violations, see {path}:\n{listed}"
        assert rate >= MESSAGES_PER_SECOND or idle, f"only {rate:.0f} messages/s while it happened"
        return report

    async def _play(self, fault: str, act: Act, load: Load, calm_s: float) -> float:
        """How many messages a second were sent while it happened and until it was calm."""
        try:
            await load.start(fault, NOTICE_S * PATIENCE)
            scene = Scene(load.stack, load, self.measured)
            await act(scene)
            scene.mark("the fault is over")
            await load.flow(calm_s)  # it catches up with what a busy machine has put off
            calm = scene.mark("it has been calm")
            await load.finish()
            return load.messages_between(scene.began, calm) / (calm - scene.began)
        finally:
            await load.stop()

    @staticmethod
    def _keep(stack: Stack, path: Path) -> None:
        """The database beside the history, with what its log holds; a copy of PostgreSQL's is there already."""
        if on_postgres(stack):
            return
        for suffix in ("", "-wal"):
            source = Path(f"{file_of(stack)}{suffix}")
            if source.exists():
                shutil.copy(source, f"{path.with_suffix('.db')}{suffix}")


def bounds_table(measured: list[tuple[float, float]]) -> str:
    """The bounds of the contract and the longest that was measured of each."""
    lines = ["| bound | contract | held to | longest measured |", "| --- | --: | --: | --: |"]
    for bound_s, text in BOUNDS.items():
        took = [took_s for of, took_s in measured if of == bound_s]
        longest = f"{max(took):.2f} s" if took else "not measured"
        lines.append(f"| {text} | {bound_s:g} s | {bound_s * PATIENCE:g} s | {longest} |")
    return "\n".join(lines)
