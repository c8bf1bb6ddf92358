"""What keeping tests apart costs, side by side in one run, on one PostgreSQL.

Three measurements: what rollback mode itself does before and after a test, per driver; a trivial
test (insert, commit, count) over whole runs of pytest, by the harness and by what people use
otherwise; and how long tests in clone mode wait for their databases.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import isolation_report as report
from benchmarks.bracket import measure_brackets
from benchmarks.commandline import (
    load,
    machine,
    parser_of,
    run_to_its_end,
    running_server,
    write_json,
)
from benchmarks.copies import measure_copies
from benchmarks.rounds import Progress
from benchmarks.trivial_tests import KINDS, measure_tests
from harness.database.server import PostgresServer

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/isolation.py --rounds 9 --json isolation.json
  python benchmarks/isolation.py --only clone --postgres postgresql://me@localhost/postgres
"""
_PARTS = ("rollback", "tests", "clone")
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many tests a candidate runs in a round."""

    rollback: int
    tests: int
    clone: int


_FULL, _QUICK = _Sizes(rollback=300, tests=150, clone=40), _Sizes(rollback=3, tests=2, clone=2)


def main() -> int:
    """Run the command line; returns its exit code."""
    parser = parser_of(__doc__ or "", example=_EXAMPLE)
    parser.add_argument("--only", choices=_PARTS, action="append", help="one part; may be repeated")
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out what has to come from PyPI first"
    )
    return run_to_its_end(partial(_measure, parser.parse_args()))


def _measure(options: argparse.Namespace) -> None:
    figures: dict[str, Any] = {}
    with running_server(options.postgres) as server:
        print(machine(server))
        for title, lines, part in _parts(options, server):
            print(f"\n{title}")
            for line in lines:
                print(line)
            sys.stdout.flush()
            figures |= part
        print(f"\n{load('when it ended')}")
        write_json(options.json, server, figures)


def _parts(
    options: argparse.Namespace, server: PostgresServer
) -> Iterator[tuple[str, Iterator[str], dict[str, Any]]]:
    """Each part as it has been measured: its title, its lines, its figures."""
    wanted = options.only or _PARTS
    sizes = _QUICK if options.quick else _FULL
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    progress = Progress()
    if "rollback" in wanted:
        tests = sizes.rollback
        brackets = measure_brackets(server, tests=tests, rounds=rounds, progress=progress)
        yield (
            "ROLLBACK MODE, IN ONE PROCESS, MS PER TEST",
            report.bracket_lines(brackets),
            {"rollback": report.brackets_as_json(brackets)},
        )
    for kind in KINDS if "tests" in wanted else ():
        costs = measure_tests(
            server,
            kind=kind,
            tests=sizes.tests,
            rounds=rounds,
            progress=progress,
            with_peers=not options.no_peers,
            is_quick=options.quick,
        )
        yield (
            f"A TRIVIAL TEST IN A RUN OF PYTEST, {kind.upper()}, MS PER TEST",
            report.test_lines(costs),
            {f"{kind}_tests": report.tests_as_json(costs)},
        )
    if "clone" in wanted:
        copies = measure_copies(server, tests=sizes.clone, rounds=rounds, progress=progress)
        yield (
            "CLONE MODE, IN ONE PROCESS, MS PER TEST",
            report.copy_lines(copies),
            {"clone": report.copies_as_json(copies)},
        )


if __name__ == "__main__":
    sys.exit(main())
