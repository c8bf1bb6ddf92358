"""What a check of load answers: a verdict, the findings behind it, and whether it is the reason.

A module of its own because every check makes these and the classification reads them. How bad a
finding is decides the verdict, in one place: an error fails; a warning and a note warn. Notes tell
what limited a load that nothing is wrong with, and fail no run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.findings import Finding, ProbeVerdict, Severity, Verdict

__all__ = ["EVERYWHERE", "Judged", "cut_short", "found", "passed", "skipped", "undecided"]

EVERYWHERE = "the whole application"
"""Where a finding belongs that no route causes alone."""


_RANKS = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer of one check."""

    verdict: ProbeVerdict
    findings: tuple[Finding, ...] = ()
    is_explanation: bool = False
    """Whether it is a reason for requests to be slow, if there is no better one."""


def passed(probe: str, summary: str, *, unless: str = "") -> Judged:
    """Nothing is wrong.

    Args:
        probe: Name of the check.
        summary: What was seen.
        unless: Why that was not all there was to see: then nobody can say so; empty if it was.
    """
    if unless:
        return undecided(probe, unless)
    return Judged(ProbeVerdict(probe, Verdict.PASS, summary))


def undecided(probe: str, why: str) -> Judged:
    """The measurement does not allow an answer."""
    return Judged(ProbeVerdict(probe, Verdict.INCONCLUSIVE, why))


def cut_short(judged: Judged, why: str) -> Judged:
    """The answer of a check that saw part of what it was to see.

    What is found is found, and what there is nothing of stays skipped; that all is well, a part
    does not show.

    Args:
        judged: What the part says.
        why: There is no more of it.
    """
    verdict = judged.verdict
    if judged.findings or verdict.verdict is Verdict.SKIPPED:
        return judged
    return undecided(verdict.probe, f"{why}; until then: {verdict.summary}")


def skipped(probe: str, why: str, *, unless: str = "") -> Judged:
    """There is nothing to ask the question about.

    Args:
        probe: Name of the check.
        why: What there is not.
        unless: Why there may be some after all; see `passed`.
    """
    if unless:
        return undecided(probe, unless)
    return Judged(ProbeVerdict(probe, Verdict.SKIPPED, why))


def found(probe: str, findings: Sequence[Finding], *, is_explanation: bool) -> Judged:
    """Something is wrong: the worst finding comes first and gives the summary.

    Of those that are equally bad the order is kept.

    Args:
        probe: Name of the check.
        findings: At least one.
        is_explanation: See `Judged`.
    """
    ranked = sorted(findings, key=lambda finding: _RANKS.index(finding.severity))
    is_error = ranked[0].severity is Severity.ERROR
    more = f"; and {len(ranked) - 1} more" if len(ranked) > 1 else ""
    return Judged(
        ProbeVerdict(probe, Verdict.FAIL if is_error else Verdict.WARN, f"{ranked[0].title}{more}"),
        tuple(ranked),
        is_explanation,
    )
