"""A gate that cannot see fails, says why, and writes nothing."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import Project

LOCK = "query-lock.json"
NAMED = "query-lock::query-lock.json"
COUNTING = """
async def test_counting(client):
    await client.get("/authors")
"""
HEALTH = """
async def test_health(client, app):
    @app.get("/health")
    async def health(): ...
    await client.get("/health")
"""
FAILING_RECORDER = """
import sqlite3
from sqlalchemy import create_engine

class Unhashable(str):
    def __hash__(self):
        raise ZeroDivisionError

async def test_odd(client):
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT ?", (Unhashable("x"),))
    engine.dispose()
    await client.get("/authors")
"""


def lock(dialect: str = "sqlite", endpoint: str = "GET /authors") -> str:
    """A lock with one endpoint."""
    counts = {"statements": 9, "round_trips": 9, "shapes": {}}
    return json.dumps({"schema": 1, "dialects": {dialect: {endpoint: counts}}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", "*conflict*"),
        ('{"schema": 99, "dialects": {}}', "*schema*99*"),
        ("[]", "*query lock*"),
    ],
    ids=["conflict markers", "newer schema", "wrong shape"],
)
@pytest.mark.parametrize("mode", ["check", "update"])
def test_an_unreadable_lock_fails_and_stays(
    local_project: Project, text: str, told: str, mode: str
) -> None:
    local_project.path(LOCK).write_text(text)

    result = local_project.run(COUNTING, f"--query-lock={mode}")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([told, f"FAILED {NAMED} - *"])
    assert local_project.path(LOCK).read_text() == text


@pytest.mark.parametrize(
    ("tests", "text", "options", "told"),
    [
        (FAILING_RECORDER, lock(), (), "*ZeroDivisionError in __hash__*"),
        ("def test_nothing(): ...", lock(), (), "*no request*was observed*"),
        (COUNTING, lock(), ("-k", "nothing", "--query-lock=check"), "*no request*was observed*"),
        (HEALTH, lock(), (), "*1 request ran not a single statement*GET /authors*"),
        (COUNTING, lock("postgresql"), ("--query-lock=check",), "*postgresql only*on sqlite*"),
    ],
    ids=["recorder", "no request", "no request of a selection", "no engine", "dialect"],
)
def test_a_gate_that_sees_nothing_fails(
    local_project: Project, tests: str, text: str, options: tuple[str, ...], told: str
) -> None:
    local_project.path(LOCK).write_text(text)

    result = local_project.run(tests, *options)

    assert result.ret == 1
    result.stdout.fnmatch_lines([told, f"FAILED {NAMED} - *"])
    assert local_project.path(LOCK).read_text() == text


def test_a_recorder_that_failed_updates_nothing(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())

    result = local_project.run(FAILING_RECORDER, "--query-lock=update")

    result.assert_outcomes(passed=1, failed=1)
    assert local_project.path(LOCK).read_text() == lock()


def test_a_report_without_a_lock_says_what_could_not_be_counted(local_project: Project) -> None:
    result = local_project.run(FAILING_RECORDER, "--query-lock=off", "--query-report=report.json")

    result.assert_outcomes(passed=1)
    assert json.loads(local_project.read("report.json"))["verdict"] == "inconclusive"


def test_a_part_of_the_tests_may_make_no_request(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())

    result = local_project.run(COUNTING + "\ndef test_nothing(): ...", "-k", "nothing")

    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["harness: no request was made, so no query was checked: 1 test was deselected by -k"]
    )


def test_requests_without_statements_are_none_of_a_lock_without_them(
    local_project: Project,
) -> None:
    local_project.path(LOCK).write_text('{"schema": 1, "dialects": {}}')

    result = local_project.run(HEALTH)

    result.assert_outcomes(passed=1)


def test_another_dialect_is_added_beside_the_first(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock("postgresql"))

    result = local_project.run(COUNTING, "--query-lock=create")

    result.assert_outcomes(passed=1)
    dialects = json.loads(local_project.read(LOCK))["dialects"]
    assert dialects["sqlite"]["GET /authors"]["statements"] == 1
    assert dialects["postgresql"]["GET /authors"]["statements"] == 9


def test_a_lock_that_cannot_be_written_fails(local_project: Project) -> None:
    local_project.path(LOCK).mkdir()

    result = local_project.run(COUNTING, "--query-lock=update")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*query lock cannot be read*", f"FAILED {NAMED} - *"])


def test_a_report_that_cannot_be_written_is_told(local_project: Project) -> None:
    local_project.write("taken", "")

    result = local_project.run(COUNTING, "--query-report=taken/report.md")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["no report: *taken/report.md cannot be written: *"])
