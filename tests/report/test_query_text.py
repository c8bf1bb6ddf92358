"""The failure text of the query gate: complete, and never longer than a screen takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from harness.checks.regression import Change, EndpointChange, ShapeChange
from harness.findings import Severity, SourceLine
from harness.lock.counts import EndpointCounts
from harness.report.query_content import QueryReport
from harness.report.query_lines import columns, cut, cut_sql, filled, screen_lines
from harness.report.query_text import (
    MOST_LINES,
    change_as_text,
    hint_lines,
    new_endpoints_as_text,
    problems_as_text,
)
from tests.report.query_reports import (
    EMPTY,
    EXAMPLE,
    LAZY_LOAD,
    SOME,
    of_shapes,
    reports,
    with_findings,
)


def _regression(report: QueryReport = EXAMPLE) -> EndpointChange:
    return next(each for each in report.changes if each.change is Change.REGRESSION)


def _text(report: QueryReport = EXAMPLE) -> str:
    return change_as_text(_regression(report), report)


@pytest.mark.parametrize(
    "part",
    [
        "GET /users on postgresql (list_users, shop/users.py:26)",
        "7 statements, 7 round trips; the lock has 2 and 2",
        "edit    shop/users.py:28  users = await session.scalars(select(User))",
        "session.scalars(select(User).options(selectinload(User.posts)))",
        'identity = "n-plus-one User.posts @ GET /users"',
        "+6  SELECT … FROM posts WHERE posts.author_id = ?  (was 0, grows with rows)",
        "-1  SELECT … FROM users WHERE users.is_active IS true  (was 1)",
        "shown by tests/test_users.py::test_all_users_are_listed",
        "pytest --query-lock=update",
    ],
)
def test_the_text_of_a_regression_says(part: str) -> None:
    assert part in _text()


def test_a_statement_that_runs_as_often_as_before_is_not_named() -> None:
    assert "LIMIT" not in _text()


def test_an_endpoint_of_one_test_has_the_function_of_its_route() -> None:
    change = replace(_regression(), endpoint="GET /users @ tests/test_users.py::test_big")

    assert "shop/users.py:26" in change_as_text(change, EXAMPLE)


def test_a_long_list_ends_with_how_many_are_left_out() -> None:
    assert "… and 1,001 more" in _text(of_shapes(1000))


def test_without_a_finding_there_is_room_for_more_statements() -> None:
    lines = _text(with_findings(report=of_shapes(1000))).splitlines()

    assert sum("SELECT" in line for line in lines) == 9


def test_a_rise_of_the_total_alone_is_explained() -> None:
    change = replace(_regression(), shapes=())

    assert "none runs more often than the lock allows, but together they do" in (
        change_as_text(change, EXAMPLE)
    )


def test_the_explanation_of_a_total_leaves_no_line_too_many() -> None:
    fewer = tuple(
        ShapeChange(f"{each}", "SELECT 1", 1, 0, has_begun_to_grow=False) for each in range(30)
    )
    change = replace(_regression(), shapes=fewer)

    text = change_as_text(change, with_findings())

    assert len(text.splitlines()) == MOST_LINES


def test_the_worst_finding_is_told_and_the_others_counted() -> None:
    note = replace(LAZY_LOAD, label="A.first", severity=Severity.NOTE, title="a note")

    text = _text(with_findings(note, LAZY_LOAD, replace(note, label="B")))

    assert "FAIL n-plus-one: User.posts was loaded 6 times" in text
    assert "and 2 further findings here" in text
    assert "a note" not in text


def test_an_identity_of_two_lines_is_whole() -> None:
    label = "Organisation.members_with_a_role_that_is_allowed_to_invite"
    finding = replace(LAZY_LOAD, label=label)

    assert f'identity = "n-plus-one {label} @ GET /users"' in _text(with_findings(finding))


def test_an_identity_that_fills_the_screen_is_left_to_the_report() -> None:
    text = _text(with_findings(replace(LAZY_LOAD, label="x" * 20_000)))

    assert "xxxx" not in text
    assert "--query-report=FILE.json" in text


def test_a_label_with_line_breaks_stays_in_its_line() -> None:
    text = _text(with_findings(replace(LAZY_LOAD, label="a\nb\r\nc")))

    assert r'identity = "n-plus-one a\u000ab\u000d\u000ac @ GET /users"' in text


def test_a_long_name_of_an_endpoint_takes_a_line_of_its_own() -> None:
    change = replace(_regression(), endpoint=f"GET /{'x' * 60}")
    report = replace(EXAMPLE, sites={change.endpoint: EXAMPLE.sites["GET /users"]})

    lines = change_as_text(change, report).splitlines()

    assert lines[1] == "  (list_users, shop/users.py:26)"


def test_every_part_at_its_longest_leaves_room_for_two_statements() -> None:
    long = "word " * 4000
    site = SourceLine("a/" * 100 + "x.py", 99, long, long)
    finding = replace(LAZY_LOAD, label="x" * 70, title=long, fix=long, site=site)
    report = replace(
        with_findings(finding, replace(finding, label="y"), report=of_shapes(1000, text=long)),
        sites={"GET /users": site},
        witnesses={("postgresql", "GET /users", ""): long},
    )

    text = _text(report)

    assert sum(map(screen_lines, text.splitlines())) <= MOST_LINES
    assert "  +2  word word" in text


@SOME
@given(reports())
def test_no_report_makes_more_lines_than_the_screen_takes(report: QueryReport) -> None:
    texts = [change_as_text(change, report) for change in report.changes]

    assert all(sum(map(screen_lines, text.split("\n"))) <= MOST_LINES for text in texts)


@SOME
@given(reports())
def test_no_text_has_a_character_that_steers_a_terminal(report: QueryReport) -> None:
    texts = [change_as_text(change, report) for change in report.changes]
    texts += [new_endpoints_as_text(report), problems_as_text(report), *hint_lines(report)]

    assert all(letter.isprintable() or letter == "\n" for text in texts for letter in text)


def test_new_endpoints_come_with_the_command_that_adds_them() -> None:
    assert new_endpoints_as_text(EXAMPLE) == (
        "1 endpoint has no entry in the query lock:\n"
        "  GET /health on postgresql: 1 statement, 1 round trip\n"
        "add them: pytest --query-lock=create"
    )


def test_many_new_endpoints_are_counted() -> None:
    new = EndpointChange("sqlite", "GET /x", Change.NEW, None, EndpointCounts(1, 1), ())

    text = new_endpoints_as_text(replace(EXAMPLE, changes=(new,) * 50))

    assert len(text.splitlines()) == 13
    assert "… and 40 more" in text


def test_new_endpoints_are_no_problem_where_they_are_added() -> None:
    assert new_endpoints_as_text(replace(EXAMPLE, mode="create")) == ""


def test_a_problem_keeps_its_lines() -> None:
    report = replace(EMPTY, problems=("query-lock.json has conflict markers\nresolve them", "b"))

    assert problems_as_text(report) == ("query-lock.json has conflict markers\n  resolve them\nb")


def test_what_could_be_tightened_is_a_hint() -> None:
    assert hint_lines(EXAMPLE) == (
        "1 endpoint runs less than the query lock allows: pytest --query-lock=tighten",
    )


def test_endpoints_that_a_complete_run_did_not_request_are_a_hint() -> None:
    gone = EndpointChange("sqlite", "GET /x", Change.GONE, EndpointCounts(1, 1), None, ())

    assert hint_lines(replace(EXAMPLE, gaps=(), changes=(gone, gone))) == (
        "2 endpoints of the query lock were not requested: pytest --query-lock=tighten",
    )


def test_an_endpoint_that_a_part_of_the_tests_did_not_request_is_no_hint() -> None:
    gone = EndpointChange("sqlite", "GET /x", Change.GONE, EndpointCounts(1, 1), None, ())

    assert hint_lines(replace(EXAMPLE, changes=(gone,))) == ()


def test_a_run_that_saw_nothing_has_no_hints() -> None:
    assert hint_lines(EMPTY) == ()


def test_letters_of_two_columns_count_twice() -> None:
    assert columns("日本") == 4
    assert columns(cut("日本語日本語", 5)) <= 5


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT a.b FROM t", "SELECT a.b FROM t"),
        ("SELECT a.b, a.c, a.d FROM t WHERE x", "SELECT … FROM t WHERE x"),
        ("SELECT DISTINCT a.b, a.c FROM t WHERE", "SELECT DISTINCT … FROM t WHERE"),
        ("UPDATE users SET name = ? WHERE users.id", "UPDATE users SET name = ? WHE…"),
    ],
)
def test_a_statement_is_cut_at_its_columns_first(sql: str, shown: str) -> None:
    assert cut_sql(sql, 30) == shown


def test_lines_break_between_words_and_the_last_one_says_that_more_follows() -> None:
    assert filled("one two three four five", 9, most=2) == ["one two", "three …"]
