"""More statements than the test allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.capture.recording import Recording, RequestRecord
from harness.findings import Finding, Severity

__all__ = ["KIND", "over_budget"]

KIND = "query-budget"

_SHOWN = 10


def over_budget(
    recording: Recording, *, test: str, total: int | None = None, per_request: int | None = None
) -> list[Finding]:
    """Compare the number of statements with a test's budget.

    Args:
        recording: What the test's body ran.
        test: Name of the test; anchors the finding of the total.
        total: Most statements for the whole body, with what the test itself ran.
        per_request: Most statements for any one request.
    """
    findings = []
    if total is not None and recording.statement_count > total:
        findings.append(_finding("total", test, recording, total))
    if per_request is not None:
        findings.extend(_requests_over(recording, per_request))
    return findings


def _requests_over(recording: Recording, budget: int) -> Iterator[Finding]:
    for request in recording.requests:
        own = recording.of_request(request.number)
        if own.statement_count > budget:
            yield _finding("per request", request.name, own, budget, request)


def _finding(
    label: str,
    anchor: str,
    recording: Recording,
    budget: int,
    request: RequestRecord | None = None,
) -> Finding:
    shapes = Counter(trip.fingerprint.text for trip in recording.statements)
    return Finding(
        kind=KIND,
        label=label,
        anchor=anchor,
        severity=Severity.ERROR,
        title=f"{recording.statement_count} statements ran, {budget} "
        f"{'is' if budget == 1 else 'are'} allowed",
        fix="load less, or raise the number that the test allows (max_queries)",
        site=request.endpoint if request is not None else None,
        evidence=tuple((f"{count} x", text) for text, count in shapes.most_common(_SHOWN)),
    )
