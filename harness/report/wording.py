"""Sentences about a finished report that the terminal and the page share.

Kept apart from both renderers so that they cannot come to say different things about one report.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.findings import Allowance, Finding, Severity, SourceLine, Verdict
from harness.report.content import EndpointRow, ExhaustionStory, PoolRow, Report
from harness.report.quantities import counted, duration, grouped

__all__ = [
    "SEVERITY_WORDS",
    "allow_entry",
    "drought_name",
    "endpoint_notes",
    "exhaustion_setting",
    "finding_reference",
    "findings_at",
    "headline",
    "own_note",
    "place",
    "pool_usage",
    "recovery_text",
    "single_line",
]

SEVERITY_WORDS = {Severity.ERROR: "FAIL", Severity.WARNING: "WARN", Severity.NOTE: "NOTE"}
"""What stands in front of an open finding."""


def single_line(text: str) -> str:
    """Text without line breaks and without characters that would steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def allow_entry(identity: str) -> str:
    """The TOML that accepts a finding, ready to paste into ``pyproject.toml``."""
    return f'[[tool.harness.allow]]\nidentity = {_toml_string(identity)}\nreason = "say why here"'


def _toml_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def place(site: SourceLine) -> str:
    """``app/api/users.py:28 in list_users``."""
    return f"{site} in {site.function}" if site.function else str(site)


def findings_at(report: Report, endpoint: str) -> tuple[tuple[Finding, Allowance | None], ...]:
    """Open and accepted findings that belong to an endpoint, open ones first."""
    found: list[tuple[Finding, Allowance | None]] = [(item, None) for item in report.judgement.open]
    found.extend(report.judgement.accepted)
    return tuple(pair for pair in found if pair[0].anchor == endpoint)


def endpoint_notes(report: Report, row: EndpointRow) -> tuple[str, ...]:
    """What to say about an endpoint: its own note, then each finding with the line to edit."""
    notes = [note] if (note := own_note(report, row)) else []
    found = findings_at(report, row.endpoint)
    return (*notes, *(finding_reference(finding, allowance) for finding, allowance in found))


def own_note(report: Report, row: EndpointRow) -> str:
    """The endpoint's note; empty where it names what a finding there names with more detail."""
    labels = [finding.label for finding, _ in findings_at(report, row.endpoint)]
    return "" if any(label in row.note for label in labels) else row.note


def finding_reference(finding: Finding, allowance: Allowance | None) -> str:
    """A finding in a few words: ``n-plus-one User.posts at app/api.py:28 (accepted)``."""
    where = f" at {finding.site}" if finding.site else ""
    return f"{finding.kind} {finding.label}{where}{' (accepted)' if allowance else ''}"


def pool_usage(pool: PoolRow) -> str:
    """Peak, timeouts and leftovers of a pool in one sentence."""
    is_bounded = pool.size > 0 and pool.max_overflow >= 0
    capacity = f" of {grouped(pool.size + pool.max_overflow)}" if is_bounded else ""
    return (
        f"peak {grouped(pool.peak_checked_out)}{capacity} checked out, "
        f"{grouped(pool.peak_waiting)} waiting; {counted(pool.timeouts, 'timeout')}; "
        f"{grouped(pool.checked_out_at_rest)} still out at rest"
    )


def exhaustion_setting(story: ExhaustionStory) -> str:
    """What was done to the pool."""
    return (
        f"{counted(story.users, 'user')} against {counted(story.pool_capacity, 'connection')}, "
        f"pool timeout {duration(story.pool_timeout_seconds)}; {drought_name(story)} "
        f"from {duration(story.blocked_from_seconds)} to {duration(story.blocked_until_seconds)}"
    )


def drought_name(story: ExhaustionStory) -> str:
    """What was the matter while the pool was dry."""
    return "more users than it serves" if story.has_served_while_dry else "all tables locked"


def recovery_text(story: ExhaustionStory) -> str:
    """Whether the application came back, and how long that took."""
    if story.recovery_seconds is None:
        return "not recovered while watched"
    end = "the users left" if story.has_served_while_dry else "the block ended"
    return f"recovered {duration(story.recovery_seconds)} after {end}"


def headline(report: Report) -> str:
    """The counts behind the overall verdict, in one line."""
    endpoints = [row.verdict for row in report.endpoints]
    probes = [item.verdict for item in report.probes]
    judgement = report.judgement
    line = f"{len(judgement.open)} open, {len(judgement.accepted)} accepted; "
    if Verdict.FAIL in endpoints + probes:
        line += f"failed {_failed(endpoints)} endpoints, {_failed(probes)} probes"
    else:
        line += f"{counted(len(endpoints), 'endpoint')}, {counted(len(probes), 'probe')}"
    unsure = (endpoints + probes).count(Verdict.INCONCLUSIVE)
    return f"{line}; {unsure} inconclusive" if unsure else line


def _failed(verdicts: Sequence[Verdict]) -> str:
    return f"{verdicts.count(Verdict.FAIL)}/{len(verdicts)}"
