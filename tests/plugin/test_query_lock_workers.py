"""The query lock beside pytest-xdist, random order and reruns: the same lock, byte for byte."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import MAIN, Project

LOCK = "query-lock.json"
TESTS = """
import pytest

@pytest.mark.parametrize("times", [1, 3, 2])
async def test_counting(client, times):
    for _ in range(times):
        await client.get("/authors")

async def test_adding(client):
    await client.post("/authors/ada")

@pytest.mark.parametrize("name", ["ada", "eve"])
async def test_adding_again(client, name):
    await client.post(f"/authors/{name}")
    await client.get("/authors")
"""
ANSWER = "    return await session.scalar(select(func.count()).select_from(Author))"
TWICE = MAIN.replace(ANSWER, ANSWER.replace("return ", "") + "\n" + ANSWER, 1)
CRASH = """
import os

def test_crashing():
    os._exit(3)
"""
FLAKY = """
attempts = []

async def test_flaky(client):
    attempts.append(1)
    await client.get("/authors" if len(attempts) > 1 else "/shelves")
    assert len(attempts) > 1
"""


def lock(**more: object) -> str:
    """A lock with an endpoint that no test requests."""
    counts = {"statements": 9, "round_trips": 9, "shapes": {}}
    return json.dumps({"schema": 1, "dialects": {"sqlite": {"GET /gone": counts}}, **more})


@pytest.mark.parametrize(
    "options",
    [
        ("-n", "2", "--dist", "load"),
        ("-p", "randomly", "--randomly-seed=7"),
        ("-n", "2", "--dist", "each"),
    ],
    ids=["workers", "random order", "each worker all of them"],
)
def test_whoever_runs_the_tests_the_lock_is_the_same(
    local_project: Project, options: tuple[str, ...]
) -> None:
    local_project.run(TESTS, "--query-lock=create")
    alone = local_project.path(LOCK).read_bytes()
    local_project.path(LOCK).unlink()

    result = local_project.run(TESTS, "--query-lock=create", *options)

    assert result.ret == 0
    assert local_project.path(LOCK).read_bytes() == alone


def test_workers_report_a_regression_once_and_with_its_edit(local_project: Project) -> None:
    local_project.run(TESTS, "--query-lock=create")
    local_project.write("shop/main.py", TWICE)

    result = local_project.run(TESTS, "-n", "2", "--query-report=report.json")

    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["FAILED query-lock::GET /authors*"])
    report = json.loads(local_project.read("report.json"))
    assert report["gaps"] == []
    assert report["tests"] == 6


def test_a_worker_that_crashes_removes_nothing(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())

    result = local_project.run(TESTS + CRASH, "-n", "2", "--query-lock=tighten")

    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(
        ["nothing was tightened: 1 test failed, 1 worker of pytest-xdist crashed"]
    )
    assert local_project.path(LOCK).read_text() == lock()


def test_workers_tell_what_they_left_out(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())

    result = local_project.run(TESTS, "-n", "2", "--query-lock=tighten", "-k", "counting")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["nothing was tightened: 3 tests were deselected by -k"])


def test_the_last_attempt_stands_for_a_test(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())

    result = local_project.run(FLAKY, "--reruns=1", "--query-lock=update", "--junitxml=junit.xml")

    result.stdout.fnmatch_lines(["*1 passed, 1 rerun*"])
    result.stdout.fnmatch_lines(["query-lock.json: 1 endpoint added, 1 endpoint removed"])
    assert list(json.loads(local_project.read(LOCK))["dialects"]["sqlite"]) == ["GET /authors"]
    last = local_project.read("junit.xml").rpartition("<testcase")[2]
    assert "queries GET /authors" in last
    assert "queries GET /shelves" not in last


def test_tests_that_fail_in_any_phase_show_nothing(local_project: Project) -> None:
    result = local_project.run(
        TESTS
        + """
async def test_failing(client):
    await client.get("/books")
    assert False

@pytest.fixture
def broken():
    yield
    raise RuntimeError

async def test_broken_behind(client, broken):
    await client.get("/shelves")
""",
        "--query-lock=create",
    )

    result.assert_outcomes(passed=7, failed=1, errors=1)
    assert list(json.loads(local_project.read(LOCK))["dialects"]["sqlite"]) == [
        "GET /authors",
        "POST /authors/{name}",
    ]
