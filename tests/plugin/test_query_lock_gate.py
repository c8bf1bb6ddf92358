"""The query lock's gate: what fails a run, and that its failures are pytest's own."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.conftest import MAIN, SESSION_LOOPS, Project

COUNTING = """
async def test_counting(client):
    await client.get("/authors")
"""
NEXT_TO_IT = """
async def test_of_itself(client):
    raise AssertionError
"""
ANSWER = "    return await session.scalar(select(func.count()).select_from(Author))"
AGAIN = MAIN.replace(ANSWER, ANSWER.replace("return ", "") + "\n" + ANSWER, 1)
LOADING = MAIN.replace(
    ANSWER,
    "    return await session.run_sync(\n"
    "        lambda s: sum(len(author.books) for author in s.scalars(select(Author))))",
    1,
)
CACHED = SESSION_LOOPS.replace('addopts = ["-p", "no:cacheprovider"]\n', "")
BOOKS = """
import pytest

{marker}
async def test_books(client):
    await client.get("/books")
"""


@pytest.fixture
def slower(local_project: Project) -> Project:
    """A project whose lock is older than a statement that was added."""
    local_project.configure(
        table=local_project.read("pyproject.toml").partition("[tool.pytest")[0],
        pytest_options=CACHED,
    )
    local_project.run(COUNTING, "--query-lock=create")
    local_project.write("shop/main.py", AGAIN)
    return local_project


def explanation(lines: list[str]) -> list[str]:
    """What stands below the heading of the first failure."""
    start = next(number for number, line in enumerate(lines) if "query lock: GET" in line)
    end = next(number for number, line in enumerate(lines) if number > start and "====" in line)
    return lines[start + 1 : end]


def test_one_more_statement_is_one_failed_test(slower: Project) -> None:
    result = slower.run(COUNTING, "--junitxml=junit.xml", "--query-report=out/report.json")

    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    told = explanation(result.outlines)
    assert len(told) < 15
    assert re.fullmatch(r"GET /authors on sqlite +\(count_authors, shop/main.py:12\)", told[0])
    assert told[1] == "  2 statements, 2 round trips; the lock has 1 and 1"
    assert any(re.match(r"  \+1  SELECT count.* \(was 1\)", line) for line in told)
    result.stdout.fnmatch_lines(["FAILED query-lock::GET /authors - 2 statements, 2 round trips*"])
    [suite] = ET.fromstring(slower.read("junit.xml"))  # noqa: S314 - written by pytest
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert json.loads(slower.read("out/report.json"))["verdict"] == "fail"


def test_a_failure_of_the_lock_is_not_remembered_as_a_tests(slower: Project) -> None:
    slower.run(COUNTING)
    cache = slower.path(".pytest_cache/v/cache/lastfailed")

    assert not cache.exists() or json.loads(cache.read_text("utf-8")) == {}


def test_stepwise_has_no_test_to_continue_from(slower: Project) -> None:
    result = slower.run(COUNTING, "--stepwise")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*continuing from this test*")


def test_what_has_ended_is_not_stopped(slower: Project) -> None:
    result = slower.run(COUNTING, "-x")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*stopping*")
    result.stdout.no_fnmatch_line("*stopped early*")


def test_a_run_that_is_stopped_early_is_judged_as_far_as_it_came(slower: Project) -> None:
    result = slower.run(
        COUNTING + NEXT_TO_IT + COUNTING.replace("counting", "left"),
        *("-x", "--query-report=report.json"),
    )

    result.assert_outcomes(passed=1, failed=2)
    assert json.loads(slower.read("report.json"))["gaps"] == [
        "1 test failed",
        "the run was stopped early",
    ]


@pytest.mark.parametrize("how", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_after_an_interrupt_nothing_is_judged_or_written(slower: Project, how: str) -> None:
    lock = slower.read("query-lock.json")

    result = slower.run(
        f"import pytest\n{COUNTING}\ndef test_ending():\n    {how}\n", "--query-lock=update"
    )

    assert result.ret == 2
    result.stdout.fnmatch_lines(["*interrupted, so no query was checked and no lock written*"])
    assert slower.read("query-lock.json") == lock


def test_without_a_terminal_the_exit_status_tells(slower: Project) -> None:
    options = ("-p", "no:terminal", "-p", "no:locust", "--query-report=report.md")
    result = slower.run_python("-m", "pytest", *options)  # without -q, which the terminal brings

    assert result.ret == 1
    assert "GET /authors" in slower.read("report.md")


def test_without_tracebacks_the_summary_has_the_numbers(slower: Project) -> None:
    result = slower.run(COUNTING, "--tb=no")

    assert result.ret == 1
    result.stdout.no_fnmatch_line("*FAILURES*")
    result.stdout.fnmatch_lines(["FAILED query-lock::GET /authors - 2 statements*"])


@pytest.mark.parametrize("option", ["--collect-only", "--setup-only"])
def test_a_run_that_calls_no_test_is_not_judged(slower: Project, option: str) -> None:
    result = slower.run(COUNTING, option, "--query-lock=check")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*query-lock::*")


def test_progress_ends_at_a_hundred_per_cent(slower: Project) -> None:
    result = slower.run(COUNTING, "-vv")

    assert [line.split()[-1] for line in result.outlines if "%]" in line] == ["[100%]", "[100%]"]
    result.stdout.fnmatch_lines(["query-lock::GET /authors FAILED*"])


@pytest.mark.parametrize("mode", ["off", "update", "tighten"])
def test_who_does_not_ask_for_judgement_gets_none(slower: Project, mode: str) -> None:
    result = slower.run(COUNTING, f"--query-lock={mode}")

    result.assert_outcomes(passed=1)


def test_github_shows_the_line(slower: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    result = slower.run(COUNTING)

    result.stdout.fnmatch_lines(["::error file=shop/main.py,line=12,*GET /authors*"])


def test_a_loop_on_a_new_endpoint_fails_and_says_where(local_project: Project) -> None:
    result = local_project.run(BOOKS.format(marker=""), "--query-lock=create")

    result.assert_outcomes(passed=1, failed=1)
    told = explanation(result.outlines)
    assert len(told) < 15
    assert told[0] == "n-plus-one  Author.books @ GET /books"
    assert '    identity = "n-plus-one Author.books @ GET /books"' in told
    result.stdout.no_fnmatch_line("*harness: findings*")


@pytest.mark.parametrize("where", ["marker", "configuration"])
def test_an_accepted_finding_fails_nothing(local_project: Project, where: str) -> None:
    identity = "n-plus-one Author.books @ GET /books"
    marker = ""
    if where == "marker":
        marker = f'@pytest.mark.allow_queries("{identity}", reason="five rows")'
    else:
        allow = f'[[tool.harness.allow]]\nidentity = "{identity}"\nreason = "five rows"\n'
        local_project.write("pyproject.toml", local_project.read("pyproject.toml") + allow)

    result = local_project.run(BOOKS.format(marker=marker), "--query-lock=create")

    result.assert_outcomes(passed=1)


def test_a_loop_of_the_tests_own_fails_nothing(local_project: Project) -> None:
    result = local_project.run(
        """
        from sqlalchemy import select
        from shop.database import Author

        async def test_own(client, db_session):
            await client.get("/authors")
            def load(session):
                return [len(author.books) for author in session.scalars(select(Author))]
            await db_session.run_sync(load)
        """,
        "--query-lock=create",
    )

    result.assert_outcomes(passed=1)


def test_a_loop_that_the_lock_has_counts_of_is_still_a_loop(local_project: Project) -> None:
    local_project.run(BOOKS.format(marker=""), "--query-lock=create")

    result = local_project.run(BOOKS.format(marker=""), "--query-lock=check")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED query-lock::GET /books - n-plus-one Author.books"])


def test_junit_has_the_counts_of_each_test(local_project: Project) -> None:
    local_project.run(
        """
        async def test_books(client, record_property):
            record_property("owner", "shop")
            await client.get("/books")
            await client.get("/authors")
        """,
        *("--junitxml=junit.xml", "-o", "junit_family=xunit1", "--query-report=report.md"),
    )

    case = ET.fromstring(local_project.read("junit.xml"))[0][0]  # noqa: S314 - written by pytest
    properties = {item.get("name"): item.get("value") for item in case[0]}
    assert properties == {
        "owner": "shop",
        "statements": "7",
        "round trips": "7",
        "queries GET /authors": "1",
        "queries GET /books": "6",
        "finding": "n-plus-one Author.books @ GET /books",
    }


def test_a_lazy_load_that_was_added_is_told_with_its_edit(local_project: Project) -> None:
    local_project.run(COUNTING, "--query-lock=create")
    local_project.write("shop/main.py", LOADING)

    result = local_project.run(COUNTING)

    result.assert_outcomes(passed=1, failed=1)
    told = explanation(result.outlines)
    assert len(told) < 15
    for words in ("selectinload(Author.books)", "FROM books", "pytest --query-lock=update"):
        assert any(words in line for line in told)
