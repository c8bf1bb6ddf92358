"""Durations in buckets whose width grows with the value: small, mergeable, exact in count.

Four buckets per doubling: a percentile read from one is at most 19 % (2^¼ - 1) too high, from a
microsecond to a quarter of an hour, whatever the load.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf

from harness.capture.traffic import Distribution

__all__ = ["Histogram"]

_SMALLEST_SECONDS = 1e-6
_PER_DOUBLING = 4
_BUCKETS = 120
_BOUNDS = tuple(_SMALLEST_SECONDS * 2.0 ** (index / _PER_DOUBLING) for index in range(_BUCKETS - 1))
"""Where each bucket but the last ends: to look one up takes half as long as a logarithm."""
_ENDS = (*_BOUNDS, inf)


@dataclass(slots=True, eq=False)
class Histogram:
    """A histogram of seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    """Bucket *i* ends at ``1e-6 * 2 ** (i / 4)`` seconds; the last takes everything longer."""
    sum_seconds: float = 0.0
    max_seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(_BOUNDS, seconds)] += 1
        self._add(seconds, seconds)

    def add_all(self, durations_seconds: Iterable[float]) -> None:
        """Count many durations, for half of what each takes alone: they fill few buckets."""
        ordered = sorted(durations_seconds)
        begin, index = 0, 0
        while begin < len(ordered):
            index = bisect_left(_BOUNDS, ordered[begin], index)
            end = bisect_right(ordered, _ENDS[index], begin)
            self.counts[index] += end - begin
            begin = end
        if ordered:
            self._add(sum(ordered), ordered[-1])

    def _add(self, sum_seconds: float, longest_seconds: float) -> None:
        """Without a call: another thread may take its turn at one, and its sum would be lost."""
        self.sum_seconds += sum_seconds
        if longest_seconds > self.max_seconds:  # noqa: PLR1730 - see above
            self.max_seconds = longest_seconds

    def merge(self, other: Histogram) -> None:
        """Add what another one counted."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.sum_seconds += other.sum_seconds
        self.max_seconds = max(self.max_seconds, other.max_seconds)

    def since(self, earlier: Histogram) -> Histogram:
        """What was counted after an earlier reading of this histogram.

        Counts and sum are exact. So is the longest duration where none was longer before; else it
        is where its bucket ends.
        """
        grown = [now - then for now, then in zip(self.counts, earlier.counts, strict=True)]
        longest = min(self.max_seconds, _end_of_last_used(grown))
        return Histogram(grown, self.sum_seconds - earlier.sum_seconds, longest)

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    def percentile(self, share: float) -> float:
        """Upper bound, in seconds, of the bucket that holds a share (0 to 1) of the durations."""
        wanted = ceil(self.count * share)
        seen = 0
        for index, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min(_bound(index), self.max_seconds)
        return 0.0

    def distribution(self) -> Distribution:
        """The figures that reports show."""
        used = [index for index, count in enumerate(self.counts) if count]
        span = range(used[0], used[-1] + 1) if used else range(0)
        return Distribution(
            count=self.count,
            mean_seconds=self.sum_seconds / self.count if self.count else 0.0,
            p50_seconds=self.percentile(0.50),
            p95_seconds=self.percentile(0.95),
            p99_seconds=self.percentile(0.99),
            max_seconds=self.max_seconds,
            bounds_seconds=tuple(_bound(index) for index in span),
            counts=tuple(self.counts[index] for index in span),
        )

    def as_json(self) -> dict[str, object]:
        """Mergeable form: counts by bucket index, empty buckets left out."""
        return {
            "counts": {str(index): count for index, count in enumerate(self.counts) if count},
            "sum_seconds": self.sum_seconds,
            "max_seconds": self.max_seconds,
        }

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Histogram:
        """The inverse of `as_json`."""
        histogram = cls(
            sum_seconds=float(str(data["sum_seconds"])), max_seconds=float(str(data["max_seconds"]))
        )
        counts = data["counts"]
        if isinstance(counts, dict):
            for index, count in counts.items():
                histogram.counts[int(index)] = count
        return histogram


def _end_of_last_used(counts: Sequence[int]) -> float:
    """Nothing ends the last of all buckets; without a count it is 0."""
    last = max((index for index, count in enumerate(counts) if count), default=None)
    if last is None:
        return 0.0
    return _bound(last) if last < _BUCKETS - 1 else inf


def _bound(index: int) -> float:
    return float(_SMALLEST_SECONDS * 2 ** (index / _PER_DOUBLING))
