"""Which sums of statements per request are an N+1, and which only look like one."""

from __future__ import annotations

import pytest

from harness.checks.growth import Trend
from harness.checks.load.statement_growth import (
    RouteSamples,
    StatementSample,
    statement_growth,
    trend_of,
)
from harness.findings import Severity, SourceLine, Verdict

REQUESTS = 10
ENDPOINT = SourceLine("shop/posts.py", 12, "list_posts")


def samples(
    *points: tuple[float | None, float], rows: tuple[int, ...] = ()
) -> tuple[StatementSample, ...]:
    """Items of an answer, and statements of a request, at each size."""
    return tuple(
        StatementSample(rows[number] if rows else 0, REQUESTS, round(statements * REQUESTS), items)
        for number, (items, statements) in enumerate(points)
    )


def route(name: str, *points: tuple[float | None, float]) -> RouteSamples:
    return RouteSamples(f"GET {name}", samples(*points), ENDPOINT)


LOOP = route("/lazy", (2, 3), (5, 6), (10, 11))
TWIN = route("/eager", (2, 2), (5, 2), (10, 2))


def test_a_route_that_runs_a_statement_for_each_item_fails() -> None:
    judged = statement_growth([LOOP, TWIN], counted_by="events")

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.verdict.summary == (
        "GET /lazy runs 3, 6, 11 statements for 2, 5, 10 items returned: 1 for each further item"
    )
    assert [finding.identity for finding in judged.findings] == [
        "query-growth statements @ GET /lazy"
    ]
    assert judged.findings[0].site == ENDPOINT
    assert ("requests", "30") in judged.findings[0].evidence
    assert ("counted by", "events") in judged.findings[0].evidence


def test_its_twin_passes() -> None:
    judged = statement_growth([TWIN], counted_by="events")

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary == "1 route runs as many statements for many items as for few"
    assert judged.findings == ()


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([(2, 1), (5, 1), (10, 2)], id="a loader that ran once there was something"),
        pytest.param([(2, 1), (5, 3), (10, 3)], id="a second loader of two levels"),
        pytest.param([(2, 2), (5, 1), (10, 4)], id="not at every step"),
        pytest.param([(5, 2), (10, 3)], id="two sizes, one more"),
        pytest.param([(1, 1), (2, 2)], id="two sizes next to each other"),
        pytest.param([(10, 2), (20, 5)], id="two sizes, slowly"),
        pytest.param([(0, 1), (0, 4), (0, 9)], id="empty answers"),
        pytest.param([(1, 1), (1, 5), (1, 9)], id="one item each time"),
    ],
)
def test_what_does_not_rise_at_every_step_is_no_finding(points: list[tuple[float, float]]) -> None:
    assert trend_of(samples(*points)).trend is Trend.UNCLEAR


def test_means_that_differ_by_less_than_a_statement_are_constant() -> None:
    assert trend_of(samples((2, 2.1), (5, 2.3), (10, 2.6))).trend is Trend.CONSTANT


def test_two_sizes_are_enough_where_there_is_a_statement_for_each_item() -> None:
    assert trend_of(samples((5, 6), (10, 11))).trend is Trend.GROWING


def test_empty_answers_are_no_base_line() -> None:
    trend = trend_of(samples((0, 1), (5, 6), (10, 11)))

    assert (trend.sizes, trend.statements) == ((5, 10), (6, 11))


def test_answers_that_are_no_lists_are_compared_by_the_rows_of_the_tables() -> None:
    growing = trend_of(samples((None, 3), (None, 8), (None, 13), rows=(0, 5, 10)))

    assert (growing.trend, growing.by, growing.slope) == (Trend.GROWING, "row", 1)


def test_rows_that_are_not_returned_do_not_count() -> None:
    assert trend_of(samples((10, 2), (10, 2), (10, 2), rows=(0, 5, 10))).trend is Trend.UNCLEAR


def test_a_slow_growth_is_a_warning() -> None:
    judged = statement_growth([route("/chunks", (10, 2), (20, 4), (40, 8))], counted_by="events")

    assert judged.verdict.verdict is Verdict.WARN
    assert judged.findings[0].severity is Severity.WARNING


def test_a_route_that_failed_cannot_be_passed() -> None:
    broken = RouteSamples("GET /broken", failure="3 of 40 requests had no good answer")

    judged = statement_growth([TWIN, broken], counted_by="events")

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary == "GET /broken: 3 of 40 requests had no good answer"


def test_what_grows_is_found_whatever_else_failed() -> None:
    broken = RouteSamples("GET /broken", failure="3 of 40 requests had no good answer")

    assert statement_growth([LOOP, broken], counted_by="events").verdict.verdict is Verdict.FAIL


def test_a_route_that_refuses_is_left_out() -> None:
    closed = RouteSamples("GET /me", refusal="40 of 40 requests were refused (4xx)")

    judged = statement_growth([TWIN, closed], counted_by="events")

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary.endswith("1 could not be compared")


def test_where_all_refuse_there_is_nothing_to_ask() -> None:
    closed = RouteSamples("GET /me", refusal="40 of 40 requests were refused (4xx)")

    assert statement_growth([closed], counted_by="events").verdict.verdict is Verdict.SKIPPED


def test_answers_that_hold_no_more_items_say_nothing() -> None:
    judged = statement_growth([route("/one", (1, 1), (1, 1), (1, 1))], counted_by="events")

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE


def test_the_statement_that_grew_is_named_where_it_is_known() -> None:
    shapes = ({"SELECT users": 10, "SELECT posts": 20}, {"SELECT users": 10, "SELECT posts": 100})
    known = tuple(
        StatementSample(0, 10, sum(ran.values()), items, ran)
        for items, ran in zip((2, 10), shapes, strict=True)
    )

    judged = statement_growth([RouteSamples("GET /lazy", known)], counted_by="echo")

    assert ("statement", "SELECT posts") in judged.findings[0].evidence
