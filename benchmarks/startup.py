"""What the harness adds to the start of pytest: whole processes, from the command to their end.

A file with one test (a request that commits, a count) on pytest, FastAPI and asyncpg, with a
PostgreSQL that is running already; the same file with the harness, on that server and on one that
is started for the run; and a project that does not use the harness in an environment that has it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.commandline import (
    load,
    machine,
    parser_of,
    run_to_its_end,
    running_server,
    write_json,
)
from benchmarks.databases import new_database
from benchmarks.figures import Figures
from benchmarks.pytest_process import PytestRun, run_pytest
from benchmarks.rounds import Progress, interleaved
from benchmarks.table import cells, noise, paragraph, table, verdict
from benchmarks.trivial_tests import harness_settings
from harness.database.server import PostgresServer

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/startup.py --rounds 20 --json startup.json
"""
_ROUNDS = 15
_PLAIN = "pytest, FastAPI, asyncpg"
_SAME_SERVER = "harness, that server"
_CACHED = "harness, cached cluster"
_UNCACHED = "harness, no cache"
_ALONE = "pytest alone"
_UNUSED = "harness installed, unused"
_BY_HAND = PytestRun("one_test.py", ("asyncio",), ("benchmarks.approaches.by_hand",))
_BY_HARNESS = PytestRun(
    "one_test.py",
    ("asyncio", "harness"),
    ("benchmarks.approaches.by_harness",),
    harness_settings("async"),
)
_CANDIDATES = {
    _PLAIN: _BY_HAND,
    _SAME_SERVER: _BY_HARNESS,
    _CACHED: _BY_HARNESS,
    _UNCACHED: _BY_HARNESS,
    _ALONE: PytestRun("no_database.py"),
    _UNUSED: PytestRun("no_database.py", ("harness",)),
}


@dataclass(frozen=True, slots=True)
class _Target:
    candidate: str
    beside: str
    seconds: float


_TARGETS = (
    _Target(_CACHED, _PLAIN, 0.6),
    _Target(_UNCACHED, _PLAIN, 2.0),
    _Target(_UNUSED, _ALONE, 0.05),
)


def main() -> int:
    """Run the command line; returns its exit code."""
    parser = parser_of(__doc__ or "", example=_EXAMPLE)
    return run_to_its_end(partial(_measure, parser.parse_args()))


def _measure(options: argparse.Namespace) -> None:
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    with running_server(options.postgres) as server:
        found = _measured(server, rounds=rounds, is_quick=options.quick)
        for line in _report(found, server):
            print(line)
        print(f"\n{load('when it ended')}")
        figures = {name: one.as_json() for name, one in found.items()}
        write_json(options.json, server, {"startup": figures})


def _measured(server: PostgresServer, *, rounds: int, is_quick: bool) -> dict[str, Figures]:
    def measure(candidate: str) -> float:
        with _prepared(candidate, server) as run:
            return run_pytest(run)

    progress = Progress()
    if not is_quick:
        # Bytecode is compiled and the cluster is cached by then: these are not first starts.
        for candidate in _CANDIDATES:
            progress.show(f"warming up: {candidate}")
            measure(candidate)
    found = interleaved("starts", _CANDIDATES, measure, rounds=rounds, progress=progress)
    return {name: Figures(tuple((one,) for one in found[name])) for name in _CANDIDATES}


@contextmanager
def _prepared(candidate: str, server: PostgresServer) -> Iterator[PytestRun]:
    """A candidate, with what it needs for one run."""
    run = _CANDIDATES[candidate]
    with new_database(server) as database, tempfile.TemporaryDirectory() as empty:
        url = server.address.url(database).render_as_string(hide_password=False)
        added = {
            _PLAIN: {"BENCHMARK_APP_URL": url},
            _SAME_SERVER: {"HARNESS_POSTGRES": url},
            _CACHED: {"HARNESS_POSTGRES": "embedded"},
            _UNCACHED: {"HARNESS_POSTGRES": "embedded", "XDG_CACHE_HOME": empty},
        }
        yield replace(run, environment=added.get(candidate, {}))


def _report(found: dict[str, Figures], server: PostgresServer) -> Iterator[str]:
    yield machine(server)
    yield ""
    yield "WHOLE PYTEST PROCESSES, MILLISECONDS"
    beside = {_PLAIN: _PLAIN, _SAME_SERVER: _PLAIN, _CACHED: _PLAIN, _UNCACHED: _PLAIN}
    rows = [
        [name, *cells(figures), _difference(figures, found[beside.get(name, _ALONE)])]
        for name, figures in found.items()
    ]
    yield from table(["", "median", "min", "p95", "more"], rows)
    yield ""
    for target in _TARGETS:
        yield _judged(target, found)
    yield ""
    yield paragraph(
        f"'more' is the median of the differences to {_PLAIN}, or to {_ALONE}, in the same round. "
        + noise(found.values())
    )


def _difference(figures: Figures, other: Figures) -> str:
    return "" if figures is other else f"{figures.over(other) * 1000:+,.0f}"


def _judged(target: _Target, found: dict[str, Figures]) -> str:
    ours, other = found[target.candidate], found[target.beside]
    more = ours.over(other)
    figures = f"{more * 1000:.0f} ms more, target {target.seconds * 1000:.0f}"
    return f"  {verdict(more, target.seconds, ours, other)}  {target.candidate}: {figures}"


if __name__ == "__main__":
    sys.exit(main())
