"""The query lock's gate: pytest's hooks around what the modules beside it decide.

Workers of pytest-xdist observe; the controller, or the one process that there is, collects,
judges and writes once, when the last test has run.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import replace

import pytest

from harness.errors import LockError
from harness.findings import Verdict
from harness.pytest_plugin.completeness import Completeness
from harness.pytest_plugin.detection import FOR_REQUESTS_ALONE, DetectionSection
from harness.pytest_plugin.lock_failures import fail, failures_of
from harness.pytest_plugin.lock_judging import Judged, judged
from harness.pytest_plugin.lock_marker import HELP, entry_of
from harness.pytest_plugin.lock_reports import annotations_of, written_report
from harness.pytest_plugin.lock_run import RunSoFar, Seen
from harness.pytest_plugin.lock_settings import LockSettings, Mode, lock_settings
from harness.pytest_plugin.lock_writing import written
from harness.pytest_plugin.observation import FIXTURE, ObservationCarrier
from harness.report.quantities import counted
from harness.report.query_text import hint_lines

__all__ = ["QueryLockGate"]

_SETTINGS = pytest.StashKey[LockSettings]()
_STOPPED = "the run was stopped early"
_INTERRUPTED = "harness: interrupted, so no query was checked and no lock written"


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Find out what to do; workers only observe."""
    settings = config.stash[_SETTINGS] = lock_settings(config)
    config.addinivalue_line("markers", HELP)
    completeness = Completeness(config)
    config.pluginmanager.register(completeness, "harness_completeness")
    config.pluginmanager.register(
        ObservationCarrier(watches=settings.watches), "harness_observations"
    )
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(QueryLockGate(settings, completeness), "harness_query_lock")


@pytest.hookimpl(trylast=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Watch every test: most suites call the application through a client of their own.

    Raises:
        pytest.UsageError: The test has a marker that says nothing we know.
    """
    is_wanted = entry_of(item) != "off" and item.config.stash[_SETTINGS].watches
    if is_wanted and isinstance(item, pytest.Function) and FIXTURE not in item.fixturenames:
        item.fixturenames.append(FIXTURE)
        item.stash[FOR_REQUESTS_ALONE] = True


class QueryLockGate:
    """Judges a run at its end.

    Args:
        settings: What was asked for.
        completeness: Knows what was left out.
    """

    def __init__(self, settings: LockSettings, completeness: Completeness) -> None:
        self._settings = settings
        self._completeness = completeness
        self._run = RunSoFar()
        self._lines: list[str] = []
        self._hints: list[str] = []
        """What needs no section of its own."""

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect."""
        self._run.add(report)

    # The innermost, so that what the terminal writes when the loop is over comes after it.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the run, be it stopped early; not where somebody pressed Ctrl-C."""
        try:
            result = yield
        except BaseException as error:
            if not _is_a_stop(error, session):
                self._hints += [_INTERRUPTED] if self._settings.watches else []
            elif not self._run.is_empty:
                self._close(session, _STOPPED)
            raise
        option = session.config.option
        if not option.collectonly and not getattr(option, "setuponly", False):
            self._close(session)
        return result

    def _close(self, session: pytest.Session, *gaps: str) -> None:
        gaps = (*self._completeness.gaps(), *gaps)
        seen = self._run.seen(gaps, allow=self._settings.allow)
        if not self._settings.watches:
            self._hints += _invitation(self._settings, seen)
            return
        outcome = self._write(judged(self._settings, seen), seen)
        self._lines += _told(outcome, seen)
        if outcome.report.verdict is Verdict.SKIPPED:
            self._hints.append(
                f"harness: no request was made, so no query was checked: {', '.join(seen.gaps)}"
            )
        failures = list(failures_of(outcome, lock_name=self._settings.path.name))
        detection = session.config.pluginmanager.get_plugin("harness_detection")
        if isinstance(detection, DetectionSection):
            texts = "\n".join(failure.text for failure in failures)
            found = (each.identity for each in outcome.findings)
            detection.leave_out(identity for identity in found if identity in texts)
        fail(session, failures, without=self)
        root = self._settings.path.parent
        self._lines += (
            written_report(outcome.report, path, root=root) for path in self._settings.reports
        )
        if os.environ.get("GITHUB_ACTIONS") == "true":
            self._hints += annotations_of(outcome.report, root=root)

    def _write(self, outcome: Judged, seen: Seen) -> Judged:
        """A run that could not see writes nothing."""
        if outcome.report.problems:
            return outcome
        try:
            line = written(self._settings, seen)
        except LockError as error:
            blind = replace(outcome.report, problems=(str(error),), verdict=Verdict.INCONCLUSIVE)
            return replace(outcome, report=blind)
        self._lines += [line] if line else []
        return outcome

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was written and what is good to know; what fails has been told."""
        if self._lines:
            terminalreporter.write_sep("=", "harness: query lock")
        for line in (*self._lines, *self._hints):
            terminalreporter.write_line(line)


def _is_a_stop(error: BaseException, session: pytest.Session) -> bool:
    """Whether pytest stopped of itself; xdist has a kind of its own for that."""
    is_derived = isinstance(error, KeyboardInterrupt) and type(error) is not KeyboardInterrupt
    return is_derived or isinstance(error, session.Failed)


def _invitation(settings: LockSettings, seen: Seen) -> Iterator[str]:
    """There is no lock: one line, where one would be of use."""
    if seen.requests and not settings.is_explicit:
        yield (
            f"harness: {counted(seen.requests, 'request')} watched; pytest --query-lock=create "
            f"keeps their counts in {settings.path.name}"
        )


def _told(outcome: Judged, seen: Seen) -> Iterator[str]:
    report = outcome.report
    if not Mode(report.mode).is_gate or report.problems or not seen.requests:
        return
    if report.verdict is not Verdict.FAIL:
        endpoints = sum(map(len, report.seen.dialects.values()))
        yield f"{counted(endpoints, 'endpoint')} within what the lock allows"
    if not seen.gaps:
        yield from hint_lines(report)
