"""From what probes found to the report of a load run: weighed against allowances, put in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome, worst
from harness.checks.load.classification import Outcome as Why
from harness.checks.probe import finding_of
from harness.config import Project
from harness.findings import Finding, Judgement, ProbeVerdict, Verdict, judge
from harness.report.load_content import LoadReport
from harness.versions import DISTRIBUTION, installed_version, installed_versions

__all__ = ["report_of"]


def report_of(
    outcomes: Sequence[Outcome],
    *,
    project: Project,
    ground: Ground,
    started_at: datetime,
    seconds: float,
) -> LoadReport:
    """Put outcomes together.

    Args:
        outcomes: Of probes, in their order.
        project: With the allowances.
        ground: What they stood on.
        started_at: When the first one began.
        seconds: How long all of them took.
    """
    findings = {finding.identity: finding for item in outcomes for finding in _findings(item)}
    # Allowances of what other commands find, or other probes, match nothing here.
    judgement = replace(judge(findings.values(), project.configuration.allow), unmatched=())
    probes = tuple(verdict for item in outcomes for verdict in _weighed(item, judgement))
    classified = _best_classified(outcomes)
    return LoadReport(
        harness_version=installed_version(DISTRIBUTION),
        application=project.configuration.app or "",
        target=_target(ground),
        database=ground.started.origin if ground.started is not None else "",
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=seconds,
        versions=installed_versions(),
        verdict=worst(probe.verdict for probe in probes),
        probes=probes,
        judgement=judgement,
        classification=classified.classification if classified else None,
        explained=classified.explained if classified else None,
        recommendation=next((o.recommendation for o in outcomes if o.recommendation), None),
        phases=tuple(phase for item in outcomes for phase in item.phases),
        exhaustion=next((o.exhaustion for o in outcomes if o.exhaustion), None),
        troubles=tuple(trouble for item in outcomes for trouble in item.troubles),
    )


def _best_classified(outcomes: Sequence[Outcome]) -> Outcome | None:
    """Of those that have an answer the last one, which has seen the application with most pools."""
    asked = [item for item in outcomes if item.classification is not None]
    return max(reversed(asked), key=_is_answered, default=None)


def _is_answered(outcome: Outcome) -> bool:
    told = outcome.classification
    return told is not None and told.outcome in {Why.EXPLAINED, Why.NOTHING_IS_SLOW}


def _findings(outcome: Outcome) -> Iterator[Finding]:
    """What the probe found, and failed verdicts, which are findings themselves."""
    yield from outcome.findings
    made = (finding_of(verdict) for verdict in outcome.verdicts)
    yield from (finding for finding in made if finding is not None)


def _weighed(outcome: Outcome, judgement: Judgement) -> Iterator[ProbeVerdict]:
    """A verdict fails by what is open; where all of it is accepted, it is a warning."""
    for verdict in outcome.verdicts:
        own = finding_of(verdict)
        behind = outcome.findings if own is None else (own,)
        is_accepted = bool(behind) and not set(behind) & set(judgement.open)
        if verdict.verdict is Verdict.FAIL and is_accepted:
            yield replace(verdict, verdict=Verdict.WARN)
        else:
            yield verdict


def _target(ground: Ground) -> str:
    if ground.outside is not None:
        return ground.outside.url
    return "served by the harness"
