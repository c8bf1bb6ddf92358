"""Whether a figure grows from stretch to stretch, by ranks alone.

A line through the means would follow the one stretch in which a neighbour was busy. The slope of
Theil (1950) and Sen (1968) is the median of the slopes of all pairs: up to 29 % of the points may
be anything. Whether it is a trend at all, the pairs say that rise (Mann 1945, Kendall 1948).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

__all__ = ["FEWEST_POINTS", "Trend", "trend_of"]

FEWEST_POINTS = 4
"""Of four points without a trend, one series in 24 rises from each to the next; of three, one in
six."""
_RISING_PAIRS = 0.9
"""Of four points all of the 6 pairs. Of eight 26 of 28, which one series in 300 without a trend
reaches."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What a series of points has in common."""

    slope: float
    """Median over all pairs: growth for each unit of the other axis."""
    rising_share: float
    """Of the pairs, those whose later point is higher (0 to 1)."""
    growth: float
    """From the first point to the last, along the slope."""

    @property
    def is_rising(self) -> bool:
        """Whether this is hardly chance."""
        return self.rising_share >= _RISING_PAIRS


def trend_of(points: Sequence[tuple[float, float]]) -> Trend | None:
    """The trend of points whose first coordinates ascend; None of fewer than `FEWEST_POINTS`."""
    if len(points) < FEWEST_POINTS:
        return None
    pairs = [(before, after) for before, after in combinations(points, 2) if after[0] > before[0]]
    if not pairs:
        return None
    slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairs]
    slope = median(slopes)
    rising = sum(one > 0 for one in slopes) / len(slopes)
    return Trend(slope, rising, slope * (points[-1][0] - points[0][0]))
