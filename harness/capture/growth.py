"""What has grown between two readings of one part of the probe's status.

A module of its own because a process, a pool and a route are all read alike: counts and histograms
are subtracted, and a peak is the highest level that was reached meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.capture.histogram import Histogram
from harness.findings import SourceLine

__all__ = ["Growth", "Json", "source_line"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Growth:
    """One part of a status, read twice; see ``docs/reference/status.md`` for the fields."""

    after: Json
    before: Json
    """Empty for what was not there then: it counts from nothing."""

    @property
    def is_still(self) -> bool:
        """Whether nothing has happened to it."""
        return self.after == self.before

    def count(self, name: str) -> int:
        """By how many a number has grown."""
        return int(self.after[name]) - int(self.before.get(name, 0))

    def seconds(self, name: str) -> float:
        """By how much a sum of durations has grown."""
        return float(self.after[name]) - float(self.before.get(name, 0.0))

    def histogram(self, name: str) -> Histogram:
        """The durations that were added."""
        histogram = Histogram.from_json(self.after[name])
        earlier = self.before.get(name)
        return histogram if earlier is None else histogram.since(Histogram.from_json(earlier))

    def counts(self, name: str) -> dict[str, int]:
        """By key the numbers that have grown."""
        earlier = self.before.get(name, {})
        grown = {key: count - earlier.get(key, 0) for key, count in self.after[name].items()}
        return {key: count for key, count in grown.items() if count}

    def peak(self, name: str, *, now: str = "") -> int:
        """The highest level that was reached, or that there was at the beginning.

        Levels are counted as they are reached: those who waited already, and went on waiting while
        nobody joined them, show in the first reading alone.

        Args:
            name: Counts by level.
            now: The level at the moment of a reading; empty where none is told.
        """
        return max([int(self.before.get(now, 0)), *map(int, self.counts(name))])

    def part(self, name: str) -> Growth:
        """What it has under a name; it may have had nothing there before."""
        return Growth(self.after[name], self.before.get(name) or {})

    def parts(self) -> Iterator[tuple[str, Growth]]:
        """Each of what it has by name."""
        for name in self.after:
            yield name, self.part(name)


def source_line(told: Json | None) -> SourceLine | None:
    """A line of code from its place."""
    return SourceLine(told["path"], told["line"], told["function"]) if told else None
