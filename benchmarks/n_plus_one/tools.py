"""The tools, each set up as its own documentation says, and what it claims to find.

What a tool leaves to others is no miss of it: `claims` is taken from its documentation, not from
what it turned out to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.n_plus_one.cases import Family
from benchmarks.pytest_process import PytestRun

__all__ = ["HARNESS", "Tool", "harness_tool", "peers", "versions"]

HARNESS = "harness"
_TESTS = "corpus_tests.py"
_WAYS = "benchmarks.approaches."
_ANYWHERE = (f"{_WAYS}corpus",)
_READS = frozenset({Family.RELATIONSHIPS, Family.REPEATS, Family.COLUMNS})
_ALL = frozenset(Family) - {Family.CLEAN}
_PEERS = ("pytest-queryguard", "queryspy", "pytest-querycount")
# The checks of statements, each with all its severities: notes fail a test here, too.
_HARNESS_SETTINGS = """
[tool.harness]
app_packages = ["tests.checks.corpus"]
fail_on = [
    "n-plus-one", "repeated-sequence", "fan-out", "column-reload", "redundant-read",
    "write-loop", "flush-in-loop", "unbounded-result",
    "missing-greenlet", "detached-instance", "forbidden-lazy-load",
    "commit-after-response", "background-before-commit", "read-of-uncommitted-row",
]
"""
# The checks that it leaves to the user to turn on, from two runs on. Not here: those that look for
# something else (missing indexes, eager loads that nobody reads).
_QUERYGUARD_OPT_INS = """
queryguard_small_repeat_threshold = 2
queryguard_column_load_threshold = 2
queryguard_write_loop_threshold = 2
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool in one setting."""

    name: str
    run: PytestRun
    claims: frozenset[Family]
    how: str
    """How it is set up, in a few words."""


def harness_tool() -> Tool:
    """This project, as its plugin works in a test."""
    run = PytestRun(
        _TESTS,
        installed=("harness",),
        modules=(*_ANYWHERE, f"{_WAYS}by_harness_checks"),
        settings=_HARNESS_SETTINGS,
    )
    return Tool(HARNESS, run, _ALL, "fail_on = every kind of query finding, notes included")


def peers(folder: Path) -> tuple[Tool, ...]:
    """The others, imported from a folder."""
    plain = PytestRun(_TESTS, modules=_ANYWHERE, extra_paths=(folder,))
    guard = replace(plain, installed=("queryguard",))
    spy = replace(plain, installed=("queryspy",), settings='queryspy_fail_on = "n_plus_one"\n')
    count = replace(plain, installed=("querycount",), modules=(*_ANYWHERE, f"{_WAYS}by_querycount"))
    writes = replace(count, environment={"BENCHMARK_KINDS": "select insert update delete"})
    opted = replace(guard, settings=_QUERYGUARD_OPT_INS)
    return (
        Tool("queryguard", guard, _READS, "installed, nothing configured"),
        Tool(
            "queryguard, opt-ins",
            opted,
            _READS | {Family.WRITES},
            "small repeats, columns and write loops from 2 on",
        ),
        Tool("queryspy", spy, _READS, "queryspy_fail_on = n_plus_one"),
        Tool("querycount", count, _READS, "@no_n_plus_one on every test"),
        Tool(
            "querycount, writes",
            writes,
            _READS | {Family.WRITES},
            "@no_n_plus_one(kinds=(select, insert, update, delete))",
        ),
    )


def versions(folder: Path) -> Iterator[str]:
    """The peers that a folder has: ``queryspy 0.6.0``."""
    found = {one.metadata["Name"]: one.version for one in distributions(path=[str(folder)])}
    yield from (f"{name} {found[name]}" for name in _PEERS)
