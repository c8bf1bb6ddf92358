"""Locks put together come to the same in any order, and each mode does no more than it says."""

from __future__ import annotations

from hypothesis import given

from harness.checks.regression import Change, compared
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.merging import merged, raised, replaced, tightened, with_new
from tests.lock.strategies import CASES, locks

ONCE = ShapeCount("SELECT a", 1, grows=False)
OFTEN = ShapeCount("SELECT a", 3, grows=True)
OTHER = ShapeCount("SELECT b", 1, grows=False)
USERS = "GET /users"


def lock_of(statements: int, round_trips: int, **shapes: ShapeCount) -> QueryLock:
    return QueryLock({"postgresql": {USERS: EndpointCounts(statements, round_trips, shapes)}})


def changes(before: QueryLock, after: QueryLock) -> set[Change]:
    return {change.change for change in compared(before, after)}


@CASES
@given(locks(), locks(), locks())
def test_merging_is_associative(a: QueryLock, b: QueryLock, c: QueryLock) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c)) == merged(a, b, c)


@CASES
@given(locks(), locks())
def test_merging_is_commutative(a: QueryLock, b: QueryLock) -> None:
    assert merged(a, b) == merged(b, a)


@CASES
@given(locks())
def test_merging_is_idempotent(a: QueryLock) -> None:
    assert merged(a, a) == merged(a) == merged(a, QueryLock()) == a


@CASES
@given(locks(), locks())
def test_a_merged_lock_allows_what_either_allows(a: QueryLock, b: QueryLock) -> None:
    assert changes(a, merged(a, b)) <= {Change.NEW, Change.REGRESSION}


@CASES
@given(locks(), locks())
def test_tightening_never_raises(lock: QueryLock, seen: QueryLock) -> None:
    assert changes(lock, tightened(lock, seen)) <= {Change.IMPROVEMENT, Change.GONE}


@CASES
@given(locks(), locks())
def test_what_was_seen_is_never_less_than_the_tightened_lock(
    lock: QueryLock, seen: QueryLock
) -> None:
    tight = tightened(lock, seen)

    of_seen = QueryLock({name: tight.dialects.get(name, {}) for name in seen.dialects})
    assert changes(of_seen, seen) <= {Change.NEW, Change.REGRESSION}


@CASES
@given(locks(), locks())
def test_adding_new_endpoints_changes_nothing_that_exists(lock: QueryLock, seen: QueryLock) -> None:
    assert changes(lock, with_new(lock, seen)) <= {Change.NEW}


@CASES
@given(locks(), locks())
def test_after_adding_new_endpoints_every_seen_one_is_known(
    lock: QueryLock, seen: QueryLock
) -> None:
    assert Change.NEW not in changes(with_new(lock, seen), seen)


@CASES
@given(locks(), locks())
def test_a_replaced_lock_says_what_was_seen(lock: QueryLock, seen: QueryLock) -> None:
    found = replaced(lock, seen).dialects

    assert {name: found[name] for name in seen.dialects} == seen.dialects
    assert {name: found[name] for name in found if name not in seen.dialects} == {
        name: lock.dialects[name] for name in lock.dialects if name not in seen.dialects
    }


@CASES
@given(locks(), locks())
def test_a_raised_lock_holds_for_the_lock_and_for_what_was_seen(
    lock: QueryLock, seen: QueryLock
) -> None:
    up = raised(lock, seen)

    assert changes(lock, up) <= {Change.NEW, Change.REGRESSION}
    assert changes(up, seen) <= {Change.IMPROVEMENT, Change.GONE}


def test_merging_takes_the_maximum_of_everything() -> None:
    found = merged(lock_of(4, 9, a=OFTEN), lock_of(6, 7, a=ONCE, b=OTHER))

    assert found == lock_of(6, 9, a=OFTEN, b=OTHER)


def test_where_texts_differ_the_smaller_one_stays() -> None:
    late = ShapeCount("SELECT z", 1, grows=False)

    assert merged(lock_of(1, 1, a=late), lock_of(1, 1, a=ONCE)) == lock_of(1, 1, a=ONCE)


def test_tightening_lowers_counts_and_drops_shapes_that_were_not_seen() -> None:
    found = tightened(lock_of(9, 9, a=OFTEN, b=OTHER), lock_of(2, 3, a=ONCE))

    assert found == lock_of(2, 3, a=ONCE)


def test_an_endpoint_that_exists_stays_as_it_is_when_new_ones_are_added() -> None:
    assert with_new(lock_of(1, 1, a=ONCE), lock_of(4, 4, a=OFTEN)) == lock_of(1, 1, a=ONCE)


def test_tightening_keeps_a_count_below_what_was_seen() -> None:
    more = ShapeCount("SELECT a", 3, grows=False)

    assert tightened(lock_of(3, 3, a=ONCE), lock_of(3, 3, a=more)) == lock_of(3, 3, a=ONCE)


def test_tightening_never_says_of_a_statement_that_it_grows() -> None:
    growing = ShapeCount("SELECT a", 1, grows=True)

    assert tightened(lock_of(1, 1, a=ONCE), lock_of(1, 1, a=growing)) == lock_of(1, 1, a=ONCE)


def test_tightening_says_of_a_statement_that_it_grows_no_more() -> None:
    assert tightened(lock_of(3, 3, a=OFTEN), lock_of(3, 3, a=ONCE)) == lock_of(3, 3, a=ONCE)


def test_raising_lowers_nothing_and_adds_what_is_new() -> None:
    seen = QueryLock(
        {"postgresql": {USERS: EndpointCounts(1, 5), "GET /new": EndpointCounts(1, 1)}}
    )

    found = raised(lock_of(3, 3, a=OFTEN), seen).dialects["postgresql"]

    assert found == {USERS: EndpointCounts(3, 5, {"a": OFTEN}), "GET /new": EndpointCounts(1, 1)}


def test_tightening_adds_no_shape() -> None:
    assert tightened(lock_of(3, 3, a=ONCE), lock_of(2, 2, a=ONCE, b=OTHER)) == lock_of(2, 2, a=ONCE)


def test_tightening_drops_endpoints_that_were_not_seen() -> None:
    lock = QueryLock(
        {"postgresql": {USERS: EndpointCounts(1, 1), "GET /old": EndpointCounts(1, 1)}}
    )

    assert tightened(lock, lock_of(1, 1)) == lock_of(1, 1)


def test_a_dialect_that_was_not_seen_stays_as_it_is() -> None:
    sqlite = QueryLock({"sqlite": {USERS: EndpointCounts(1, 1)}})

    assert tightened(lock_of(5, 5), sqlite) == lock_of(5, 5)
    assert (
        replaced(lock_of(5, 5), sqlite).dialects["postgresql"]
        == lock_of(5, 5).dialects["postgresql"]
    )
    assert set(with_new(lock_of(5, 5), sqlite).dialects) == {"postgresql", "sqlite"}


def test_replacing_also_lowers_and_drops() -> None:
    assert replaced(lock_of(9, 9, a=OFTEN, b=OTHER), lock_of(1, 1, a=ONCE)) == lock_of(1, 1, a=ONCE)


def test_nothing_merged_is_an_empty_lock() -> None:
    assert merged() == QueryLock()
