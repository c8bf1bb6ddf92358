"""What became more is a regression, whatever became less."""

from __future__ import annotations

import pytest
from hypothesis import given

from harness.checks.regression import Change, EndpointChange, ShapeChange, compared
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.merging import merged
from tests.lock.strategies import CASES, locks

USERS = "GET /users"
A = ShapeCount("SELECT a", 2, grows=False)
B = ShapeCount("SELECT b", 1, grows=False)


def counts(statements: int = 3, round_trips: int = 3, **shapes: ShapeCount) -> EndpointCounts:
    return EndpointCounts(statements, round_trips, shapes)


def change_of(before: EndpointCounts, after: EndpointCounts) -> EndpointChange | None:
    locks = [QueryLock({"postgresql": {USERS: one}}) for one in (before, after)]
    return next(iter(compared(*locks)), None)


@CASES
@given(locks())
def test_a_lock_does_not_differ_from_itself(lock: QueryLock) -> None:
    assert compared(lock, lock) == ()


@CASES
@given(locks(), locks())
def test_a_merged_lock_is_neither_less_nor_without_anything(a: QueryLock, b: QueryLock) -> None:
    found = {change.change for change in compared(a, merged(a, b))}

    assert found.isdisjoint({Change.IMPROVEMENT, Change.GONE})


@CASES
@given(locks(), locks())
def test_what_does_not_differ_is_equal_but_for_its_words(a: QueryLock, b: QueryLock) -> None:
    is_equal = _without_words(a) == _without_words(b)

    assert (compared(a, b) == ()) is is_equal


def _without_words(lock: QueryLock) -> object:
    return {
        (dialect, endpoint): (
            one.statements,
            one.round_trips,
            {id_: (shape.most, shape.grows) for id_, shape in one.shapes.items()},
        )
        for dialect, endpoints in lock.dialects.items()
        for endpoint, one in endpoints.items()
    }


@CASES
@given(locks(), locks())
def test_new_one_way_is_gone_the_other_way(a: QueryLock, b: QueryLock) -> None:
    there, back = compared(a, b), compared(b, a)

    assert [_key(change) for change in there] == [_key(change) for change in back]
    assert [_key(change) for change in there if change.change is Change.NEW] == [
        _key(change) for change in back if change.change is Change.GONE
    ]


def _key(change: EndpointChange) -> tuple[str, str]:
    return change.dialect, change.endpoint


@CASES
@given(locks(), locks())
def test_what_became_less_is_a_regression_the_other_way(a: QueryLock, b: QueryLock) -> None:
    less = [_key(change) for change in compared(a, b) if change.change is Change.IMPROVEMENT]
    more = [_key(change) for change in compared(b, a) if change.change is Change.REGRESSION]

    assert set(less) <= set(more)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        pytest.param(counts(a=A), counts(a=A, b=B), Change.REGRESSION, id="a-new-shape"),
        pytest.param(
            counts(a=A),
            counts(a=ShapeCount("", 3, grows=False)),
            Change.REGRESSION,
            id="more-often",
        ),
        pytest.param(
            counts(a=A), counts(a=ShapeCount("", 2, grows=True)), Change.REGRESSION, id="it-grows"
        ),
        pytest.param(
            counts(a=A), counts(a=ShapeCount("", 1, grows=True)), Change.REGRESSION, id="fewer-grow"
        ),
        pytest.param(counts(a=A), counts(4, a=A), Change.REGRESSION, id="more-statements"),
        pytest.param(counts(a=A), counts(3, 4, a=A), Change.REGRESSION, id="more-round-trips"),
        pytest.param(counts(a=A), counts(2, 4, a=A), Change.REGRESSION, id="more-of-one-total"),
        pytest.param(counts(a=A), counts(1, 1, b=B), Change.REGRESSION, id="one-for-another"),
        pytest.param(counts(a=A, b=B), counts(a=A), Change.IMPROVEMENT, id="a-shape-less"),
        pytest.param(
            counts(a=A),
            counts(a=ShapeCount("", 1, grows=False)),
            Change.IMPROVEMENT,
            id="less-often",
        ),
        pytest.param(
            counts(a=ShapeCount("", 2, grows=True)), counts(a=A), Change.IMPROVEMENT, id="no-growth"
        ),
        pytest.param(counts(a=A), counts(2, a=A), Change.IMPROVEMENT, id="fewer-statements"),
        pytest.param(counts(a=A), counts(3, 2, a=A), Change.IMPROVEMENT, id="fewer-round-trips"),
    ],
)
def test_more_of_anything_is_a_regression(
    before: EndpointCounts, after: EndpointCounts, change: Change
) -> None:
    found = change_of(before, after)

    assert found is not None
    assert found.change is change


