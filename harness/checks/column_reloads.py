"""Columns that are fetched again, one object after the other.

Deferred ones were left out by the query and then asked for; expired ones were thrown away by a
commit; refreshed ones the application asked for itself. One refresh after one write is how
server-side defaults are read, and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.capture.recording import Cause, RoundTrip
from harness.checks.scope import Claim, Scope, grouped
from harness.findings import Finding, Severity

__all__ = ["KIND", "column_reloads"]

KIND = "column-reload"

_FEWEST = {Cause.DEFERRED: 2, Cause.EXPIRED: 3, Cause.REFRESH: 3}
_WRITES = frozenset({Cause.FLUSH, Cause.BULK})
_HAPPENED = {
    Cause.DEFERRED: "columns that the query left out were loaded",
    Cause.EXPIRED: "expired columns were loaded again",
    Cause.REFRESH: "objects were refreshed",
}
_FIXES = {
    Cause.DEFERRED: "add .options(undefer(…)) to the query, or do not read the column here",
    Cause.EXPIRED: (
        "use sessionmaker(expire_on_commit=False), or read what is needed before the commit"
    ),
    Cause.REFRESH: "query all objects once with .execution_options(populate_existing=True)",
}


def column_reloads(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Columns that were loaded for one object after the other."""
    after_writes = _after_writes(scope)
    reloads = [
        trip
        for trip in trips
        if trip.cause in _FEWEST
        and trip.statement not in after_writes
        and not scope.is_a_tests_own(trip)
    ]
    by_place = grouped(reloads, key=lambda trip: (trip.cause, trip.entity, trip.stack_key))
    for (cause, *_), runs in by_place.items():
        objects = len({run.parent_key for run in runs})
        if objects >= _FEWEST[cause]:
            finding = _finding(scope, runs, objects)
            yield Claim(finding, frozenset(run.statement for run in runs))


def _finding(scope: Scope, runs: Sequence[RoundTrip], objects: int) -> Finding:
    first = runs[0]
    query = scope.parent_query(first)
    return scope.finding(
        KIND,
        runs,
        severity=Severity.WARNING,
        title=f"{_HAPPENED[first.cause]} {len(runs)} times, for {objects} objects one by one",
        fix=_FIXES[first.cause],
        label=first.entity or "",
        site=query.call_site if query is not None else None,
    )


def _after_writes(scope: Scope) -> frozenset[int]:
    """Reloads that follow directly upon a write of the same session."""
    sessions = grouped(scope.trips, key=lambda trip: trip.session)
    return frozenset(
        after.statement
        for trips in sessions.values()
        for before, after in pairwise(trips)
        if before.cause in _WRITES and after.cause in _FEWEST
    )
