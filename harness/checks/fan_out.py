"""The same statement in several tasks side by side: an N+1 that hides its time, not its cost.

Each task has a session of its own, so one request holds as many connections as it has tasks, and a
few such requests hold the whole pool. Told by the tasks, not by time: where tests take turns on one
connection nothing overlaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.recording import RoundTrip
from harness.checks.scope import BY_HAND, Claim, Scope, grouped
from harness.findings import Finding, Severity

__all__ = ["KIND", "fan_out"]

KIND = "fan-out"

_FEWEST = 3


def fan_out(scope: Scope, trips: Sequence[RoundTrip]) -> Iterator[Claim]:
    """Statements that one request ran in several tasks or threads of its own."""
    candidates = [
        trip
        for trip in trips
        if trip.cause in BY_HAND and trip.stack_key and not scope.is_a_tests_own(trip)
    ]
    for runs in grouped(candidates, key=lambda t: (t.fingerprint.id, t.stack_key)).values():
        workers = {(run.task, run.thread) for run in runs}
        values = {run.parameters_key for run in runs}
        if len(workers) >= _FEWEST and len(values) == len(runs):
            finding = _finding(scope, runs, len(workers))
            yield Claim(finding, frozenset(run.statement for run in runs))


def _finding(scope: Scope, runs: Sequence[RoundTrip], workers: int) -> Finding:
    sessions = len({run.session for run in runs})
    return scope.finding(
        KIND,
        runs,
        severity=Severity.WARNING,
        title=f"the same statement ran in {workers} tasks side by side, for one value each",
        fix="run it once for all values (WHERE … IN (…)); a pool smaller than the tasks makes them "
        "wait for each other, and for other requests",
        evidence=(*scope.evidence(runs), ("sessions at once", str(sessions))),
    )
