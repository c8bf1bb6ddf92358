"""Two locks that grew out of one: what a merge of two branches makes of them.

A module beside the maximum of several locks because it answers another question: the maximum of two
branches would undo what one of them tightened, since the other still has the old, higher count.
Nothing is added up: where both branches added a statement to one endpoint, the merged lock is too
low, and the next check says so, which is better than a lock that allows what nobody has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount

__all__ = ["merged_onto"]

Value = TypeVar("Value")


def merged_onto(base: QueryLock, ours: QueryLock, theirs: QueryLock) -> QueryLock:
    """What only one side changed is as that side has it; what both changed is the higher.

    Args:
        base: The lock that both come from; an empty one where there was none.
        ours: One side.
        theirs: The other side; the two can be exchanged.
    """
    dialects = _each_key(base.dialects, ours.dialects, theirs.dialects, _dialect)
    return QueryLock({name: endpoints for name, endpoints in dialects.items() if endpoints})


def _each_key(
    base: Mapping[str, Value],
    ours: Mapping[str, Value],
    theirs: Mapping[str, Value],
    merge: Callable[[Value | None, Value | None, Value | None], Value | None],
) -> dict[str, Value]:
    keys = sorted({*ours, *theirs})
    results = ((key, merge(base.get(key), ours.get(key), theirs.get(key))) for key in keys)
    return {key: value for key, value in results if value is not None}


Endpoints = Mapping[str, EndpointCounts]


def _dialect(
    base: Endpoints | None, ours: Endpoints | None, theirs: Endpoints | None
) -> Endpoints | None:
    return _each_key(base or {}, ours or {}, theirs or {}, _endpoint)


def _endpoint(
    base: EndpointCounts | None, ours: EndpointCounts | None, theirs: EndpointCounts | None
) -> EndpointCounts | None:
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    if ours is None or theirs is None:  # gone on one side, changed on the other: it is still there
        return ours or theirs
    start = base or EndpointCounts(0, 0)
    shapes = _each_key(start.shapes, ours.shapes, theirs.shapes, _shape)
    fewest = max((shape.most for shape in shapes.values()), default=0)
    # One side's lower total does not hold where the other side's statement alone is above it.
    statements = max(_number(start.statements, ours.statements, theirs.statements), fewest)
    round_trips = max(_number(start.round_trips, ours.round_trips, theirs.round_trips), statements)
    return EndpointCounts(statements, round_trips, shapes)


def _shape(
    base: ShapeCount | None, ours: ShapeCount | None, theirs: ShapeCount | None
) -> ShapeCount | None:
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    if ours is None or theirs is None:
        return ours or theirs
    start = base or ShapeCount("", 0, grows=False)
    text = min((ours.text, theirs.text))
    most = _number(start.most, ours.most, theirs.most)
    grows = ours.grows or theirs.grows
    return ShapeCount(text, most, grows=grows)


def _number(base: int, *sides: int) -> int:
    return max(_changed(base, sides), default=base)


def _changed(base: int, sides: Iterable[int]) -> tuple[int, ...]:
    return tuple(side for side in sides if side != base)
