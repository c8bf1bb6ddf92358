"""Two branches' locks merged onto the one that both come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.file import from_text, to_text
from harness.lock.merging import merged
from harness.lock.three_way import merged_onto


def counts(statements: int, **shapes: int) -> EndpointCounts:
    found = {name: ShapeCount(f"SELECT {name}", most, grows=False) for name, most in shapes.items()}
    return EndpointCounts(statements, statements, found)


def lock_of(**endpoints: EndpointCounts) -> QueryLock:
    return QueryLock({"postgresql": dict(endpoints)}) if endpoints else QueryLock()


BASE = lock_of(users=counts(14, a=2, b=12), posts=counts(3, c=3))
TIGHTENED = lock_of(users=counts(2, a=2), posts=counts(3, c=3))
RAISED = lock_of(users=counts(15, a=2, b=13), posts=counts(3, c=3))


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (
            lock_of(users=counts(14, a=2, b=12), posts=counts(4, c=3, d=1)),
            lock_of(users=counts(2, a=2), posts=counts(4, c=3, d=1)),
        ),
        (lock_of(users=counts(14, a=2, b=12)), lock_of(users=counts(2, a=2))),
        (
            lock_of(users=counts(15, a=2, b=12, d=1), posts=counts(3, c=3)),
            lock_of(users=counts(15, a=2, d=1), posts=counts(3, c=3)),
        ),
        (RAISED, lock_of(users=counts(15, a=2, b=13), posts=counts(3, c=3))),
        (lock_of(posts=counts(3, c=3)), lock_of(users=counts(2, a=2), posts=counts(3, c=3))),
    ],
    ids=[
        "what the other raised elsewhere is raised",
        "what the other removed is gone",
        "a statement that the other added is there",
        "where both differ the higher stays",
        "what one changed is not removed by the other",
    ],
)
def test_beside_what_one_branch_tightened(theirs: QueryLock, expected: QueryLock) -> None:
    assert merged_onto(BASE, TIGHTENED, theirs) == expected


def test_a_lower_total_gives_way_to_the_others_statement_alone() -> None:
    theirs = lock_of(users=counts(14, a=2, b=14))

    result = merged_onto(BASE, lock_of(users=counts(2, a=2), posts=counts(3, c=3)), theirs)

    told = result.dialects["postgresql"]["users"]
    assert (told.statements, told.round_trips, told.shapes["b"].most) == (14, 14, 14)


def test_without_a_common_start_everything_is_the_higher() -> None:
    assert merged_onto(QueryLock(), TIGHTENED, RAISED) == merged(TIGHTENED, RAISED)


_SHAPES = st.builds(
    ShapeCount, text=st.sampled_from(["x", "y"]), most=st.integers(1, 3), grows=st.booleans()
)
_COUNTS = st.builds(
    EndpointCounts,
    statements=st.integers(3, 6),
    round_trips=st.integers(6, 9),
    shapes=st.dictionaries(st.sampled_from("ab"), _SHAPES),
)
_ENDPOINTS = st.dictionaries(st.sampled_from(["u", "v"]), _COUNTS, min_size=1)
_LOCKS = st.builds(QueryLock, dialects=st.dictionaries(st.sampled_from(["pg", "lite"]), _ENDPOINTS))


@given(base=_LOCKS, ours=_LOCKS, theirs=_LOCKS)
def test_the_sides_can_be_exchanged_and_the_result_is_a_lock(
    base: QueryLock, ours: QueryLock, theirs: QueryLock
) -> None:
    result = merged_onto(base, ours, theirs)

    assert result == merged_onto(base, theirs, ours)
    assert from_text(to_text(result), where="x") == result


@given(base=_LOCKS, ours=_LOCKS)
def test_what_one_side_changed_alone_is_as_that_side_has_it(
    base: QueryLock, ours: QueryLock
) -> None:
    assert merged_onto(base, ours, base) == ours
    assert merged_onto(base, ours, ours) == ours
