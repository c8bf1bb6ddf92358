"""Connections past rollback isolation: when they are welcome, and what the refusal of one means.

The database is sealed from the first rolled-back test on. What a fixture wider than a test does
outside of SQLAlchemy is part of the base line, so it is unsealed while such a fixture is set up or
torn down, and while a debugger stops. A test that meets the seal has the server's error, which
knows nothing of tests: its report says the rest.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from harness.database.rollback import Sandbox
from harness.errors import SealedDatabaseError

__all__ = ["told_of_sandbox"]

_SANDBOX = pytest.StashKey[Sandbox]()
_REFUSED = re.compile("is not currently accepting connections|ObjectNotInPrerequisiteStateError")
_SECTION = "harness: sealed database"
_OURS = ("harness.pytest_plugin", "pytest_asyncio", "_pytest", "anyio")


@contextmanager
def told_of_sandbox(config: pytest.Config, sandbox: Sandbox) -> Iterator[None]:
    """Let the hooks know of the sandbox inside the block; afterwards its database is open."""
    config.stash[_SANDBOX] = sandbox
    try:
        yield
    finally:
        del config.stash[_SANDBOX]
        sandbox.step_aside()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Open the database for a fixture wider than a test, now and when it is torn down."""
    if fixturedef.scope == "function" or _is_no_users(fixturedef):
        return (yield)
    _step_aside(request.config)
    try:
        return (yield)
    finally:
        # The last one to be added is the first to be called: before the fixture's own.
        request.addfinalizer(lambda: _step_aside(request.config))


@pytest.hookimpl
def pytest_enter_pdb(config: pytest.Config) -> None:
    """Whoever looks into the database from a debugger is no stranger."""
    sandbox = config.stash.get(_SANDBOX, None)
    if sandbox is not None:
        sandbox.escapes.watch.step_aside()


@pytest.hookimpl
def pytest_leave_pdb(config: pytest.Config) -> None:
    """The test goes on."""
    sandbox = config.stash.get(_SANDBOX, None)
    if sandbox is not None:
        sandbox.watch_again()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say what it means that the database takes no connections."""
    report = yield
    sandbox = item.config.stash.get(_SANDBOX, None)
    if sandbox is not None and report.failed and _has_met_the_seal(report, sandbox):
        report.sections.append((_SECTION, str(_explanation(sandbox))))
    return report


def _is_no_users(fixturedef: pytest.FixtureDef[object]) -> bool:
    module: object = getattr(fixturedef.func, "__module__", None)
    return isinstance(module, str) and module.startswith(_OURS)


def _step_aside(config: pytest.Config) -> None:
    sandbox = config.stash.get(_SANDBOX, None)
    if sandbox is not None:
        sandbox.step_aside()


def _has_met_the_seal(report: pytest.TestReport, sandbox: Sandbox) -> bool:
    """Whether the server's words stand in what the test raised, or in what a program printed.

    Where a server speaks another language than English, by the name that asyncpg gives to it.
    """
    name = sandbox.url.database or ""
    texts = [report.longreprtext, *(text for _, text in report.sections)]
    lines = (line for text in texts for line in text.splitlines() if name in line)
    return any(_REFUSED.search(line) for line in lines)


def _explanation(sandbox: Sandbox) -> SealedDatabaseError:
    return SealedDatabaseError(
        f"{sandbox.url.database!r} takes no connections but SQLAlchemy's of this process while "
        "tests are rolled back: what others write would stay, and they would not see the test's "
        "rows",
        remedy="use the fixtures' sessions or the application's engine; or give the test a "
        'database of its own,\n@pytest.mark.database("clone"), and the other driver or program '
        "the URL of the fixture 'own_database_url';\n"
        'escape = "warn" in [tool.harness] lets everybody in',
    )
