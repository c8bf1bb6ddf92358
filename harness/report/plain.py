"""Findings as plain text, for places that bring their own frame: pytest's reports, logs.

Needs no optional dependency, unlike the terminal's tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.findings import Finding

__all__ = ["finding_in_brief", "findings_as_text"]

_VALUES_FROM = 21


def findings_as_text(findings: Sequence[Finding]) -> str:
    """Each finding as a paragraph: what, where to edit, how, and what shows it."""
    return "\n\n".join("\n".join(_lines(finding)) for finding in findings)


def finding_in_brief(finding: Finding) -> str:
    """A finding in a few lines: what, where to edit, how."""
    place = f"\n  {finding.site}  {finding.site.code}" if finding.site is not None else ""
    change = "".join(f"\n  {line}" for line in finding.fix.splitlines())
    return f"{finding.kind}  {finding.label} @ {finding.anchor}\n  {finding.title}{place}{change}"


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.kind}  {finding.label} @ {finding.anchor}"
    yield f"  {finding.title}"
    if finding.site is not None:
        yield _labelled("edit", f"{finding.site}  {finding.site.code}")
    for number, line in enumerate(finding.fix.splitlines()):
        yield _labelled("change" if number == 0 else "", line)
    for also in finding.related:
        yield _labelled(also.role, f"{also.site}  {also.site.code}")
    for name, value in finding.evidence:
        yield _labelled(name, value)


def _labelled(name: str, value: str) -> str:
    return f"  {name:<{_VALUES_FROM - 2}}{value}".rstrip()
