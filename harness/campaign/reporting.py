"""From what probes found to the report of a load run: weighed against allowances, put in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome, worst
from harness.checks.load.classification import Outcome as Why
from harness.checks.probe import finding_of
from harness.config import Project
from harness.findings import Finding, Judgement, ProbeVerdict, Severity, Verdict, judge
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
    findings = _each_once(finding for item in outcomes for finding in _findings(item))
    # Allowances of what other commands find, or other probes, match nothing here.
    judgement = replace(judge(findings, project.configuration.allow), unmatched=())
    probes = tuple(verdict for item in outcomes for verdict in _weighed(item, judgement))
    classified = _best_classified(outcomes)
    return LoadReport(
        harness_version=installed_version(DISTRIBUTION),
        application=_application(project, ground),
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


def _each_once(findings: Iterable[Finding]) -> Collection[Finding]:
    """One finding of each identity: of those of several probes the last of the gravest."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        known = kept.get(finding.identity)
        if known is None or _gravity(finding) >= _gravity(known):
            kept[finding.identity] = finding
    return kept.values()


def _gravity(finding: Finding) -> int:
    return list(Severity).index(finding.severity)


def _weighed(outcome: Outcome, judgement: Judgement) -> Iterator[ProbeVerdict]:
    """A verdict fails by errors that are open; where all are accepted, it is a warning.

    By identities: another probe may have found the same with other numbers.
    """
    still_open = {finding.identity for finding in judgement.open}
    for verdict in outcome.verdicts:
        own = finding_of(verdict)
        errors = [each for each in outcome.findings if each.severity is Severity.ERROR]
        behind = errors if own is None else [own, *errors]
        is_accepted = bool(behind) and still_open.isdisjoint(each.identity for each in behind)
        if verdict.verdict is Verdict.FAIL and is_accepted:
            yield replace(verdict, verdict=Verdict.WARN)
        else:
            yield verdict


def _application(project: Project, ground: Ground) -> str:
    """What is configured need not be what answers at a host."""
    if ground.outside is not None:
        return ground.outside.url
    return project.configuration.app or ""


def _target(ground: Ground) -> str:
    if ground.outside is not None:
        return ground.outside.url
    return "served by the harness"
