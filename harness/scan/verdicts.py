"""From the answers of one operation to its row of the report and to findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.checks import order, refused_loads, server_error
from harness.checks.growth import (
    GrowthSample,
    ShapeGrowth,
    Trend,
    growth,
    is_comparable,
    query_growth,
    with_growth,
)
from harness.checks.verdict import findings_of
from harness.findings import Finding, Judgement, Severity, Verdict
from harness.report.scan_content import ScanRow, ShapeRow
from harness.scan.asking import Scanned
from harness.scan.calls import Answer

__all__ = ["overall", "scan_row", "weighed"]

_NOT_OF_GROWTH = order.KINDS | {server_error.KIND}
"""Kinds that a checkup judges: by the application's own rows, and one request."""


def scan_row(scanned: Scanned) -> tuple[ScanRow, tuple[Finding, ...]]:
    """The row of an operation, and what was found there."""
    answers = scanned.answers
    problem = next((answer for answer in answers if answer.problem), None)
    if scanned.unfilled or not answers or problem is not None:
        return _not_measured(scanned, problem)
    samples = [answer.sample for answer in answers]
    shapes = growth(samples)
    findings = _findings(samples)
    findings += _by_page(scanned.pages, findings)
    last = answers[-1]
    row = ScanRow(
        endpoint=scanned.operation.name,
        site=_site(last),
        path=last.path,
        status=last.status,
        statements=tuple(len(list(sample.recording.statements)) for sample in samples),
        items=tuple(sample.items for sample in samples),
        trend=_worst(shapes),
        verdict=_verdict(findings),
        note=_note(samples, shapes),
        shapes=tuple(_shape(item) for item in shapes),
    )
    return row, findings


def weighed(row: ScanRow, findings: Sequence[Finding], judgement: Judgement) -> ScanRow:
    """The row again: it fails by what is open; what is accepted is a warning."""
    if findings and not set(findings) & set(judgement.open):
        return replace(row, verdict=Verdict.WARN)
    return row


def overall(rows: Sequence[ScanRow], judgement: Judgement) -> Verdict:
    """The verdict of the scan; inconclusive where nothing could be measured."""
    failing = {finding.severity for finding in judgement.open} & {Severity.ERROR, Severity.WARNING}
    if failing:
        return Verdict.FAIL
    if all(row.verdict is Verdict.SKIPPED for row in rows):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS


def _not_measured(scanned: Scanned, problem: Answer | None) -> tuple[ScanRow, tuple[Finding, ...]]:
    operation = scanned.operation
    if scanned.unfilled:
        note = f"no value for {', '.join(scanned.unfilled)}"
    else:
        note = problem.problem if problem is not None else "no row to ask for"
    found = findings_of(problem.sample.recording) if problem is not None else []
    # What SQLAlchemy refuses to load does not depend on what is in the rows.
    findings = tuple(item for item in found if item.kind in refused_loads.KINDS)
    row = ScanRow(
        endpoint=operation.name,
        site=_site(problem) if problem is not None else "",
        path=problem.path if problem is not None else "",
        status=problem.status if problem is not None else None,
        statements=(),
        items=(),
        trend=None,
        verdict=_verdict(findings) if findings else Verdict.SKIPPED,
        note=note,
    )
    return row, findings


def _findings(samples: Sequence[GrowthSample]) -> tuple[Finding, ...]:
    largest = max(samples, key=lambda sample: sample.n)
    found = [item for item in findings_of(largest.recording) if item.kind not in _NOT_OF_GROWTH]
    if len(samples) == 1:
        return tuple(found)
    return (*with_growth(found, samples), *query_growth(samples, found=found))


def _by_page(pages: Sequence[Answer], found: Sequence[Finding]) -> tuple[Finding, ...]:
    """What costs more on the second page than on the first, with as many items on each."""
    if any(page.problem for page in pages) or len({page.sample.items for page in pages}) != 1:
        return ()
    known = {finding.identity for finding in found}
    grown = query_growth([page.sample for page in pages], found=found)
    return tuple(finding for finding in grown if finding.identity not in known)


def _verdict(findings: Sequence[Finding]) -> Verdict:
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return Verdict.FAIL
    return Verdict.WARN if Severity.WARNING in severities else Verdict.PASS


def _worst(shapes: Sequence[ShapeGrowth]) -> Trend:
    trends = {item.trend for item in shapes}
    return next(
        (trend for trend in (Trend.GROWING, Trend.UNCLEAR) if trend in trends), Trend.CONSTANT
    )


def _note(samples: Sequence[GrowthSample], shapes: Sequence[ShapeGrowth]) -> str:
    if not any(sample.recording.round_trips for sample in samples):
        return "ran no SQL"
    if not is_comparable(samples) and _worst(shapes) is Trend.CONSTANT:
        items = ", ".join(str(sample.items) for sample in samples)
        return f"says little: the answers have {items} items"
    return ""


def _site(answer: Answer) -> str:
    requests = answer.sample.recording.requests
    return str(requests[-1].endpoint) if requests and requests[-1].endpoint else ""


def _shape(item: ShapeGrowth) -> ShapeRow:
    return ShapeRow(
        fingerprint=item.fingerprint.id,
        statement=item.fingerprint.text,
        counts=item.counts,
        trend=item.trend,
        slope=item.slope,
        is_per_item=item.is_per_item,
        relationship=item.example.relationship,
        site=str(item.example.call_site) if item.example.call_site else "",
    )
