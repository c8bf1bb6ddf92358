"""More statements than the lock allows: two sets of counts, and what changed from one to the other.

Whatever the lock has a maximum for is held: each statement, the statements and the round trips of
a request, and whether a statement grows with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount

__all__ = ["Change", "EndpointChange", "ShapeChange", "compared"]


class Change(StrEnum):
    """What became of an endpoint."""

    NEW = "new"
    """It was not there before."""
    REGRESSION = "regression"
    """Something became more, whatever else became less."""
    IMPROVEMENT = "improvement"
    """Something became less and nothing more."""
    GONE = "gone"
    """It is not there any more."""


@dataclass(frozen=True, slots=True)
class ShapeChange:
    """One statement that ran more often or less often than before."""

    id: str
    text: str
    before: int
    """Executions in one request at most; 0 where it is new."""
    after: int
    """0 where it is gone."""
    has_begun_to_grow: bool
    """Whether it grows with the rows, which it did not before."""
    has_stopped_growing: bool = False
    """Whether it does not grow any more, and still is there."""

    @property
    def is_worse(self) -> bool:
        """Whether there is more of it."""
        return self.after > self.before or self.has_begun_to_grow


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """One endpoint on one dialect whose counts differ."""

    dialect: str
    endpoint: str
    """As in the lock."""
    change: Change
    before: EndpointCounts | None
    after: EndpointCounts | None
    shapes: tuple[ShapeChange, ...]
    """What differs: worse ones first, then by text."""


def compared(before: QueryLock, after: QueryLock) -> tuple[EndpointChange, ...]:
    """What changed, by dialect and endpoint; what is equal is left out.

    How a statement is written does not count: its id says which one it is.
    """
    changes = (
        _endpoint_change(
            dialect,
            endpoint,
            _counts(before, dialect).get(endpoint),
            _counts(after, dialect).get(endpoint),
        )
        for dialect in sorted({*before.dialects, *after.dialects})
        for endpoint in sorted({*_counts(before, dialect), *_counts(after, dialect)})
    )
    return tuple(change for change in changes if change is not None)


def _counts(lock: QueryLock, dialect: str) -> Mapping[str, EndpointCounts]:
    return lock.dialects.get(dialect, {})


def _endpoint_change(
    dialect: str, endpoint: str, before: EndpointCounts | None, after: EndpointCounts | None
) -> EndpointChange | None:
    changes = _shape_changes(before.shapes if before else {}, after.shapes if after else {})
    shapes = tuple(sorted(changes, key=lambda shape: (not shape.is_worse, shape.text, shape.id)))
    change = _change(before, after, shapes)
    if change is None:
        return None
    return EndpointChange(dialect, endpoint, change, before, after, shapes)


def _change(
    before: EndpointCounts | None, after: EndpointCounts | None, shapes: tuple[ShapeChange, ...]
) -> Change | None:
    if before is None:
        return Change.NEW
    if after is None:
        return Change.GONE
    totals = (before.statements, before.round_trips), (after.statements, after.round_trips)
    if any(shape.is_worse for shape in shapes) or any(
        now > then for then, now in zip(*totals, strict=True)
    ):
        return Change.REGRESSION
    return Change.IMPROVEMENT if shapes or totals[0] != totals[1] else None


def _shape_changes(
    before: Mapping[str, ShapeCount], after: Mapping[str, ShapeCount]
) -> Iterator[ShapeChange]:
    for id_ in {*before, *after}:
        old, new = before.get(id_), after.get(id_)
        change = ShapeChange(
            id=id_,
            text=new.text if new else before[id_].text,
            before=old.most if old else 0,
            after=new.most if new else 0,
            has_begun_to_grow=_grows(new) and not _grows(old),
            has_stopped_growing=new is not None and _grows(old) and not new.grows,
        )
        if change.is_worse or change.after < change.before or change.has_stopped_growing:
            yield change


def _grows(shape: ShapeCount | None) -> bool:
    return shape is not None and shape.grows
