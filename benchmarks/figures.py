"""What a series of timings says, on a machine that others use as well.

Every program here measures in rounds, with all candidates in each of them: a disturbance meets all
of them alike, and how far the rounds lie apart says how much to believe.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

__all__ = ["Figures"]

_MILLISECONDS = 1000
_MOST_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """One candidate's timings in seconds, one tuple for each round."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def median(self) -> float:
        """The median of the rounds' medians: one disturbed round does not move it."""
        return statistics.median(self._medians())

    @property
    def least(self) -> float:
        """What a quiet machine would show."""
        return min(self._all())

    @property
    def p95(self) -> float:
        """Nearest rank over all rounds."""
        ordered = sorted(self._all())
        return ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)]

    @property
    def mean(self) -> float:
        """Of all rounds: what a long run costs per test, outliers included."""
        return statistics.fmean(self._all())

    @property
    def spread(self) -> float:
        """How far apart the middle half of the rounds' medians lies, as a share of the median."""
        if len(self.rounds) == 1 or not self.median:
            return 0.0
        lower, _, upper = statistics.quantiles(self._medians(), n=4, method="inclusive")
        return (upper - lower) / self.median

    @property
    def is_steady(self) -> bool:
        """Whether the rounds agree enough for a verdict; a single one has nobody to disagree."""
        return self.spread <= _MOST_SPREAD

    def over(self, floor: Figures) -> float:
        """By how much it is slower: the median of the differences within each round."""
        pairs = zip(self._medians(), floor._medians(), strict=True)
        return statistics.median(mine - other for mine, other in pairs)

    def as_json(self) -> dict[str, float | list[float]]:
        """In milliseconds."""
        return {
            "median_ms": self.median * _MILLISECONDS,
            "min_ms": self.least * _MILLISECONDS,
            "p95_ms": self.p95 * _MILLISECONDS,
            "mean_ms": self.mean * _MILLISECONDS,
            "spread": self.spread,
            "medians_of_rounds_ms": [one * _MILLISECONDS for one in self._medians()],
        }

    def _medians(self) -> list[float]:
        return [statistics.median(one) for one in self.rounds]

    def _all(self) -> list[float]:
        return [seconds for one in self.rounds for seconds in one]
