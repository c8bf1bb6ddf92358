"""A run that leaves tests out forgets nothing, and says which part was missing."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import Project

LOCK = "query-lock.json"
COUNTING = """
import pytest

async def test_counting(client):
    await client.get("/authors")

@pytest.mark.slow
def test_nothing(): ...
"""
TEARDOWN = """
@pytest.fixture
def broken():
    yield
    raise RuntimeError

def test_error(broken): ...
"""
MARK = "import pytest\n{}\nasync def test_other(client): ..."
EXPECTED = "\n@pytest.mark.xfail(strict=True)\nasync def test_expected(client):\n    assert False\n"
SETTINGS = "[pytest]\nmarkers = slow\nasyncio_mode = auto\n"
GAPS = {
    "-k": (COUNTING, ("-k", "counting"), "1 test was deselected by -k"),
    "-m": (COUNTING, ("-m", "not slow"), "1 test was deselected by -m"),
    "--deselect": (
        COUNTING,
        ("--deselect", "test_shop.py::test_nothing"),
        "1 test was deselected by --deselect",
    ),
    "--lf": (COUNTING, ("--lf",), "--last-failed was given"),
    "--ignore": (COUNTING, ("--ignore=shop",), "shop was ignored"),
    "--ignore-glob": (COUNTING, ("--ignore-glob=*_other.py",), "*_other.py was ignored"),
    "a node": (
        COUNTING,
        ("test_shop.py::test_counting",),
        "only test_shop.py::test_counting was run",
    ),
    "a file": (COUNTING, ("test_shop.py",), "only test_shop.py was run"),
    "a failure": (COUNTING + "\ndef test_failing():\n    assert False\n", (), "1 test failed"),
    "an error": (COUNTING + TEARDOWN, (), "1 test had an error around it"),
    "an expected failure": (
        COUNTING + EXPECTED,
        (),
        "1 test that calls the application was skipped or failed as expected",
    ),
    "a skip": (
        COUNTING + MARK.format('@pytest.mark.skip(reason="later")'),
        (),
        "1 test that calls the application was skipped or failed as expected",
    ),
}


def lock() -> str:
    """A lock with an endpoint that no test requests, and more than one that it does."""
    counts = {"statements": 9, "round_trips": 9, "shapes": {}}
    endpoints = {"GET /authors": counts, "GET /gone": counts}
    return json.dumps({"schema": 1, "dialects": {"sqlite": endpoints}})


@pytest.mark.parametrize("gap", GAPS)
def test_nothing_is_tightened_that_was_not_looked_for(local_project: Project, gap: str) -> None:
    tests, options, told = GAPS[gap]
    local_project.path(LOCK).write_text(lock())
    local_project.write("pytest.ini", SETTINGS)

    result = local_project.run(tests, "--query-lock=tighten", *options)

    assert f"nothing was tightened: {told}" in result.outlines
    assert local_project.path(LOCK).read_text() == lock()


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ("import pytest\npytest.importorskip('no_such_module')", "1 module was skipped"),
        ("import no_such_module", "1 module could not be collected"),
    ],
    ids=["skipped", "broken"],
)
def test_a_module_that_nobody_looked_into_may_hold_anything(
    local_project: Project, tests: str, told: str
) -> None:
    local_project.path(LOCK).write_text(lock())
    local_project.write("test_other.py", tests)

    result = local_project.run(
        COUNTING.replace("@pytest.mark.slow\n", ""),
        *("--query-lock=tighten", "--continue-on-collection-errors"),
    )

    assert f"nothing was tightened: {told}" in result.outlines


def test_items_that_a_conftest_takes_out_are_missed(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())
    local_project.write(
        "conftest.py", "def pytest_collection_modifyitems(items):\n    del items[1:]\n"
    )

    result = local_project.run(COUNTING.replace("@pytest.mark.slow\n", ""), "--query-lock=tighten")

    assert "nothing was tightened: 1 test was deselected" in result.outlines


@pytest.mark.parametrize(
    "options",
    [(), ("--ff",), ("-k", "test"), (".",), ("--ignore=no_such_folder",)],
    ids=["plain", "--ff", "-k of all", "the root", "--ignore of nothing"],
)
def test_what_leaves_nothing_out_is_a_complete_run(
    local_project: Project, options: tuple[str, ...]
) -> None:
    local_project.path(LOCK).write_text(lock())
    local_project.write("pytest.ini", SETTINGS)
    skipped = COUNTING.replace("@pytest.mark.slow", '@pytest.mark.skip(reason="no application")')

    result = local_project.run(skipped, "--query-lock=tighten", *options)

    result.stdout.fnmatch_lines(["query-lock.json: 1 endpoint lowered, 1 endpoint removed"])


def test_the_folder_of_all_tests_may_be_named(local_project: Project) -> None:
    local_project.path(LOCK).write_text(lock())
    text = local_project.read("pyproject.toml")
    local_project.write(
        "pyproject.toml",
        text.replace("[tool.pytest.ini_options]", '[tool.pytest.ini_options]\ntestpaths = ["t*s"]'),
    )
    local_project.write("tests/test_all.py", COUNTING.replace("@pytest.mark.slow\n", ""))

    result = local_project.run("", "tests", "--query-lock=tighten", "-o", "pythonpath=.")

    result.stdout.fnmatch_lines(["query-lock.json: 1 endpoint lowered, 1 endpoint removed"])
