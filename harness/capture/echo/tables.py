"""The tables of a tally, bounded: a log has millions of requests and a report a page.

Counts in total are exact whatever happens here. What is given up beyond the bounds is the name of
a small tag and the text of a rare shape.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from harness.capture.echo.tally import Repeat, ShapeCount, TagCount, Units
from harness.capture.echo.windows import Window
from harness.capture.fingerprint import Fingerprint

__all__ = ["ShapeTable", "TagTable"]

_MOST_SHAPES = 5000
_MOST_TAGS = 5000
_MOST_LISTED = 1000
_NEVER = Repeat(0, 0, "", is_shared=False)


@dataclass(slots=True)
class _Shape:
    shape: Fingerprint
    statements: int = 0
    round_trips: int = 0
    repeat: Repeat = _NEVER
    repeating: int = 0


@dataclass(slots=True)
class ShapeTable:
    """Counts by shape.

    Args:
        repeats_from: What counts as a repetition within one transaction.
    """

    repeats_from: int
    unlisted: int = 0
    _shapes: dict[str, _Shape] = field(default_factory=dict)

    def add(self, shape: Fingerprint, *, is_statement: bool) -> None:
        """Count a round trip, and the statement that it begins."""
        entry = self._shapes.get(shape.id)
        if entry is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self.unlisted += is_statement
                return
            entry = self._shapes[shape.id] = _Shape(shape)
        entry.round_trips += 1
        entry.statements += is_statement

    def close(self, window: Window, tag: str) -> None:
        """Remember what a finished transaction repeated."""
        for shape_id, times in window.times.items():
            entry = self._shapes.get(shape_id)
            if entry is None:
                continue
            entry.repeating += times >= self.repeats_from
            # What is certain goes before what several transactions ran together.
            if (not window.is_shared, times) > (not entry.repeat.is_shared, entry.repeat.times):
                entry.repeat = Repeat(times, window.runs[shape_id], tag, is_shared=window.is_shared)

    def copy(self) -> ShapeTable:
        """A table that can go on without changing this one."""
        shapes = {key: replace(entry) for key, entry in self._shapes.items()}
        return ShapeTable(self.repeats_from, self.unlisted, shapes)

    def counts(self) -> tuple[ShapeCount, ...]:
        """The table, most statements first."""
        entries = sorted(
            self._shapes.values(), key=lambda each: (-each.statements, each.shape.text)
        )
        return tuple(
            ShapeCount(
                entry.shape, entry.statements, entry.round_trips, entry.repeat, entry.repeating
            )
            for entry in entries
        )


@dataclass(slots=True)
class _Tag:
    name: str
    statements: int = 0
    round_trips: int = 0
    transactions: int = 0
    window: Window = field(default_factory=Window)
    texts: dict[str, Fingerprint] = field(default_factory=dict)

    def count(self) -> TagCount:
        [(shape_id, times)] = self.window.times.most_common(1) or [("", 0)]
        shape = self.texts.get(shape_id) if times > 1 else None
        return TagCount(
            self.name, self.statements, self.round_trips, self.transactions, shape, times
        )


@dataclass(slots=True)
class TagTable:
    """Counts by tag. A tag that has long been silent is taken for finished."""

    _active: OrderedDict[str, _Tag] = field(default_factory=OrderedDict)
    _largest: list[tuple[int, int, TagCount]] = field(default_factory=list)
    _finished: Counter[int] = field(default_factory=Counter)
    _sequence: int = 0

    def begin(self, tag: str) -> None:
        """Count a transaction."""
        self._entry(tag).transactions += 1

    def add(self, tag: str, shape: Fingerprint, *, is_statement: bool) -> None:
        """Count a round trip, and the statement that it begins."""
        entry = self._entry(tag)
        entry.round_trips += 1
        if is_statement:
            entry.statements += 1
            entry.window.add(shape.id)
            if shape.id in entry.window.times:
                entry.texts[shape.id] = shape

    def units(self) -> Units:
        """How many tags ran how many statements."""
        return Units(self._finished + Counter(each.statements for each in self._active.values()))

    def counts(self) -> tuple[TagCount, ...]:
        """The largest tags."""
        every = [*(count for _, _, count in self._largest), *self._open_counts()]
        every.sort(key=lambda count: (-count.statements, count.tag))
        return tuple(every[:_MOST_LISTED])

    def _open_counts(self) -> Iterable[TagCount]:
        return (entry.count() for entry in self._active.values())

    def _entry(self, tag: str) -> _Tag:
        entry = self._active.get(tag)
        if entry is None:
            entry = self._active[tag] = _Tag(tag)
            if len(self._active) > _MOST_TAGS:
                self._finish(self._active.popitem(last=False)[1])
        else:
            self._active.move_to_end(tag)
        return entry

    def _finish(self, entry: _Tag) -> None:
        self._finished[entry.statements] += 1
        self._sequence += 1
        item = (entry.statements, self._sequence, entry.count())
        if len(self._largest) < _MOST_LISTED:
            heapq.heappush(self._largest, item)
        else:
            heapq.heappushpop(self._largest, item)
