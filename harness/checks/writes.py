"""Rows that are written one by one, where one statement would write them all.

Notes, not warnings: the loop may be there because each row has to be answered for. A session's
flush sends many rows at once, and that is no loop; a flush for each object is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.recording import Cause, RoundTrip
from harness.checks.scope import Claim, Scope, grouped
from harness.findings import Severity

__all__ = ["KINDS", "flushes_in_loops", "write_loops"]

WRITE_LOOP = "write-loop"
FLUSH_IN_LOOP = "flush-in-loop"
KINDS = frozenset({WRITE_LOOP, FLUSH_IN_LOOP})

_FEWEST = 3
_BY_HAND = frozenset({Cause.BULK, Cause.CORE, Cause.RAW})


def write_loops(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Statements that wrote one row each, from one line."""
    writes = [
        trip
        for trip in _own(scope, trips)
        if trip.cause in _BY_HAND and trip.fingerprint.is_write and trip.parameter_sets == 1
    ]
    for runs in grouped(writes, key=lambda trip: (trip.fingerprint.id, trip.stack_key)).values():
        if len(runs) >= _FEWEST and len({run.parameters_key for run in runs}) == len(runs):
            yield _claim(
                scope,
                runs,
                kind=WRITE_LOOP,
                title=f"{len(runs)} rows were written one by one",
                fix="send all rows with one statement: session.execute(insert(…), rows), one "
                "UPDATE or DELETE with WHERE … IN (…)",
            )


def flushes_in_loops(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Flushes that one line has caused, again and again."""
    writes = [trip for trip in _own(scope, trips) if trip.cause is Cause.FLUSH]
    for runs in grouped(writes, key=lambda trip: trip.stack_key).values():
        flushes = len({run.flush for run in runs})
        if flushes >= _FEWEST:
            yield _claim(
                scope,
                runs,
                kind=FLUSH_IN_LOOP,
                title=f"the session was flushed {flushes} times from one line",
                fix="add all objects, then flush or commit once behind the loop",
            )


def _own(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[RoundTrip]:
    for trip in trips:
        if trip.stack_key and not trip.has_failed and not scope.is_a_tests_own(trip):
            yield trip


def _claim(scope: Scope, runs: Sequence[RoundTrip], *, kind: str, title: str, fix: str) -> Claim:
    finding = scope.finding(kind, runs, severity=Severity.NOTE, title=title, fix=fix)
    return Claim(finding, frozenset(run.statement for run in runs))
