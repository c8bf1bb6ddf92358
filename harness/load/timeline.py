"""What was answered second by second, in bounded memory however long a load runs.

A module of its own because its resolution follows the run: past its longest length two neighbours
become one, so that a soak of a day costs no more than a run of a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.capture.histogram import Histogram

__all__ = ["MOST_SPANS", "Moment", "Timeline"]

MOST_SPANS = 900
"""A quarter of an hour in seconds, 1 MB of counts; a longer run is told in steps of 2 s, 4 s, …"""


@dataclass(frozen=True, slots=True)
class Moment:
    """A second of the load, or a few where the run is long."""

    start_seconds: float
    """After the start of the load."""
    seconds: float
    good: int
    failed: int
    p95_seconds: float
    """Of all answers that came in it; 0.0 without any."""


@dataclass(slots=True, eq=False)
class _Span:
    good: int = 0
    failed: int = 0
    latency: Histogram = field(default_factory=Histogram)

    def merge(self, other: _Span) -> None:
        self.good += other.good
        self.failed += other.failed
        self.latency.merge(other.latency)


@dataclass(slots=True, eq=False)
class Timeline:
    """Counts by the second in which the answer came."""

    width_seconds: int = 1
    _spans: dict[int, _Span] = field(default_factory=dict)

    def add(self, at_seconds: float, seconds: float, *, is_good: bool) -> None:
        """Count an answer.

        Args:
            at_seconds: When it came, after the start of the load.
            seconds: How long it took.
            is_good: Whether it was one that counts as throughput.
        """
        span = self._span(int(at_seconds // self.width_seconds))
        span.latency.add(seconds)
        if is_good:
            span.good += 1
        else:
            span.failed += 1

    def merge(self, other: Timeline, *, shift_seconds: int = 0) -> None:
        """Add what another process counted.

        Args:
            other: Its counts; may be made coarser by this.
            shift_seconds: How much later than this one its clock began.
        """
        while other.width_seconds < self.width_seconds:
            other._coarsen()
        while self.width_seconds < other.width_seconds:
            self._coarsen()
        for index, span in other._spans.items():
            start = index * other.width_seconds + shift_seconds
            self._span(start // self.width_seconds).merge(span)

    def moments(self) -> tuple[Moment, ...]:
        """From the start to the last answer, seconds without any included."""
        last = max(self._spans, default=-1)
        return tuple(self._moment(index) for index in range(last + 1))

    def rates(self, seconds: float) -> tuple[float, ...]:
        """Good answers a second, in each span that lies whole within the first seconds."""
        whole = int(seconds // self.width_seconds)
        spans = (self._spans.get(index) for index in range(min(whole, MOST_SPANS)))
        return tuple((span.good if span else 0) / self.width_seconds for span in spans)

    def as_json(self) -> dict[str, Any]:
        """Mergeable form; seconds without an answer are left out."""
        spans = {
            str(index): [span.good, span.failed, span.latency.as_json()]
            for index, span in self._spans.items()
        }
        return {"width_seconds": self.width_seconds, "spans": spans}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Timeline:
        """The inverse of `as_json`."""
        return cls(
            data["width_seconds"],
            {
                int(index): _Span(span[0], span[1], Histogram.from_json(span[2]))
                for index, span in data["spans"].items()
            },
        )

    def _span(self, index: int) -> _Span:
        index = max(0, index)
        while index >= MOST_SPANS:
            self._coarsen()
            index //= 2
        span = self._spans.get(index)
        if span is None:
            span = self._spans[index] = _Span()
        return span

    def _coarsen(self) -> None:
        spans: dict[int, _Span] = {}
        for index, span in self._spans.items():
            if (half := index // 2) in spans:
                spans[half].merge(span)
            else:
                spans[half] = span
        self._spans = spans
        self.width_seconds *= 2

    def _moment(self, index: int) -> Moment:
        span = self._spans.get(index) or _Span()
        return Moment(
            start_seconds=float(index * self.width_seconds),
            seconds=float(self.width_seconds),
            good=span.good,
            failed=span.failed,
            p95_seconds=span.latency.percentile(0.95),
        )
