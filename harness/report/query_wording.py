"""What a query report says, in the words that all of its renderers share.

Apart from them so that a log, a comment and an alert about one run cannot disagree: which changes
count as regressions, whose finding it is, which line belongs to an endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.checks.regression import Change, EndpointChange, ShapeChange
from harness.findings import Finding, SourceLine, Verdict, by_severity
from harness.lock.counts import EndpointCounts
from harness.report.lock_content import change_counts
from harness.report.quantities import counted, grouped
from harness.report.query_content import QueryReport

__all__ = [
    "ACCEPT_COMMANDS",
    "accept_command",
    "changed_totals",
    "counts_in_words",
    "endpoint_site",
    "headline",
    "missing_endpoints",
    "open_findings",
    "open_findings_at",
    "regressions",
    "shape_history",
    "witness",
]

ACCEPT_COMMANDS: Mapping[Change, str] = {
    Change.NEW: "pytest --query-lock=create",
    Change.REGRESSION: "pytest --query-lock=update",
    Change.IMPROVEMENT: "pytest --query-lock=tighten",
    Change.GONE: "pytest --query-lock=tighten",
}
"""What writes a change to the lock."""

_GATES = {"check", "create"}


def accept_command(change: EndpointChange) -> str:
    """The command that makes the lock say what the run has shown."""
    return ACCEPT_COMMANDS[change.change]


def regressions(report: QueryReport) -> tuple[EndpointChange, ...]:
    """What became more; none where the run was to write the lock and not to judge by it."""
    if report.mode not in _GATES:
        return ()
    return tuple(each for each in report.changes if each.change is Change.REGRESSION)


def missing_endpoints(report: QueryReport) -> tuple[EndpointChange, ...]:
    """Endpoints without an entry, where the lock is to have one."""
    if report.mode != "check":
        return ()
    return tuple(each for each in report.changes if each.change is Change.NEW)


def open_findings(report: QueryReport) -> tuple[Finding, ...]:
    """Findings that nobody accepts, the worst first."""
    return tuple(sorted(report.judgement.open, key=by_severity))


def open_findings_at(report: QueryReport, endpoint: str) -> tuple[Finding, ...]:
    """Those that belong to an endpoint as the lock names it, the worst first."""
    return tuple(each for each in open_findings(report) if each.anchor == _route(endpoint))


def endpoint_site(report: QueryReport, endpoint: str) -> SourceLine | None:
    """The function that handles an endpoint."""
    return report.sites.get(_route(endpoint))


def _route(endpoint: str) -> str:
    """The route of an entry that one test has for itself."""
    return endpoint.partition(" @ ")[0]


def witness(report: QueryReport, change: EndpointChange) -> str:
    """A test that shows what became of an endpoint; empty where none is known."""
    worse = [shape.id for shape in change.shapes if shape.is_worse]
    found = (report.witnesses.get((change.dialect, change.endpoint, id_)) for id_ in [*worse, ""])
    return next((test for test in found if test), "")


def counts_in_words(counts: EndpointCounts | None) -> str:
    """``8 statements, 9 round trips``."""
    if counts is None:
        return "none"
    return f"{counted(counts.statements, 'statement')}, {counted(counts.round_trips, 'round trip')}"


def changed_totals(change: EndpointChange) -> str:
    """What a request runs now, against what the lock has."""
    if change.before is None:
        return f"{counts_in_words(change.after)}; the lock has no such endpoint"
    if change.after is None:
        return f"not requested; the lock has {counts_in_words(change.before)}"
    before = change.before
    return (
        f"{counts_in_words(change.after)}; the lock has {grouped(before.statements)} and "
        f"{grouped(before.round_trips)}"
    )


def shape_history(shape: ShapeChange) -> str:
    """``was 0``, and whether it grows with the rows, where that is what changed."""
    if shape.has_begun_to_grow:
        return f"was {grouped(shape.before)}, grows with rows"
    if shape.has_stopped_growing:
        return f"was {grouped(shape.before)}, grows no longer"
    return f"was {grouped(shape.before)}"


def headline(report: QueryReport) -> str:
    """The numbers behind the verdict, in one line."""
    if report.verdict is Verdict.INCONCLUSIVE:
        return "the gate could not see what the endpoints run"
    endpoints = sum(map(len, report.seen.dialects.values()))
    judgement = report.judgement
    return (
        f"{change_counts(report.changes)}; {len(judgement.open)} open and "
        f"{counted(len(judgement.accepted), 'accepted finding')}; "
        f"{counted(endpoints, 'endpoint')} seen by {counted(report.tests, 'test')}"
    )
