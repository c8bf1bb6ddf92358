"""What grows with the rows is found, and what only looks like it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.capture.recording import Cause, Recording
from harness.checks.growth import (
    GrowthSample,
    ShapeGrowth,
    Trend,
    growth,
    is_comparable,
    query_growth,
    with_growth,
)
from harness.findings import Finding, Severity
from tests.checks.conftest import MakeRequest, MakeTrip

SELECT = "SELECT users.id FROM users"
INSERT = "INSERT INTO views (user_id) VALUES (?)"

MakeSamples = Callable[..., list[GrowthSample]]


@pytest.fixture
def samples(trip: MakeTrip, request_to: MakeRequest) -> MakeSamples:
    """One sample for each count of a statement, at n = 2, 3, 10 unless told."""

    def make(
        *counts: int,
        n: tuple[int, ...] = (2, 3, 10),
        items: tuple[int | None, ...] = (),
        sql: str = SELECT,
        relationship: str | None = None,
        cause: Cause = Cause.QUERY,
    ) -> list[GrowthSample]:
        return [
            GrowthSample(
                size,
                Recording(
                    round_trips=tuple(
                        trip(sql, relationship=relationship, cause=cause) for _ in range(count)
                    ),
                    requests=(request_to(),),
                ),
                items[at] if items else None,
            )
            for at, (size, count) in enumerate(zip(n, counts, strict=True))
        ]

    return make


def only(samples: list[GrowthSample]) -> ShapeGrowth:
    (shape,) = growth(samples)
    return shape


def test_as_many_statements_at_every_size_are_constant(samples: MakeSamples) -> None:
    shape = only(samples(2, 2, 2))

    assert shape.trend is Trend.CONSTANT
    assert query_growth(samples(2, 2, 2)) == []


def test_one_more_for_each_row_grows_by_one(samples: MakeSamples) -> None:
    shape = only(samples(2, 3, 10))

    assert (shape.trend, shape.slope, shape.is_per_item) == (Trend.GROWING, 1.0, False)


def test_the_slope_is_by_items_where_the_answer_has_other_ones(samples: MakeSamples) -> None:
    shape = only(samples(4, 6, 10, items=(2, 3, 5)))

    assert (shape.slope, shape.is_per_item) == (2.0, True)


def test_two_sizes_suffice(samples: MakeSamples) -> None:
    assert only(samples(2, 3, n=(2, 3))).trend is Trend.GROWING


def test_what_first_runs_at_a_larger_size_is_no_growth(samples: MakeSamples) -> None:
    assert only(samples(0, 0, 1)).trend is Trend.CONSTANT


def test_none_at_the_smaller_size_is_no_base_line(samples: MakeSamples) -> None:
    assert only(samples(0, 0, 7)).trend is Trend.UNCLEAR
    assert query_growth(samples(0, 0, 7)) == []


def test_an_answer_without_items_is_no_base_line(samples: MakeSamples) -> None:
    assert only(samples(1, 1, 7, items=(0, 0, 6))).trend is Trend.UNCLEAR


def test_a_count_that_falls_before_it_rises_says_nothing(samples: MakeSamples) -> None:
    assert only(samples(9, 3, 10)).trend is Trend.UNCLEAR


def test_fewer_statements_for_more_rows_are_no_growth(samples: MakeSamples) -> None:
    assert only(samples(3, 3, 2)).trend is Trend.CONSTANT


def test_rows_that_the_answer_leaves_out_count_by_the_tables(samples: MakeSamples) -> None:
    shape = only(samples(2, 3, 10, items=(1, 1, 1)))

    assert (shape.trend, shape.slope, shape.is_per_item) == (Trend.GROWING, 1.0, False)


def test_the_batches_of_one_statement_count_once(trip: MakeTrip) -> None:
    several = [
        GrowthSample(n, Recording(tuple(trip(INSERT, batch=batch) for batch in range(n))))
        for n in (2, 3)
    ]

    assert only(several).counts == (1, 1)


@pytest.mark.parametrize(
    ("items", "is_telling"),
    [
        ((2, 3, 10), True),
        ((None, None, None), True),
        ((5, 5, 5), False),
        ((0, 0, 10), False),
        ((10, 10, 3), False),
    ],
)
def test_a_constant_count_says_something_where_the_answers_differ_in_size(
    samples: MakeSamples, items: tuple[int | None, ...], is_telling: bool
) -> None:
    assert is_comparable(samples(1, 1, 1, items=items)) is is_telling


def test_a_finding_names_the_line_the_numbers_and_the_endpoint(samples: MakeSamples) -> None:
    (finding,) = query_growth(samples(2, 3, 10))

    assert finding.identity == "query-growth User in list_users @ GET /users"
    assert finding.severity is Severity.ERROR
    assert str(finding.site) == "shop/users.py:10"
    assert "2, 3, 10 runs at n = 2, 3, 10: 1 for each further row" in finding.title


def test_one_statement_for_several_rows_is_a_warning(samples: MakeSamples) -> None:
    (finding,) = query_growth(samples(1, 1, 2))

    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("sql", "relationship", "cause", "fix"),
    [
        (SELECT, "User.posts", Cause.LAZY, "add .options(selectinload(User.posts))"),
        (SELECT, None, Cause.CORE, "run it once for all values"),
        (INSERT, None, Cause.CORE, "write all rows with one statement"),
    ],
    ids=["lazy", "select", "insert"],
)
def test_the_fix_fits_the_statement(
    samples: MakeSamples, sql: str, relationship: str | None, cause: Cause, fix: str
) -> None:
    (finding,) = query_growth(samples(2, 3, 9, sql=sql, relationship=relationship, cause=cause))

    assert finding.fix.startswith(fix)


@pytest.fixture
def known() -> Finding:
    """What another check says of the statement."""
    return Finding(
        kind="n-plus-one",
        label="User in list_users",
        anchor="GET /users",
        severity=Severity.ERROR,
        title="",
        fix="",
        evidence=(("statement", SELECT),),
    )


def test_what_another_check_has_found_is_not_found_twice(
    samples: MakeSamples, known: Finding
) -> None:
    assert query_growth(samples(2, 3, 10), found=[known]) == []


def test_what_another_check_only_notes_is_found(samples: MakeSamples, known: Finding) -> None:
    noted = replace(known, severity=Severity.NOTE)

    assert len(query_growth(samples(2, 3, 10), found=[noted])) == 1


def test_a_finding_of_another_check_gets_the_growth_as_evidence(
    samples: MakeSamples, known: Finding
) -> None:
    (finding,) = with_growth([known], samples(2, 3, 10))

    assert finding.evidence[-1] == (
        "growth",
        "2, 3, 10 runs at n = 2, 3, 10: 1 for each further row of the tables",
    )


def test_outside_of_requests_the_anchor_is_the_line(samples: MakeSamples) -> None:
    apart = [
        replace(sample, recording=replace(sample.recording, requests=()))
        for sample in samples(2, 3, 10)
    ]

    (finding,) = query_growth(apart)
    assert finding.anchor == "shop/users.py::list_users"
