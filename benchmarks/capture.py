"""What watching adds to each statement: processor time, in one process, all candidates in turn.

Two listeners that do nothing are the floor. `counting` is the probe of a running application,
`full` the recorder of tests: causes, relationships, call sites, keys of values. Beside them what
SQLAlchemy and its peers do. The peers are installed into an environment of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.capture_memory import measured_memory
from benchmarks.capture_peers import environment_with_peers
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
from benchmarks.pytest_process import Failed
from benchmarks.table import noise, paragraph, table, verdict

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/capture.py --rounds 40 --json capture.json
  python benchmarks/capture.py --memory
"""
_ROUNDS, _STATEMENTS = 30, 500
_MANY = 100_000
_COLUMNS = ("SQLite Core", "SQLite ORM", "asyncpg Core", "asyncpg ORM")
_GATED = _COLUMNS[:2]
_BARE, _FLOOR, _COUNTING, _FULL = "nothing", "two no-op listeners", "counting", "full"
_WITH_CALL_SITE: Mapping[str, Sequence[str]] = {
    "SQLite Core": ("pytest-queryguard", "pytest-querycount"),
    "SQLite ORM": ("pytest-queryguard", "pytest-querycount", "queryspy"),
}
"""Peers that say where a statement came from; queryspy does for the ORM only."""

_Timings = Mapping[str, Mapping[str, Sequence[float]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = parser_of(__doc__ or "", example=_EXAMPLE)
    parser.add_argument(
        "--memory", action="store_true", help="what one request of 100,000 statements takes instead"
    )
    options = parser.parse_args(arguments)

    def memory() -> None:
        print(machine(None))
        taken = measured_memory(1_000 if options.quick else _MANY)
        print(taken)
        write_json(options.json, None, {"memory": asdict(taken)})
        if not taken.is_kept:
            raise Failed("more than that, or counts that are not exact, is a fault")

    def program() -> None:
        python = environment_with_peers()
        with running_server(options.postgres) as server, new_database(server) as database:
            print(machine(server))
            timings = _measured(
                python,
                url=server.address.url(database).render_as_string(hide_password=False),
                rounds=options.rounds or (2 if options.quick else _ROUNDS),
                statements=20 if options.quick else _STATEMENTS,
            )
            figures = _figures(timings)
            print("\n".join(_report(figures)))
            print(load("when it ended"))
            write_json(options.json, server, {"capture": _as_json(figures)})

    return run_to_its_end(memory if options.memory else program)


def _measured(python: Path, *, url: str, rounds: int, statements: int) -> _Timings:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [python, "-m", "benchmarks.capture_run", url, str(rounds), str(statements)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"measuring ended with exit code {done.returncode}; the reason stands above")
    timings: _Timings = json.loads(done.stdout)
    return timings


def _figures(timings: _Timings) -> dict[str, dict[str, Figures]]:
    return {
        candidate: {
            column: Figures(tuple((seconds,) for seconds in by_column[column]))
            for column in _COLUMNS
        }
        for candidate, by_column in timings.items()
    }


def _report(figures: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    bare = figures[_BARE]
    rows = [
        [name, *(_microseconds(by_column[column].over(bare[column])) for column in _COLUMNS)]
        for name, by_column in figures.items()
        if name != _BARE
    ]
    rows.insert(0, ["(SQLAlchemy itself)", *(_microseconds(bare[c].median) for c in _COLUMNS)])
    lines = ["", "Processor time that is added to each statement, in microseconds", ""]
    lines += table(["", *_COLUMNS], rows)
    lines += ["", *_verdicts(figures), ""]
    every = (figure for by_column in figures.values() for figure in by_column.values())
    lines.append(paragraph(noise(every)))
    return lines


def _verdicts(figures: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    bare = figures[_BARE]

    def added(name: str, column: str) -> float:
        return figures[name][column].over(bare[column])

    lines = []
    for column in _GATED:
        cheapest = min(_WITH_CALL_SITE[column], key=lambda name: added(name, column))
        for name, target, what in (
            (_COUNTING, 2 * added(_FLOOR, column), "twice the two no-op listeners"),
            (_FULL, added(cheapest, column), f"{cheapest}, the cheapest with a call site"),
        ):
            judged = verdict(added(name, column), target, figures[name][column], bare[column])
            lines.append(
                paragraph(
                    f"{judged} {column}, {name}: {_microseconds(added(name, column))} of "
                    f"{_microseconds(target)} ({what})"
                )
            )
    return lines


def _as_json(figures: Mapping[str, Mapping[str, Figures]]) -> dict[str, object]:
    return {
        name: {column: figure.as_json() for column, figure in by_column.items()}
        for name, by_column in figures.items()
    }


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1_000_000:.1f}"


if __name__ == "__main__":
    sys.exit(main())
