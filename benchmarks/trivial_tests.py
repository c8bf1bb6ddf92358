"""The trivial test over whole runs of pytest, by each way to keep tests apart.

Insert, commit, count: little enough that what is left is the price of the way. All of them run the
same module with the same body against the same server, each in a process of its own with nothing
loaded but its own plugins; the event loop lasts for the session, which is the fastest for all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from benchmarks.databases import new_database
from benchmarks.figures import Figures
from benchmarks.peers import NotInstalledError, installed_peers
from benchmarks.pytest_process import PytestRun, empty_folder, run_pytest
from benchmarks.rounds import Progress, interleaved
from harness.database.server import PostgresServer

__all__ = [
    "FLOOR",
    "HARNESS",
    "KINDS",
    "PEER",
    "RECIPE",
    "TestCosts",
    "harness_settings",
    "measure_tests",
    "ways_of",
]

KINDS = ("async", "sync")
FLOOR = "empty test"
HARNESS = "harness, rollback"
RECIPE = "SQLAlchemy's recipe"
PEER = "pytest-sqla"
_BODIES = {"async": "awaited_tests.py", "sync": "blocking_tests.py"}
_EMPTY = {"async": "awaited_empty.py", "sync": "blocking_empty.py"}
_WAYS = "benchmarks.approaches."
_STOPWATCH = (f"{_WAYS}stopwatch",)
_ENGINES = (*_STOPWATCH, f"{_WAYS}engines")
_BY_HARNESS = (*_STOPWATCH, f"{_WAYS}by_harness")
_WARM_UP = 10
"""Tests that do not count: caches fill, and clone mode finds out how the server copies fastest."""


@dataclass(frozen=True, slots=True)
class TestCosts:
    """What one way costs in runs of one kind."""

    __test__ = False  # not a class of tests

    per_test: Figures
    first_test: Figures
    """What a run does once: tables, an engine, a connection; the harness imports the application,
    and makes its database."""


def ways_of(kind: str, *, with_peers: bool) -> dict[str, PytestRun]:
    """What is compared, by name."""
    asyncio = ("asyncio",)
    body = PytestRun(_BODIES[kind], asyncio, _STOPWATCH)
    by_engines = replace(body, modules=_ENGINES)
    by_harness = replace(
        body,
        installed=(*asyncio, "harness"),
        modules=_BY_HARNESS,
        settings=harness_settings(kind),
    )
    clone = {"HARNESS_ISOLATION": "clone"}
    ways = {
        FLOOR: replace(body, file=_EMPTY[kind]),
        "harness, empty test": replace(by_harness, file=_EMPTY[kind]),
        HARNESS: by_harness,
        RECIPE: _with(by_engines, "recipe"),
        "DELETE": _with(by_engines, "deleting"),
        "TRUNCATE": _with(by_engines, "truncating"),
        "create_all, drop_all": _with(by_engines, "recreating"),
        "harness, clone": replace(by_harness, environment=clone),
    }
    if kind == "sync":
        bridged = replace(by_harness, settings=harness_settings("async"))
        ways["harness, rollback, asyncpg"] = bridged
    if with_peers:
        ways[PEER] = replace(
            body,
            installed=(*asyncio, "sqla"),
            modules=(*_STOPWATCH, f"{_WAYS}by_pytest_sqla"),
            settings='sqla_metadata = "benchmarks.project.models:Base"\n',
            extra_paths=(installed_peers(),),
        )
    return ways


def measure_tests(
    server: PostgresServer,
    *,
    kind: str,
    tests: int,
    rounds: int,
    progress: Progress,
    with_peers: bool,
    is_quick: bool = False,
) -> dict[str, TestCosts]:
    """Run every way in every round; in a quick run half of them, the other half by the other kind.

    Raises:
        Failed: The tests of a way do not pass.
    """
    ways = _available(kind, progress, with_peers=with_peers)
    if is_quick:
        ways = _every_other(ways, KINDS.index(kind))

    def measure(name: str) -> list[float]:
        return _seconds_per_test(ways[name], server, tests=_WARM_UP + tests + 1)

    title = f"{kind} tests"
    found = interleaved(title, list(ways), measure, rounds=rounds, progress=progress)
    return {name: _costs(found[name]) for name in ways}


def _available(kind: str, progress: Progress, *, with_peers: bool) -> dict[str, PytestRun]:
    try:
        return ways_of(kind, with_peers=with_peers)
    except NotInstalledError as error:
        progress.note(f"left out: {PEER}, which could not be installed: {error}")
        return ways_of(kind, with_peers=False)


def _every_other(ways: dict[str, PytestRun], first: int) -> dict[str, PytestRun]:
    compared = (FLOOR, HARNESS, RECIPE)
    others = [name for name in ways if name not in compared]
    return {name: ways[name] for name in (*compared, *others[first::2])}


def _costs(rounds: Sequence[Sequence[float]]) -> TestCosts:
    return TestCosts(
        per_test=Figures(tuple(tuple(times[_WARM_UP:]) for times in rounds)),
        first_test=Figures(tuple((times[0],) for times in rounds)),
    )


def _seconds_per_test(run: PytestRun, server: PostgresServer, *, tests: int) -> list[float]:
    """From the beginning of each test to that of the next."""
    with new_database(server) as database, empty_folder() as folder:
        beginnings = folder / "beginnings.json"
        run_pytest(replace(run, environment=_environment(run, server, database, tests, beginnings)))
        times = json.loads(beginnings.read_text(encoding="utf-8"))
    return [after - before for before, after in pairwise(times)]


def _environment(
    run: PytestRun, server: PostgresServer, database: str, tests: int, beginnings: Path
) -> dict[str, str]:
    def url(driver: str) -> str:
        made = server.address.url(database, driver=driver)
        return made.render_as_string(hide_password=False)

    return {
        "BENCHMARK_TESTS": str(tests),
        "BENCHMARK_BEGINNINGS": str(beginnings),
        "BENCHMARK_ASYNC_URL": url("asyncpg"),
        "BENCHMARK_SYNC_URL": url("psycopg"),
        "PYTEST_SQLA_URL": url("psycopg"),
        "PYTEST_SQLA_ASYNC_URL": url("asyncpg"),
        "HARNESS_POSTGRES": url("asyncpg"),
        **run.environment,
    }


def _with(run: PytestRun, approach: str) -> PytestRun:
    return replace(run, modules=(*run.modules, f"{_WAYS}{approach}"))


def harness_settings(kind: str) -> str:
    """The project's ``[tool.harness]``."""
    app, url = ("app", "async_url") if kind == "async" else ("blocking_app", "sync_url")
    return f"""
[tool.harness]
app = "benchmarks.project.{app}:app"
metadata = "benchmarks.project.models:Base"
session_dependency = "benchmarks.project.{app}:get_session"
env = {{ BENCHMARK_APP_URL = "{{{url}}}" }}
"""
