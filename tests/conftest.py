"""Groups of tests that a machine may lack the means for, and that CI must not skip.

``REQUIRED_TESTS=postgres,packaging`` turns the skips of these groups into failures. Tests that use
the test database belong to ``postgres`` unless ``@pytest.mark.group(name)`` names another.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping

import pytest

_VARIABLE = "REQUIRED_TESTS"


@pytest.fixture
def unmeasured_environment() -> Mapping[str, str]:
    """The environment for a child that is to be interrupted.

    coverage's tracer asks at every call which greenlet runs, in Python code whose exceptions it
    clears: an interrupt that arrives there is lost.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "group(name): a group whose skips CI turns into failures")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    required = set(filter(None, os.environ.get(_VARIABLE, "").split(",")))
    missing = _groups(item) & required
    if report.skipped and missing and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but {_VARIABLE} names {', '.join(missing)}: {report.longrepr}"
    return report


def _groups(item: pytest.Item) -> set[str]:
    named = {str(marker.args[0]) for marker in item.iter_markers("group")}
    if not named and "harness_place" in getattr(item, "fixturenames", ()):
        return {"postgres"}
    return named
