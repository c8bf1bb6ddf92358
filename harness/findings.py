"""The values that checks produce and reports render: frozen, comparable, free of behaviour.

A module of its own that imports nothing of ours, so that checks, reports and doors share the words
without knowing each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Allowance",
    "Finding",
    "Judgement",
    "ProbeVerdict",
    "RelatedSite",
    "Severity",
    "SourceLine",
    "Verdict",
    "by_severity",
    "judge",
]


class Severity(StrEnum):
    """How much a finding matters: only errors and warnings can fail a run."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Verdict(StrEnum):
    """The answer of one probe."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    """The measurement was not valid; the summary says why."""
    SKIPPED = "skipped"
    """It could not be tried; the summary says why."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's own code."""

    path: str
    """Relative to the project's root, with forward slashes."""
    line: int
    function: str
    """Qualified name, e.g. ``UserRepository.list``."""
    code: str = ""
    """The text of the line, stripped; empty where the source cannot be read."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class RelatedSite:
    """A second place that explains a finding."""

    role: str
    """What happens there, e.g. ``"attribute accessed"``."""
    site: SourceLine


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in the user's application."""

    kind: str
    """Stable slug, e.g. ``"n-plus-one"``."""
    label: str
    """What it is about, e.g. ``"User.posts"``; part of the identity."""
    anchor: str
    """Where it belongs, without line numbers: ``"GET /users"`` or ``"app/jobs.py::send"``."""
    severity: Severity
    title: str
    """One sentence with the numbers."""
    fix: str
    """The edit to make."""
    site: SourceLine | None = None
    """The line to edit."""
    related: tuple[RelatedSite, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    """Names and values with units, e.g. ``("database time", "5.4 ms")``."""

    @property
    def identity(self) -> str:
        """What an allowance names: stable under edits elsewhere, never empty."""
        return f"{self.kind} {self.label} @ {self.anchor}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """An accepted finding."""

    identity: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """What one probe answers."""

    probe: str
    verdict: Verdict
    summary: str
    """One line with the numbers that the verdict rests on."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Findings weighed against allowances."""

    open: tuple[Finding, ...]
    """Findings that nothing allows."""
    accepted: tuple[tuple[Finding, Allowance], ...]
    unmatched: tuple[Allowance, ...]
    """Allowances that no finding matches: the problem is gone, or the identity is mistyped."""


_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def by_severity(finding: Finding) -> tuple[int, str]:
    """What every report sorts its findings by: the worst first, equal ones by identity."""
    return _WORST_FIRST.index(finding.severity), finding.identity


def judge(findings: Iterable[Finding], allowances: Sequence[Allowance]) -> Judgement:
    """Sort findings into open and accepted ones, the worst first; name allowances without any."""
    by_identity = {allowance.identity: allowance for allowance in allowances}
    still_open: list[Finding] = []
    accepted: list[tuple[Finding, Allowance]] = []
    for finding in sorted(findings, key=by_severity):
        allowance = by_identity.get(finding.identity)
        if allowance is None:
            still_open.append(finding)
        else:
            accepted.append((finding, allowance))
    matched = {allowance.identity for _, allowance in accepted}
    return Judgement(
        open=tuple(still_open),
        accepted=tuple(accepted),
        unmatched=tuple(item for item in allowances if item.identity not in matched),
    )
