"""The drills' options, their fixture, and the table at the end: on the terminal and in build/reports/drills.md.

Each drill runs on both databases unless it is marked with one of them. Those on both run on one of them only with
--long, because what they break has nothing to do with the database: on PostgreSQL, and those of several hosts on
SQLite."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.drill import REPORTS, Drills, MakeCluster, bounds_table
from support.history import checker
from support.load import a_seed
from support.postgres import Cluster, shared_cluster
from support.shared import MakeStack

ROWS: list[list[str]] = []
MEASURED: list[tuple[float, float]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="all drills, not only those of CI")
    parser.addoption("--seed", type=int, help="of a run that is to be repeated")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: runs only with --long")
    config.addinivalue_line("markers", "postgres: of what only a server has; runs on no other database")
    config.addinivalue_line("markers", "hosts: of several hosts, whose database is PostgreSQL unless with --long")
    if config.option.seed is None:
        config.option.seed = a_seed()


def pytest_report_header(config: pytest.Config) -> str:
    return f"drills: seed {config.option.seed}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "drills" not in metafunc.fixturenames:
        return
    definition = metafunc.definition
    one = [name for name in ("sqlite", "postgres") if definition.get_closest_marker(name)]
    first, second = ("postgres", "sqlite") if definition.get_closest_marker("hosts") else ("sqlite", "postgres")
    both = [first, pytest.param(second, marks=pytest.mark.long)]
    metafunc.parametrize("drills", one or both, indirect=True)


@pytest.fixture
def drills(make_stack: MakeStack, request: pytest.FixtureRequest) -> Drills:
    """On the database that the parameter names; PostgreSQL is one cluster for all who don't break it."""
    drills = Drills(make_stack, request.config.option.seed, ROWS, MEASURED)
    if request.param == "postgres":
        drills.cluster = shared_cluster()
    return drills


@pytest.fixture
def make_cluster(drills: Drills) -> Iterator[MakeCluster]:
    """A server that may be broken, on which this drill's database is made."""
    made: list[Cluster] = []

    def make(settings: dict[str, str] | None = None) -> Cluster:
        made.append(Cluster(Path(tempfile.mkdtemp(prefix="stonechat-postgres-")), settings))
        drills.cluster = made[-1].create().start().make_role()
        return made[-1]

    yield make
    for cluster in made:
        cluster.remove()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not ROWS:
        return
    text = f"{checker.table(ROWS)}\n\n{bounds_table(MEASURED)}\n\nSeed {config.option.seed}.\n"
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "drills.md").write_text(text)
    terminalreporter.section("drills")
    terminalreporter.write(text)
