"""Runs the trivial tests many times, and writes down when each of them began.

From one beginning to the next lies all that a test costs: fixtures, body, teardown, reports.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["pytest_configure", "pytest_generate_tests"]


@dataclass(slots=True)
class _Stopwatch:
    file: Path
    beginnings: list[float] = field(default_factory=list)

    def pytest_runtest_logstart(self) -> None:
        self.beginnings.append(time.perf_counter())

    def pytest_sessionfinish(self) -> None:
        self.file.write_text(json.dumps(self.beginnings), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Watch this run."""
    file = Path(os.environ["BENCHMARK_BEGINNINGS"])
    config.pluginmanager.register(_Stopwatch(file), "benchmark stopwatch")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many tests as were asked for."""
    metafunc.parametrize("number", range(int(os.environ["BENCHMARK_TESTS"])))
