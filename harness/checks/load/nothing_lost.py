"""Whether every write that was answered 2xx is in the database exactly once, after all troubles.

By counts alone, so that nothing about the machine makes it inconclusive. What was never answered
may be there or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.capture.reckoning import Reckoning
from harness.checks.load.figures import counted
from harness.checks.load.judged import Judged, found, passed, undecided
from harness.findings import Finding, Severity, SourceLine

__all__ = ["DOUBLED", "KINDS", "LOST", "PROBE", "nothing_lost"]

PROBE = "nothing-lost"
LOST = "lost-write"
DOUBLED = "doubled-write"
KINDS = frozenset({LOST, DOUBLED})

_SHOWN_KEYS = 3
_FIXES = {
    LOST: "commit before the answer is sent, and answer no 2xx when that raises: a dependency that "
    'commits after its yield does so afterwards, unless it is Depends(…, scope="function"); and '
    "keep synchronous_commit on",
    DOUBLED: "repeat no write whose answer was lost, or give it a key of its own: a unique "
    "constraint and INSERT … ON CONFLICT DO NOTHING",
}


def nothing_lost(
    reckonings: Sequence[tuple[str, Reckoning]], *, route: str, site: SourceLine | None = None
) -> Judged:
    """Judge what became of all writes.

    Args:
        reckonings: Of each trouble, in words, what was answered and what is there.
        route: Where the writes went: ``"POST /todos"``.
        site: Its endpoint; None where nobody knows.
    """
    answered = sum(each.answered for _, each in reckonings)
    sent = sum(each.sent for _, each in reckonings)
    findings = [
        replace(item, site=site)
        for name, each in reckonings
        for item in _findings(name, each, route)
    ]
    if findings:
        return found(PROBE, findings, is_explanation=False)
    if not answered:
        why = f"none of {counted(sent, 'write')} to {route} was answered 2xx"
        return undecided(PROBE, f"{why}: see [tool.harness.write]")
    return passed(PROBE, _summary(answered, reckonings))


def _summary(answered: int, reckonings: Sequence[tuple[str, Reckoning]]) -> str:
    told = f"all of {answered} writes that were answered 2xx are there once"
    if answered == 1:
        told = "the one write that was answered 2xx is there once"
    others = (
        ("failed", [(each.failed_there, each.failed) for _, each in reckonings]),
        ("had no answer", [(each.unknown_there, each.unknown) for _, each in reckonings]),
    )
    there = [
        f"{sum(there for there, _ in counts)} of {number} that {what}"
        for what, counts in others
        if (number := sum(number for _, number in counts))
    ]
    return f"{told}; there, too: {', '.join(there)}" if there else told


def _findings(trouble: str, reckoning: Reckoning, route: str) -> Iterator[Finding]:
    for kind, keys, what in (
        (LOST, reckoning.lost, "answered 2xx and not there"),
        (DOUBLED, reckoning.doubled, "there more than once"),
    ):
        if keys:
            of_all = f"{len(keys)} of {counted(reckoning.answered, 'write')}"
            yield Finding(
                kind=kind,
                label=trouble,
                anchor=route,
                severity=Severity.ERROR,
                title=f"{trouble}: {of_all} {what}",
                fix=_FIXES[kind],
                # Each by itself, since they are long and lines break between facts alone.
                evidence=tuple(("key", key) for key in keys[:_SHOWN_KEYS]),
            )
