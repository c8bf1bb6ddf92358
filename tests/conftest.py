"""What is said of whole groups of tests: which must not be skipped, which fill the query lock.

``REQUIRED_TESTS=postgres,packaging`` turns the skips of these groups into failures. Tests that use
the test database belong to ``postgres`` unless ``@pytest.mark.group(name)`` names another.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Mapping

import pytest
from hypothesis import settings

# The same cases in every run: a failure that nobody can repeat helps nobody. No deadline, because
# machines are busy.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")

_VARIABLE = "REQUIRED_TESTS"
# Whose requests fill query-lock.json: the reference application as it is, through HTTP. Other tests
# plant faults, watch the harness at its work, or ask for rows in numbers of their own.
LOCKED = {
    f"tests/target_app/test_{name}.py"
    for name in (
        "accounts",
        "exports",
        "health",
        "orders",
        "passwords",
        "posts",
        "products",
        "replies",
        "reports",
        "todos",
        "transfers",
        "users",
    )
}


@pytest.fixture
def unmeasured_environment() -> Mapping[str, str]:
    """The environment for a child that is to be interrupted.

    coverage's tracer asks at every call which greenlet runs, in Python code whose exceptions it
    clears: an interrupt that arrives there is lost.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As a shell's background job leaves it, and children would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "group(name): a group whose skips CI turns into failures")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep other tests out of the committed query lock."""
    if item.nodeid.partition("::")[0] not in LOCKED:
        item.add_marker(pytest.mark.query_lock("off"))


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
