"""All checks of statements in their order: the exact ones first, each claiming what it explains.

Without claims one loop would be told three times: as lazy loads, as a repeated text, and as part of
a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.capture.recording import Recording, RoundTrip
from harness.checks.column_reloads import column_reloads
from harness.checks.fan_out import fan_out
from harness.checks.lazy_loads import lazy_loads
from harness.checks.loops import loops, redundant_reads
from harness.checks.refused_loads import refused_loads
from harness.checks.scope import Claim, Scope, scopes
from harness.checks.sequences import sequences
from harness.checks.unbounded import unbounded_results
from harness.checks.writes import flushes_in_loops, write_loops
from harness.findings import Finding

__all__ = ["statement_findings"]

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


def _of_one(scope: Scope) -> Iterator[Finding]:
    yield from (claim.finding for claim in refused_loads(scope))
    free = list(scope.trips)
    for check in _CHECKS:
        claims = list(check(scope, free))
        yield from (claim.finding for claim in claims)
        claimed = {number for claim in claims for number in claim.statements}
        free = [trip for trip in free if trip.statement not in claimed]
