"""A result that nothing bounds: all rows of a table, into memory at once.

Judged by the rows that came back, where the driver tells their number, so a small table is left
alone until it has grown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.recording import Cause, RoundTrip
from harness.checks.scope import BY_HAND, Claim, Scope
from harness.findings import Finding, Severity

__all__ = ["KIND", "unbounded_results"]

KIND = "unbounded-result"

_MANY_ROWS = 1000
_READS = BY_HAND - {Cause.GET}


def unbounded_results(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Queries without a limit that returned a thousand rows or more."""
    for trip in trips:
        is_read = trip.cause in _READS and not trip.fingerprint.is_write
        is_bounded = trip.is_limited or trip.is_streamed or bool(trip.in_size)
        if (
            is_read
            and trip.row_count >= _MANY_ROWS
            and not is_bounded
            and not scope.is_a_tests_own(trip)
        ):
            finding = _finding(scope, trip)
            yield Claim(finding, frozenset())  # it says nothing of why the statement ran


def _finding(scope: Scope, trip: RoundTrip) -> Finding:
    return scope.finding(
        KIND,
        [trip],
        severity=Severity.NOTE,
        title=f"{trip.row_count} rows were read at once",
        fix="bound it: .limit(…) with pages, or .execution_options(yield_per=…) to stream",
        evidence=(
            ("statement", trip.fingerprint.text),
            ("rows", str(trip.row_count)),
            ("database time", f"{trip.seconds * 1000:.1f} ms"),
        ),
    )
