"""The same statement again and again, from one line: for other values each time, or for the same.

A text says less than a relationship does: a loop cannot be told from coincidence below three runs,
except where a query before it returned exactly as many rows as there are runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.recording import RoundTrip
from harness.checks.scope import BY_HAND, Claim, Scope, grouped
from harness.checks.walks import is_walk
from harness.findings import Severity

__all__ = ["KINDS", "loops", "redundant_reads"]

N_PLUS_ONE = "n-plus-one"
REDUNDANT_READ = "redundant-read"
KINDS = frozenset({N_PLUS_ONE, REDUNDANT_READ})

_FEWEST = 3
_CERTAIN = 5
_FEWEST_WITHOUT_A_LINE = 5
"""Where no line of the user's is on the stack, runs of different loops cannot be told apart."""
_FEWEST_AGAIN = 3


def loops(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Statements that ran from one line for one value after the other."""
    for runs in _repeated(scope, trips):
        fewest = _FEWEST if runs[0].stack_key else _FEWEST_WITHOUT_A_LINE
        is_matched = _rows_before(scope, runs[0]) == len(runs) > 1
        values = {run.parameters_key for run in runs}
        if len(values) < len(runs) or (len(runs) < fewest and not is_matched) or is_walk(runs):
            continue
        is_certain = len(runs) >= _CERTAIN or is_matched
        finding = scope.finding(
            N_PLUS_ONE,
            runs,
            severity=Severity.ERROR if is_certain else Severity.WARNING,
            title=f"the same statement ran {len(runs)} times from one line, for one value each",
            fix="run it once for all values: WHERE … IN (…), a join, or a relationship's loader",
        )
        yield Claim(finding, frozenset(run.statement for run in runs))


def redundant_reads(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Statements that ran from one line for the same values, with no write in between."""
    for runs in _repeated(scope, trips):
        for same in grouped(runs, key=lambda run: run.parameters_key).values():
            if len(same) < _FEWEST_AGAIN or "FOR UPDATE" in same[0].fingerprint.text:
                continue
            if " FROM " not in same[0].fingerprint.text or _is_written_between(scope, same):
                continue
            finding = scope.finding(
                REDUNDANT_READ,
                same,
                severity=Severity.NOTE,
                title=f"the same question was asked {len(same)} times, for the same values",
                fix="ask once and pass the answer on, or keep it for the request",
            )
            yield Claim(finding, frozenset(run.statement for run in same))


def _repeated(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[list[RoundTrip]]:
    candidates = [
        trip
        for trip in trips
        if trip.cause in BY_HAND
        and not trip.fingerprint.is_write
        and (trip.call_site is not None or scope.request is not None)
        and not scope.is_a_tests_own(trip)
    ]
    places = grouped(candidates, key=lambda trip: (trip.fingerprint.id, trip.stack_key, trip.phase))
    yield from (runs for runs in places.values() if len(runs) > 1)


def _rows_before(scope: Scope, first: RoundTrip) -> int:
    """Rows of the last query before a loop; 0 where nobody knows."""
    before = [
        trip for trip in scope.trips if trip.statement < first.statement and trip.cause in BY_HAND
    ]
    return before[-1].row_count if before else 0


def _is_written_between(scope: Scope, runs: Sequence[RoundTrip]) -> bool:
    first, last = runs[0].statement, runs[-1].statement
    return any(trip.fingerprint.is_write for trip in scope.trips if first < trip.statement < last)
