"""The section "harness: findings": what the checks found while the tests ran, asked for or not.

Each finding once, with the first test that showed it. Nothing fails by it: that is what `fail_on`
is for. The reports carry the findings, so that the workers of pytest-xdist need no channel of
their own.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

import pytest

from harness.checks.server_error import KIND as SERVER_ERROR
from harness.findings import Finding, Judgement, Severity
from harness.report.plain import finding_in_brief

__all__ = ["JUDGEMENT", "DetectionSection"]

JUDGEMENT = pytest.StashKey[Judgement]()
"""Where a test keeps what its body earned."""

_REPORTED = "harness_findings"
_MOST_SHOWN = 10
_WAY_OUT = (
    'fail_on = ["{kind}"] in [tool.harness] makes them fail a test; [[tool.harness.allow]] accepts '
    "one"
)


class DetectionSection:
    """Collects findings of all tests, and tells them at the end."""

    def __init__(self) -> None:
        self._told: dict[str, Mapping[str, str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the findings to the report; from a worker they travel with it."""
        report = yield
        judgement = item.stash.get(JUDGEMENT, None)
        if call.when == "call" and judgement is not None:
            setattr(
                report,
                _REPORTED,
                [_carried(finding) for finding in judgement.open if _is_told(finding)],
            )
        return report

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first of each."""
        for carried in getattr(report, _REPORTED, ()):
            self._told.setdefault(carried["identity"], {**carried, "test": report.nodeid})

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell; whether the tests passed is not affected."""
        told = [self._told[identity] for identity in sorted(self._told)]
        if not told:
            return
        terminalreporter.section("harness: findings")
        for carried in told[:_MOST_SHOWN]:
            terminalreporter.write_line(carried["text"])
            terminalreporter.write_line(f"  first in {carried['test']}")
        if len(told) > _MOST_SHOWN:
            terminalreporter.write_line(f"… and {len(told) - _MOST_SHOWN} more")
        terminalreporter.write_line(_WAY_OUT.format(kind=told[0]["kind"]))


def _is_told(finding: Finding) -> bool:
    """Notes are for those who ask; an error answer is often what a test is about."""
    return finding.severity is not Severity.NOTE and finding.kind != SERVER_ERROR


def _carried(finding: Finding) -> dict[str, str]:
    return {
        "identity": finding.identity,
        "kind": finding.kind,
        "text": finding_in_brief(finding),
    }
