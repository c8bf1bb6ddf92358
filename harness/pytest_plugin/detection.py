"""The section "harness: findings": what the checks found while the tests ran, asked for or not.

Each finding once, with the first test that showed it. Nothing fails by it: that is what `fail_on`
and the query lock are for. The reports carry the findings, so that the workers of pytest-xdist
need no channel of their own.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from dataclasses import replace

import pytest

from harness.checks.server_error import KIND as SERVER_ERROR
from harness.findings import Finding, Judgement, Severity
from harness.report.finding_json import judgement_as_json, judgement_from_json
from harness.report.plain import finding_in_brief

__all__ = ["FOR_REQUESTS_ALONE", "JUDGEMENT", "DetectionSection", "is_told", "judgement_of"]

JUDGEMENT = pytest.StashKey[Judgement]()
"""Where a test keeps what its body earned."""
FOR_REQUESTS_ALONE = pytest.StashKey[bool]()
"""Set where a test is watched for the sake of a lock or a report, and did not ask for it: what it
does besides requests is its own affair."""

_REPORTED = "harness_findings"
_MOST_SHOWN = 10
_WAY_OUT = (
    'fail_on = ["{kind}"] in [tool.harness] makes them fail a test; [[tool.harness.allow]] accepts '
    "one"
)


class DetectionSection:
    """Collects findings of all tests, and tells them at the end."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Finding, str]] = {}
        """With the first test that showed it."""
        self._told_elsewhere: set[str] = set()

    def leave_out(self, identities: Iterable[str]) -> None:
        """Findings that fail the run have been told with what they fail."""
        self._told_elsewhere.update(identities)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the findings to the report; from a worker they travel with it."""
        report = yield
        judgement = item.stash.get(JUDGEMENT, None)
        if call.when == "call" and judgement is not None:
            # Which allowances one test does not need is no news: others may.
            setattr(
                report, _REPORTED, json.dumps(judgement_as_json(replace(judgement, unmatched=())))
            )
        return report

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first of each."""
        for finding in judgement_of(report).open:
            if is_told(finding):
                self._told.setdefault(finding.identity, (finding, report.nodeid))

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell; whether the tests passed is not affected."""
        left = sorted(self._told.keys() - self._told_elsewhere)
        told = [self._told[identity] for identity in left]
        if not told:
            return
        terminalreporter.section("harness: findings")
        for finding, test in told[:_MOST_SHOWN]:
            terminalreporter.write_line(finding_in_brief(finding))
            terminalreporter.write_line(f"  first in {test}")
        if len(told) > _MOST_SHOWN:
            terminalreporter.write_line(f"… and {len(told) - _MOST_SHOWN} more")
        terminalreporter.write_line(_WAY_OUT.format(kind=told[0][0].kind))


def judgement_of(report: pytest.TestReport) -> Judgement:
    """What the test's body earned; nothing in reports of other phases."""
    carried = getattr(report, _REPORTED, None)
    return Judgement((), (), ()) if carried is None else judgement_from_json(json.loads(carried))


def is_told(finding: Finding) -> bool:
    """Notes are for those who ask; an error answer is often what a test is about."""
    return finding.severity is not Severity.NOTE and finding.kind != SERVER_ERROR
