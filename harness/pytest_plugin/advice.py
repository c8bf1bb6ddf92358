"""The section "harness: advice": what a test asked for that rollback isolation cannot do for real.

Once per run and topic, with the first line that asked. A listener of the log that the sandbox
writes, because the line is on the stack of that call and nowhere else; the reports carry what it
heard, so that the workers of pytest-xdist need no channel of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import suppress
from textwrap import fill

import pytest

from harness.capture.source import SourceMap
from harness.config import load_project
from harness.database.rollback.advice import LOGGER, Topic
from harness.errors import HarnessError

__all__ = ["AdviceSection"]

_WIDTH = 100
_REPORTED = "harness_advice"
_WAY_OUT = '@pytest.mark.database("clone") runs a test on a database of its own, where it is real'


class AdviceSection(logging.Handler):
    """Listens while tests run, and tells at the end.

    Args:
        config: Of the run; its root is where the user's lines are.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._config = config
        self._source: SourceMap | None = None
        self._heard: dict[str, str] = {}
        """Since the last report."""
        self._told: dict[str, str] = {}
        """Of the whole run, on all workers."""

    def __enter__(self) -> None:
        logger = logging.getLogger(LOGGER)
        logger.addHandler(self)
        self._level, self._propagated = logger.level, logger.propagate
        logger.setLevel(logging.INFO)
        logger.propagate = False  # a user's test of what is logged is no business of ours

    def __exit__(self, *_error: object) -> None:
        logger = logging.getLogger(LOGGER)
        logger.removeHandler(self)
        logger.setLevel(self._level)
        logger.propagate = self._propagated

    def emit(self, record: logging.LogRecord) -> None:
        """Find the line that is responsible; called inside its own call."""
        topic = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if isinstance(topic, Topic) and topic not in {**self._heard, **self._told}:
            site = self._map().stack().site
            where = f"\n    {site}  {site.code}" if site is not None else ""
            self._heard[str(topic)] = f"{fill(topic.explanation, _WIDTH)}{where}"

    def _map(self) -> SourceMap:
        if self._source is None:
            packages: tuple[str, ...] = ()
            with suppress(HarnessError):  # told by every test that needs the configuration
                packages = tuple(load_project(self._config.rootpath).configuration.app_packages)
            self._source = SourceMap(self._config.rootpath, packages)
        return self._source

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give what was heard to the report; from a worker it travels with it."""
        report = yield
        if self._heard:
            setattr(report, _REPORTED, self._heard)
            self._heard = {}
        return report

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first of each topic."""
        for topic, text in getattr(report, _REPORTED, {}).items():
            self._told.setdefault(str(topic), text)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell; whether the tests passed is not affected."""
        if self._told:
            terminalreporter.section("harness: advice")
            for topic, text in sorted(self._told.items()):
                terminalreporter.write_line(f"{text}\n    [{topic}]")
            if any(Topic(topic).is_real_in_clone for topic in self._told):
                terminalreporter.write_line(_WAY_OUT)