def test_a_statement_written_in_other_words_is_no_change() -> None:
    assert change_of(counts(a=A), counts(a=ShapeCount("SELECT  a", 2, grows=False))) is None


def test_a_regression_lists_what_became_less_as_well() -> None:
    found = change_of(counts(a=A), counts(b=B))

    assert found is not None
    assert found.shapes == (
        ShapeChange("b", "SELECT b", before=0, after=1, has_begun_to_grow=False),
        ShapeChange("a", "SELECT a", before=2, after=0, has_begun_to_grow=False),
    )


def test_worse_shapes_come_first_and_then_texts_in_order() -> None:
    once, twice = (
        {id_: ShapeCount(text, most, grows=False) for id_, text in ("xZ", "yA", "zM", "wB")}
        for most in (1, 2)
    )
    before = EndpointCounts(9, 9, {"x": once["x"], "w": twice["w"]})
    after = EndpointCounts(9, 9, {**twice, "w": once["w"]})

    found = change_of(before, after)

    assert found is not None
    assert [shape.text for shape in found.shapes] == ["A", "M", "Z", "B"]


def test_equal_shapes_are_left_out() -> None:
    found = change_of(counts(a=A), counts(a=A, b=B))

    assert found is not None
    assert [shape.id for shape in found.shapes] == ["b"]


def test_a_shape_that_begins_to_grow_says_so() -> None:
    found = change_of(counts(a=A), counts(a=ShapeCount("SELECT a", 2, grows=True)))

    assert found is not None
    (shape,) = found.shapes
    assert shape.has_begun_to_grow
    assert shape.is_worse


def test_a_shape_that_grows_no_more_says_so() -> None:
    found = change_of(counts(a=ShapeCount("SELECT a", 2, grows=True)), counts(a=A))

    assert found is not None
    (shape,) = found.shapes
    assert shape.has_stopped_growing
    assert not shape.is_worse


def test_a_growing_shape_that_is_gone_has_not_stopped_growing() -> None:
    found = change_of(counts(a=ShapeCount("SELECT a", 2, grows=True)), counts())

    assert found is not None
    (shape,) = found.shapes
    assert (shape.after, shape.has_stopped_growing) == (0, False)


def test_a_new_endpoint_has_all_its_statements_as_new() -> None:
    (found,) = compared(QueryLock(), QueryLock({"postgresql": {USERS: counts(a=A, b=B)}}))

    assert (found.change, found.before, found.after) == (Change.NEW, None, counts(a=A, b=B))
    assert [(shape.before, shape.after) for shape in found.shapes] == [(0, 2), (0, 1)]


def test_an_endpoint_that_is_gone_has_all_its_statements_as_gone() -> None:
    (found,) = compared(QueryLock({"postgresql": {USERS: counts(a=A)}}), QueryLock())

    assert (found.change, found.before, found.after) == (Change.GONE, counts(a=A), None)
    assert [(shape.before, shape.after) for shape in found.shapes] == [(2, 0)]


def test_an_endpoint_without_statements_is_new_all_the_same() -> None:
    (found,) = compared(QueryLock(), QueryLock({"postgresql": {USERS: counts(0, 0)}}))

    assert (found.change, found.shapes) == (Change.NEW, ())


def test_changes_are_in_order_of_dialect_and_endpoint() -> None:
    after = QueryLock(
        {
            "sqlite": {"GET /a": counts()},
            "postgresql": {"POST /a": counts(), "GET /b": counts()},
        }
    )

    found = compared(QueryLock(), after)

    assert [(change.dialect, change.endpoint) for change in found] == [
        ("postgresql", "GET /b"),
        ("postgresql", "POST /a"),
        ("sqlite", "GET /a"),
    ]
