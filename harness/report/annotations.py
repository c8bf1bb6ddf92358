"""Workflow commands of GitHub Actions: lines of a log that become marks at lines of code.

A module of its own beside SARIF: these need no upload and no permission, but there are few of
them. GitHub keeps 10 errors and 10 warnings of a step and drops the rest in silence, so the rest is
counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.findings import Finding, Severity, SourceLine, Verdict
from harness.report.quantities import counted
from harness.report.query_content import QueryReport
from harness.report.query_paths import path_in_repository
from harness.report.query_text import change_as_text, new_endpoints_as_text
from harness.report.query_wording import endpoint_site, headline, open_findings, regressions
from harness.report.wording import single_line

__all__ = ["annotation_lines"]

_MOST = 10
_LONGEST_TITLE = 120
_LONGEST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class _Mark:
    command: str
    title: str
    text: str
    site: SourceLine | None = None


def annotation_lines(report: QueryReport, *, folder: str = "") -> tuple[str, ...]:
    """One line for each mark, ready to be printed where GitHub reads the log.

    Args:
        report: The report.
        folder: Where the project lies in its repository; empty where it is all of it.
    """
    marks = list(_marks(report))
    lines: list[str] = []
    left: list[str] = []
    for command in ("error", "warning"):
        found = [mark for mark in marks if mark.command == command]
        lines += [_line(mark, folder) for mark in found[:_MOST]]
        if len(found) > _MOST:
            left.append(counted(len(found) - _MOST, f"further {command}"))
    if left:
        text = f"{' and '.join(left)} in this run; GitHub shows {_MOST} of each in a step"
        lines.append(_line(_Mark("notice", "queries", text), folder))
    return tuple(lines)


def _marks(report: QueryReport) -> Iterator[_Mark]:
    if report.verdict is Verdict.INCONCLUSIVE:
        problems = report.problems or (headline(report),)
        yield from (_Mark("error", "query lock: cannot be judged", text) for text in problems)
    for change in regressions(report):
        title = f"query lock: {change.endpoint} runs more"
        site = endpoint_site(report, change.endpoint)
        yield _Mark("error", title, change_as_text(change, report), site)
    missing = new_endpoints_as_text(report)
    if missing:
        yield _Mark("error", "query lock: no entry", missing)
    for finding in open_findings(report):
        if finding.severity is not Severity.NOTE:
            yield _of_finding(report, finding)


def _of_finding(report: QueryReport, finding: Finding) -> _Mark:
    command = "error" if finding.severity is Severity.ERROR else "warning"
    title = f"{finding.kind}: {finding.label} @ {finding.anchor}"
    site = finding.site or endpoint_site(report, finding.anchor)
    return _Mark(command, title, f"{finding.title}\nchange: {finding.fix}", site)


def _line(mark: _Mark, folder: str) -> str:
    properties = {"title": single_line(mark.title)[:_LONGEST_TITLE]}
    path = path_in_repository(mark.site, folder)
    if mark.site is not None and path is not None:
        properties = {"file": path, "line": str(max(mark.site.line, 1)), **properties}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{mark.command} {written}::{_data(_visible(mark.text[:_LONGEST_TEXT]))}"


def _visible(text: str) -> str:
    """Text without what would steer a terminal, or cannot be written to a log at all."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
