"""What a probe gives back, and how outcomes of several become one report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.capture.traffic import ExhaustionStory
from harness.capture.windows import LoadWindow
from harness.checks.load.classification import Classification
from harness.checks.load.pool_sizing import Recommendation
from harness.findings import Finding, ProbeVerdict, Verdict
from harness.report.load_content import Phase, Timeline

__all__ = ["Outcome", "without_measurement", "worst"]

_RANKS = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.WARN, Verdict.PASS, Verdict.SKIPPED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one probe found out."""

    verdicts: tuple[ProbeVerdict, ...]
    """At least one; each name appears once in a campaign."""
    findings: tuple[Finding, ...] = ()
    phases: tuple[Phase, ...] = ()
    classification: Classification | None = None
    """Why requests are slow, if the probe asked."""
    explained: LoadWindow | None = None
    """The window that `classification` is about."""
    recommendation: Recommendation | None = None
    exhaustion: ExhaustionStory | None = None
    troubles: tuple[Timeline, ...] = ()


def without_measurement(probe: str, verdict: Verdict, why: str) -> Outcome:
    """The outcome of a probe that could not be held, or could not be measured."""
    return Outcome((ProbeVerdict(probe, verdict, why),))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that a whole report has; a campaign without any verdict is skipped."""
    return min(verdicts, key=_RANKS.index, default=Verdict.SKIPPED)
