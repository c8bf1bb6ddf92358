"""Findings as plain text, for places that bring their own frame: pytest's reports, logs.

Needs no optional dependency, unlike the terminal's tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.findings import Finding

__all__ = ["findings_as_text"]

_VALUES_FROM = 20


def findings_as_text(findings: Sequence[Finding]) -> str:
    """Each finding as a paragraph: what, where to edit, how, and what shows it."""
    return "\n\n".join("\n".join(_lines(finding)) for finding in findings)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.kind}  {finding.label} @ {finding.anchor}"
    yield f"  {finding.title}"
    if finding.site is not None:
        yield _labelled("edit", f"{finding.site}  {finding.site.code}")
    yield _labelled("change", finding.fix)
    for also in finding.related:
        yield _labelled(also.role, f"{also.site}  {also.site.code}")
    for name, value in finding.evidence:
        yield _labelled(name, value)


def _labelled(name: str, value: str) -> str:
    return f"  {name:<{_VALUES_FROM - 2}}{value}".rstrip()
