"""What ``harness lock diff`` tells: finished data that every format of it takes as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.checks.regression import Change, EndpointChange, ShapeChange
from harness.report.quantities import counted, grouped
from harness.report.query_lines import cut_sql

__all__ = ["LockDiff", "change_counts", "shape_line"]


@dataclass(frozen=True, slots=True)
class LockDiff:
    """Two sets of counts, and what changed from the first to the second."""

    before: str
    """The name of the first file."""
    after: str
    dialects: tuple[str, ...]
    """What both have counts of: only these were compared."""
    changes: tuple[EndpointChange, ...]
    notes: tuple[str, ...] = ()
    """What was not compared, and which run was not a complete one."""

    def of(self, change: Change) -> tuple[EndpointChange, ...]:
        """The endpoints that this became of."""
        return tuple(each for each in self.changes if each.change is change)

    @property
    def has_regressed(self) -> bool:
        """Whether something became more; a new endpoint has nothing to be more than."""
        return bool(self.of(Change.REGRESSION))


_NOUNS = {
    Change.REGRESSION: "regression",
    Change.IMPROVEMENT: "improvement",
    Change.NEW: "new endpoint",
    Change.GONE: "endpoint gone",
}


def change_counts(changes: Iterable[EndpointChange]) -> str:
    """``1 regression, 2 new endpoints``; ``no endpoint changed`` where there is none."""
    found = [each.change for each in changes]
    told = [_told(change, found.count(change)) for change in _NOUNS if change in found]
    return ", ".join(told) or "no endpoint changed"


def _told(change: Change, number: int) -> str:
    noun = _NOUNS[change]
    if change is Change.GONE and number > 1:
        return f"{number} endpoints gone"
    return counted(number, noun)


def shape_line(shape: ShapeChange, *, width: int) -> str:
    """``+12  SELECT ... WHERE posts.user_id = ?  (0 -> 12, grows with the rows)``."""
    # A diff is coloured by its first letter: what only began to grow is more, too.
    sign = "+" if shape.is_worse else "-"
    start = f"{sign}{grouped(abs(shape.after - shape.before))}  "
    end = f"  ({grouped(shape.before)} -> {grouped(shape.after)}{_growth(shape)})"
    return f"{start}{cut_sql(shape.text, width - len(start) - len(end))}{end}"


def _growth(shape: ShapeChange) -> str:
    if shape.has_begun_to_grow:
        return ", grows with the rows"
    return ", grows no longer" if shape.has_stopped_growing else ""
