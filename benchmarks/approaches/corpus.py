"""Runs the corpus test once for each handler, and writes down what a tool said of it.

A tool speaks by failing the test after its body has been answered. Whatever else goes wrong is no
verdict, and ends the run with pytest's own exit code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from benchmarks.n_plus_one.cases import all_cases
from tests.checks.corpus.labels import Case
from tests.checks.corpus.sessions import Databases, filled, on_sqlite

__all__ = ["databases", "pytest_configure", "pytest_generate_tests", "template", "watched"]


@dataclass(slots=True)
class _Verdicts:
    file: Path
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_sound: bool = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        status = dict(item.user_properties).get("status")
        if call.when == "call" and status is not None:
            text = str(call.excinfo.value) if call.excinfo else None
            case: Case = getattr(item, "callspec").params["case"]  # noqa: B009 - of functions only
            self.said[case.name] = {"status": status, "text": text}
        elif report.failed:
            self.is_sound = False
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self.file.write_text(json.dumps(self.said), encoding="utf-8")
        if exitstatus == pytest.ExitCode.TESTS_FAILED and self.is_sound:
            session.exitstatus = pytest.ExitCode.OK  # tools that object are what is measured


def _verdicts_file() -> Path:
    return Path(os.environ["BENCHMARK_VERDICTS"])


def pytest_configure(config: pytest.Config) -> None:
    """Listen to this run."""
    config.pluginmanager.register(_Verdicts(_verdicts_file()), "benchmark verdicts")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each handler that was asked for."""
    wanted = os.environ["BENCHMARK_CASES"].split()
    cases = [case for case in all_cases() if case.name in wanted]
    metafunc.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.fixture(scope="session")
def template() -> Path:
    """A database with the corpus's rows, in the folder of this run: pytest's own are kept."""
    file = _verdicts_file().with_name("template.db")
    with closing(on_sqlite(file)) as databases:
        filled(databases)
    return file


@pytest.fixture
def databases(template: Path, case: Case) -> Iterator[Databases]:
    """A copy of them, for one handler."""
    file = Path(shutil.copy(template, template.with_name(f"{case.name}.db")))
    with closing(on_sqlite(file)) as databases:
        yield databases


@pytest.fixture
def watched() -> Callable[[FastAPI], Any]:
    """The application as it is: pytest plugins watch the test."""
    return lambda app: app
