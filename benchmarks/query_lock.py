"""What a gate on statement counts costs a run of 1,000 tests: combine, compare and write.

200 endpoints with 8 statements each, in a lock of that size; each test has requested 5 endpoints.
Nothing but the processor and a file: no server, no pytest. What the plugin adds to pytest's start
is in startup.py.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.commandline import load, machine, parser_of, run_to_its_end, write_json
from benchmarks.figures import Figures
from benchmarks.rounds import Progress, interleaved
from benchmarks.table import cells, noise, paragraph, table, verdict
from harness.capture.fingerprint import fingerprint
from harness.checks.regression import Change, compared
from harness.findings import SourceLine
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.file import FILE_NAME, read, to_text, updated
from harness.lock.merging import replaced
from harness.lock.observing import Observed, as_json, combined, from_json

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/query_lock.py --rounds 20 --json query_lock.json
"""
_ROUNDS = 15
_TESTS, _ENDPOINTS, _SHAPES, _OF_ONE_TEST = 1_000, 200, 8, 5
_WORKERS = 4
_TARGET_SECONDS = 0.5

_COMBINE = "combine 1,000 tests"
_RECEIVE = "combine what 4 workers sent"
_READ = "read the lock"
_COMPARE = "compare with the lock"
_WRITE = "write all endpoints anew"
_GATE = "combine, read, compare, write"


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run has left to do when its last test is over."""

    tests: tuple[Observed, ...]
    lock: QueryLock
    sent: tuple[str, ...]
    """The same tests, as workers of pytest-xdist tell of them."""
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / FILE_NAME

    def restore(self) -> None:
        """The file as before the run: what says the same already is not written."""
        self.file.write_text(to_text(self.lock), encoding="ascii")

    def combine(self) -> Observed:
        return combined(*self.tests)

    def receive(self) -> Observed:
        return combined(*map(from_json, self.sent))

    def gate(self) -> None:
        seen = self.combine().counts
        changes = compared(read(self.file), seen)
        assert sum(change.change is Change.REGRESSION for change in changes) == _ENDPOINTS
        updated(self.file, lambda lock: replaced(lock, seen))


def main() -> int:
    """Run the command line; returns its exit code."""
    parser = parser_of(__doc__ or "", example=_EXAMPLE, needs_server=False)
    return run_to_its_end(partial(_measure, parser.parse_args()))


def _measure(options: argparse.Namespace) -> None:
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    print(machine(None))
    with _prepared() as run:
        found = _measured(run, rounds=rounds)
        for line in _report(found, run.file.stat().st_size):
            print(line)
    print(f"\n{load('when it ended')}")
    figures = {name: one.as_json() for name, one in found.items()}
    write_json(options.json, None, {"query_lock": figures})


@contextmanager
def _prepared() -> Iterator[_Run]:
    tests = tuple(_test(number) for number in range(_TESTS))
    with tempfile.TemporaryDirectory() as folder:
        # One statement less than was seen, so that every endpoint is a change.
        lock = QueryLock({"postgresql": _lowered(combined(*tests))})
        sent = (as_json(combined(*tests[number::_WORKERS])) for number in range(_WORKERS))
        yield _Run(tests, lock, tuple(sent), Path(folder))


def _test(number: int) -> Observed:
    # The first tests leave no endpoint out, the others come as they come.
    first = number * _OF_ONE_TEST
    known = range(first, first + _OF_ONE_TEST)
    some = random.Random(number).sample(range(_ENDPOINTS), _OF_ONE_TEST)  # noqa: S311 - an order
    counts = {f"GET /tables/{one}": _counts(one) for one in (known if first < _ENDPOINTS else some)}
    keys = [(endpoint, id_) for endpoint, one in counts.items() for id_ in ("", *one.shapes)]
    test = f"tests/test_tables.py::test_{number}"
    return Observed(
        counts=QueryLock({"postgresql": counts}),
        sites={endpoint: SourceLine("shop/tables.py", 1, endpoint) for endpoint in counts},
        witnesses={("postgresql", endpoint, id_): test for endpoint, id_ in keys},
    )


def _counts(endpoint: int) -> EndpointCounts:
    columns = ", ".join(f"table_{endpoint}.column_{number}" for number in range(12))
    shapes = {}
    for number in range(_SHAPES):
        sql = f"SELECT {columns} FROM table_{endpoint} WHERE table_{endpoint}.c{number} = ?"
        shape = fingerprint(sql, is_compiled=True)
        shapes[shape.id] = ShapeCount(shape.text, 2, grows=False)
    return EndpointCounts(2 * _SHAPES, 2 * _SHAPES, shapes)


def _lowered(seen: Observed) -> dict[str, EndpointCounts]:
    return {
        endpoint: EndpointCounts(counts.statements - 1, counts.round_trips, counts.shapes)
        for endpoint, counts in seen.counts.dialects["postgresql"].items()
    }


def _measured(run: _Run, *, rounds: int) -> dict[str, Figures]:
    seen = run.combine().counts
    steps: dict[str, Callable[[], object]] = {
        _COMBINE: run.combine,
        _RECEIVE: run.receive,
        _READ: lambda: read(run.file),
        _COMPARE: lambda: compared(run.lock, seen),
        _WRITE: lambda: updated(run.file, lambda _: seen),
        _GATE: run.gate,
    }

    def measure(step: str) -> float:
        run.restore()
        began = perf_counter()
        steps[step]()
        return perf_counter() - began

    found = interleaved("steps", steps, measure, rounds=rounds, progress=Progress())
    return {name: Figures(tuple((one,) for one in found[name])) for name in steps}


def _report(found: dict[str, Figures], size_bytes: int) -> Iterator[str]:
    yield ""
    yield f"{_TESTS:,} TESTS, {_ENDPOINTS} ENDPOINTS WITH {_SHAPES} STATEMENTS EACH, MILLISECONDS"
    rows = [[name, *cells(figures)] for name, figures in found.items()]
    yield from table(["", "median", "min", "p95"], rows)
    yield ""
    gate = found[_GATE]
    figures = f"{gate.median * 1000:.0f} ms, target {_TARGET_SECONDS * 1000:.0f}"
    yield f"  {verdict(gate.median, _TARGET_SECONDS, gate)}  {_GATE}: {figures}"
    yield ""
    yield paragraph(
        f"The file has {size_bytes / 1024:,.0f} KiB. The last line is what a run without workers "
        "waits for at its end; with workers the second line takes the place of the first. "
        + noise(found.values())
    )


if __name__ == "__main__":
    sys.exit(main())
