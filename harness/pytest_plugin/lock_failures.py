"""What fails a run as reports of pytest's own: one for each endpoint that got worse.

So the last line, the exit status, JUnit and the section of failures are pytest's, and no plugin
has to know of the lock. A report without a test needs some care: what remembers failures for the
next run would look for a test of that name forever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from harness.findings import Finding, SourceLine
from harness.pytest_plugin.lock_judging import Judged
from harness.pytest_plugin.lock_settings import Mode
from harness.report.plain import finding_in_brief
from harness.report.quantities import counted
from harness.report.query_text import (
    MOST_LINES,
    change_as_text,
    new_endpoints_as_text,
    problems_as_text,
)
from harness.report.query_wording import (
    changed_totals,
    endpoint_site,
    missing_endpoints,
    regressions,
)
from harness.report.wording import allow_entry

__all__ = ["Failure", "fail", "failures_of"]

_NODE = "query-lock"
_REMEMBERING = ("lfplugin", "stepwiseplugin")
"""They would keep a failure that no later run can take back."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One reason why the run fails."""

    name: str
    summary: str
    """One line, for pytest's short summary."""
    text: str
    site: SourceLine | None = None


@dataclass(frozen=True, slots=True)
class _Crash:
    """Where and what, as pytest asks of an exception."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


@dataclass(frozen=True, slots=True)
class _Explanation:
    """What pytest shows of a failure, without an exception."""

    text: str
    reprcrash: _Crash

    def toterminal(self, writer: Any) -> None:  # noqa: ANN401 - pytest's writer is not public
        """Write it."""
        for line in self.text.splitlines():
            writer.line(line)

    def __str__(self) -> str:
        return self.text


def failures_of(judged: Judged, *, lock_name: str) -> Iterator[Failure]:
    """Everything that fails the run.

    Args:
        judged: What became of it.
        lock_name: Name of the lock's file, which stands for failures of no endpoint.
    """
    report = judged.report
    if report.mode == Mode.OFF:
        return
    if report.problems:
        yield Failure(lock_name, report.problems[0].splitlines()[0], problems_as_text(report))
    worse = regressions(report)
    has_many_dialects = len(report.seen.dialects) > 1
    for change in worse:
        name = f"{change.endpoint} on {change.dialect}" if has_many_dialects else change.endpoint
        site = endpoint_site(report, change.endpoint)
        yield Failure(name, changed_totals(change), change_as_text(change, report), site)
    if missing_endpoints(report):
        text = new_endpoints_as_text(report)
        yield Failure("new endpoints", text.splitlines()[0].rstrip(":"), text)
    yield from _of_findings(judged, {change.endpoint.partition(" @ ")[0] for change in worse})


def _of_findings(judged: Judged, told: set[str]) -> Iterator[Failure]:
    """Findings where nothing became more, by where they belong."""
    by_anchor: dict[str, list[Finding]] = {}
    for finding in judged.findings:
        if finding.anchor not in told:
            by_anchor.setdefault(finding.anchor, []).append(finding)
    for anchor, found in sorted(by_anchor.items()):
        first = found[0]
        site = first.site or endpoint_site(judged.report, anchor)
        yield Failure(anchor, f"{first.kind} {first.label}", _findings_text(found), site)


def _findings_text(found: Sequence[Finding]) -> str:
    """As many as fit, each with how to accept it."""
    lines: list[str] = []
    for number, finding in enumerate(found):
        entry = ["  accept in pyproject.toml:", *_indented(allow_entry(finding.identity))]
        block = [*finding_in_brief(finding).splitlines(), *entry]
        if lines and len(lines) + len(block) >= MOST_LINES:
            return "\n".join(
                [*lines, f"and {counted(len(found) - number, 'further finding')} here"]
            )
        lines += block
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def fail(session: pytest.Session, failures: Sequence[Failure], *, without: object) -> None:
    """Report failures as if tests had failed.

    Args:
        session: Of the run, on its controller.
        failures: What to report.
        without: A plugin that must not take them for tests.
    """
    plugins = session.config.pluginmanager
    # The session would stop a run that has ended anyway, with a line that misleads.
    remembering = [plugins.get_plugin(name) for name in _REMEMBERING]
    left_out = [session, without, *(plugin for plugin in remembering if plugin is not None)]
    log = plugins.subset_hook_caller("pytest_runtest_logreport", left_out)
    session.testscollected += len(failures)  # otherwise the progress passes a hundred per cent
    session.testsfailed += len(failures)
    for failure in failures:
        report = _report(failure)
        hook = session.config.hook
        hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
        log(report=report)
        hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)


def _report(failure: Failure) -> pytest.TestReport:
    site = failure.site
    crash = _Crash(site.path if site else _NODE, site.line if site else 0, failure.summary)
    explanation: Any = _Explanation(failure.text, crash)
    return pytest.TestReport(
        nodeid=f"{_NODE}::{failure.name}",
        location=(_NODE, None, f"query lock: {failure.name}"),
        keywords={},
        outcome="failed",
        longrepr=explanation,
        when="call",
    )
