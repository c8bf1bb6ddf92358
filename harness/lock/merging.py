"""Locks put together: by maximum, or as one of the modes of a test run changes what is committed.

All of them are functions of two sets of counts and nothing else. `merged` is associative,
commutative and idempotent, so it does not matter which worker, test or branch came first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount

__all__ = ["merged", "raised", "replaced", "tightened", "with_new"]

_T = TypeVar("_T")


def merged(*locks: QueryLock) -> QueryLock:
    """What all of them allow: the maximum of everything.

    Where the text of a shape differs, the smaller one in order stays.
    """
    return QueryLock(
        _joined(
            (lock.dialects for lock in locks),
            lambda dialects: _joined(dialects, _most_of_endpoint),
        )
    )


def with_new(lock: QueryLock, seen: QueryLock) -> QueryLock:
    """The lock with the endpoints that it lacks; what it has stays as it is."""
    dialects = {
        dialect: {**endpoints, **lock.dialects.get(dialect, {})}
        for dialect, endpoints in seen.dialects.items()
    }
    return QueryLock({**lock.dialects, **dialects})


def tightened(lock: QueryLock, seen: QueryLock) -> QueryLock:
    """The lock, lowered to what was seen of it, and without what was not seen.

    Nothing is added or raised. Dialects that were not seen at all stay as they are.
    """
    return QueryLock(
        {
            dialect: _in_both(endpoints, seen.dialects.get(dialect, endpoints), _least_of_endpoint)
            for dialect, endpoints in lock.dialects.items()
        }
    )


def replaced(lock: QueryLock, seen: QueryLock) -> QueryLock:
    """The dialects that were seen as they were seen; others stay."""
    return QueryLock({**lock.dialects, **seen.dialects})


def raised(lock: QueryLock, seen: QueryLock) -> QueryLock:
    """The lock, raised to what was seen; what was not seen stays, and nothing becomes less.

    The same as `merged`, under the name of what a partial run may do.
    """
    return merged(lock, seen)


def _most_of_endpoint(every: list[EndpointCounts]) -> EndpointCounts:
    return EndpointCounts(
        statements=max(counts.statements for counts in every),
        round_trips=max(counts.round_trips for counts in every),
        shapes=_joined((counts.shapes for counts in every), _most_of_shape),
    )


def _most_of_shape(every: list[ShapeCount]) -> ShapeCount:
    # One pass: with 1,000 tests it is here that the end of a run spends its time.
    text, most, grows = every[0].text, 0, False
    for shape in every:
        text = min(text, shape.text)
        most = max(most, shape.most)
        grows = grows or shape.grows
    return ShapeCount(text, most, grows)


def _least_of_endpoint(allowed: EndpointCounts, seen: EndpointCounts) -> EndpointCounts:
    return EndpointCounts(
        statements=min(allowed.statements, seen.statements),
        round_trips=min(allowed.round_trips, seen.round_trips),
        shapes=_in_both(allowed.shapes, seen.shapes, _least_of_shape),
    )


def _least_of_shape(allowed: ShapeCount, seen: ShapeCount) -> ShapeCount:
    return ShapeCount(
        text=allowed.text,
        most=min(allowed.most, seen.most),
        grows=allowed.grows and seen.grows,
    )


def _joined(every: Iterable[Mapping[str, _T]], join: Callable[[list[_T]], _T]) -> dict[str, _T]:
    """All keys; what several have under one key is joined."""
    found: dict[str, list[_T]] = {}
    for mapping in every:
        for key, value in mapping.items():
            found.setdefault(key, []).append(value)
    # Most stands in one place only, and 200 endpoints have 1,600 shapes in each of 1,000 tests.
    return {key: values[0] if len(values) == 1 else join(values) for key, values in found.items()}


def _in_both(
    one: Mapping[str, _T], other: Mapping[str, _T], join: Callable[[_T, _T], _T]
) -> dict[str, _T]:
    """The keys that both have."""
    return {key: join(value, other[key]) for key, value in one.items() if key in other}
