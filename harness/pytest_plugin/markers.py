"""The marker `database`: which kind of isolation a test gets, and where to look when it fails.

A test with a database of its own leaves it behind when it fails: on a server of the user's own and
on SQLite it is kept, on an embedded server it is there while ``--pdb`` stops.
"""

from __future__ import annotations

import difflib
from collections.abc import Generator
from dataclasses import replace
from typing import Any, get_args

import pytest
from sqlalchemy import URL

from harness.database.copies import MOST_KEPT
from harness.database.sqlite import SqlitePlace
from harness.errors import HarnessError
from harness.pytest_plugin.isolation import Isolation, Mode

__all__ = ["mode_of"]

MARKER = "database"
_MODES: tuple[Mode, ...] = get_args(Mode)
_HELP = (
    'database("rollback" | "clone" | "empty"): undo what the test commits; or give it a copy of '
    "the database for itself; or one without tables"
)


def mode_of(item: pytest.Item) -> Mode | None:
    """The isolation that a test's nearest marker asks for, None without one.

    Raises:
        pytest.UsageError: The marker says something else.
    """
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return None
    if len(marker.args) == 1 and not marker.kwargs:
        for mode in _MODES:
            if marker.args[0] == mode:
                return mode
    given = [*map(repr, marker.args), *(f"{key}={it!r}" for key, it in marker.kwargs.items())]
    word = str(marker.args[0]) if len(marker.args) == len(given) == 1 else ""
    near = difflib.get_close_matches(word, _MODES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    known = ", ".join(repr(mode) for mode in _MODES)
    raise pytest.UsageError(
        f"{item.nodeid} has {MARKER}({', '.join(given)}); {hint}the marker takes one of {known}"
    )


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _HELP)


@pytest.hookimpl
def pytest_itemcollected(item: pytest.Item) -> None:
    """A marker that says nothing we know is a mistake of the whole run."""
    mode_of(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep a failed test's database, and say how to look into it."""
    report = yield
    if report.failed and report.when != "teardown":  # by then it is gone
        said = _left_behind(item)
        if said:
            report.sections.append(("database of this test", said))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """A debugger shows no sections of the report, and this is the moment to look."""
    url = _own_url(node)
    if url is not None and node.config.getoption("usepdb"):
        shell = _shell(url, hide_password=False)
        node.config.get_terminal_writer().line(f"\ndatabase of this test: {shell}")


def _left_behind(item: pytest.Item) -> str:
    url, server = _own_url(item), _fixture(item, "harness_place")
    if url is None:
        return ""
    if isinstance(server, SqlitePlace):
        return _file_left_behind(item, url)
    from harness.database.external import ExternalServer  # noqa: PLC0415 - needs the extra

    if not isinstance(server, ExternalServer):
        return (
            f"{url.database} goes with the server that was started for this run; --pdb stops "
            "while it is there, and on a server of your own (HARNESS_POSTGRES=postgresql://…) it "
            "is kept"
        )
    _fixture(item, "harness_tests").keep_own(test=item.nodeid)
    # Reports end up in the logs of CI: whoever may look knows the password.
    shown = replace(server.address, password=None).url(url.database or "")
    return f"{_shell(shown)}\nkept with the newest {MOST_KEPT} of failed tests"


def _file_left_behind(item: pytest.Item, url: URL) -> str:
    try:
        kept = _fixture(item, "harness_tests").keep_own(test=item.nodeid)
    except HarnessError as error:
        return error.what
    return f"{_shell(url.set(database=kept))}\nkept with the newest {MOST_KEPT} of failed tests"


def _shell(url: URL, *, hide_password: bool = True) -> str:
    """The command that opens a database in a shell of its own."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite3 '{url.database}'"
    plain = url.set(drivername="postgresql")
    return f"psql '{plain.render_as_string(hide_password=hide_password)}'"


def _own_url(item: pytest.Item | pytest.Collector) -> URL | None:
    tests, server = _fixture(item, "harness_tests"), _fixture(item, "harness_place")
    own = tests.own_database if isinstance(tests, Isolation) else None
    if own is None or server is None or not own.is_made:
        return None
    if isinstance(server, SqlitePlace):
        return server.url().set(database=own.name())
    url: URL = server.address.url(own.name())
    return url


def _fixture(item: pytest.Item | pytest.Collector, name: str) -> Any:  # noqa: ANN401 - a fixture
    return getattr(item, "funcargs", {}).get(name)
