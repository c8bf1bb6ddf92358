"""The section "harness: recorder": what went wrong in the harness itself while it watched.

A recorder that fails must not fail the application's test, and must not keep silent either. The
reports carry what happened, so that the workers of pytest-xdist need no channel of their own.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from harness.pytest_plugin.queries import Queries

__all__ = ["BlindnessSection"]

_REPORTED = "harness_recorder"


class BlindnessSection:
    """Collects the failures and notices of recorders, and tells each once at the end."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        """The first test that each was seen in."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the recorder's state to the report; from a worker it travels with it."""
        report = yield
        queries = getattr(item, "funcargs", {}).get("harness_queries")
        if call.when == "call" and isinstance(queries, Queries):
            recording = queries.recording
            told = [f"failed: {recording.failure}"] if recording.failure else []
            setattr(report, _REPORTED, [*told, *recording.notices])
        return report

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first of each."""
        for text in getattr(report, _REPORTED, ()):
            self._told.setdefault(str(text), report.nodeid)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell; a gate that needed to see has failed already."""
        if self._told:
            terminalreporter.section("harness: recorder")
            for text, test in self._told.items():
                terminalreporter.write_line(f"{text}\n    first in {test}")
