"""All checks of statements in their order: the exact ones first, each claiming what it explains.

Without claims one loop would be told three times: as lazy loads, as a repeated text, and as part of
a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.capture.recording import Recording, RoundTrip
from harness.checks.column_reloads import KIND as COLUMN_RELOAD
from harness.checks.column_reloads import column_reloads
from harness.checks.fan_out import KIND as FAN_OUT
from harness.checks.fan_out import fan_out
from harness.checks.lazy_loads import lazy_loads
from harness.checks.loops import N_PLUS_ONE, loops, redundant_reads
from harness.checks.refused_loads import refused_loads
from harness.checks.scope import Claim, Scope, scopes
from harness.checks.sequences import KIND as REPEATED_SEQUENCE
from harness.checks.sequences import sequences
from harness.checks.unbounded import unbounded_results
from harness.checks.writes import KINDS as WRITES
from harness.checks.writes import flushes_in_loops, write_loops
from harness.findings import Finding

__all__ = ["growing_statements", "statement_findings"]

_GROWING = frozenset({N_PLUS_ONE, REPEATED_SEQUENCE, FAN_OUT, COLUMN_RELOAD, *WRITES})
"""Kinds of findings that say: once for each row."""

_CHECKS: tuple[Callable[[Scope, Sequence[RoundTrip]], Iterator[Claim]], ...] = (
    lazy_loads,
    column_reloads,
    fan_out,
    sequences,
    loops,
    redundant_reads,
    write_loops,
    flushes_in_loops,
    unbounded_results,
)


def statement_findings(recording: Recording) -> list[Finding]:
    """What is wrong with the statements of each request, and of sessions outside, by identity."""
    found: dict[str, Finding] = {}
    for scope in scopes(recording):
        for finding in _of_one(scope):
            found.setdefault(finding.identity, finding)
    return sorted(found.values(), key=lambda finding: finding.identity)


def growing_statements(recording: Recording) -> frozenset[int]:
    """Numbers of the statements that a finding says to have run once for each row."""
    claims = (claim for scope in scopes(recording) for claim in _claims(scope))
    return frozenset(
        number for claim in claims if claim.finding.kind in _GROWING for number in claim.statements
    )


def _of_one(scope: Scope) -> Iterator[Finding]:
    yield from (claim.finding for claim in refused_loads(scope))
    yield from (claim.finding for claim in _claims(scope))


def _claims(scope: Scope) -> Iterator[Claim]:
    free = list(scope.trips)
    for check in _CHECKS:
        claims = list(check(scope, free))
        yield from claims
        claimed = {number for claim in claims for number in claim.statements}
        free = [trip for trip in free if trip.statement not in claimed]
