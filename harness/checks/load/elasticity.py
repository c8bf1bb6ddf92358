"""What more connections bring: the elasticity of throughput in the size of the pool.

The one reading of a sweep that held on known capacities: where more connections serve more requests
it stays near 1, and it falls below one half at the size that the database can work on at once (2, 4
and 8 keys [measured]). Little's law on the same figures says at every size that the size is right,
since rate times hold time *is* the number of connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.capture.windows import LoadWindow
from harness.checks.load.figures import pool_capacity, rate
from harness.checks.load.knee import USEFUL_ELASTICITY, knee_of, smoothed_elasticity
from harness.checks.load.validity import invalid

__all__ = ["Elasticity", "elasticity", "unusable"]

_SMALLEST_STEP = 2.0
"""Between two sizes that are compared: the noise of a slice (15 % each) shifts the elasticity of a
step of two by 0.4 at most, and that of a smaller step by more than there is to see."""
_FEWEST_SIZES = 3
"""Below, there is no bend to see."""


@dataclass(frozen=True, slots=True)
class Elasticity:
    """How throughput answers to the size of the pool, between two sizes."""

    value: float
    """Change of the logarithm of the rate over that of the size: 1 where twice is twice."""
    smaller: int
    larger: int

    @property
    def is_useful(self) -> bool:
        """Whether the larger pool was worth having."""
        return self.value >= USEFUL_ELASTICITY

    def __str__(self) -> str:
        return f"{self.value:.2f} from {self.smaller} to {self.larger} connections"


def elasticity(window: LoadWindow, others: Sequence[LoadWindow]) -> Elasticity | None:
    """What a larger pool than this window's would bring; if none was tried, what it brought itself.

    Args:
        window: Its pool is the one in question.
        others: The same load on pools of other sizes; unusable windows are left out.

    Returns:
        None without a usable window of a pool at least twice, or at most half, as large; a sweep
        whose knee is smaller than this pool needs no such window.
    """
    size, rates = pool_capacity(window), _rates_by_size([window, *others])
    if size not in rates:
        return None
    larger = [item for item in rates if item >= size * _SMALLEST_STEP]
    if larger:
        return _between(rates, size, min(larger))
    smaller = [item for item in rates if item * _SMALLEST_STEP <= size]
    # A step across the knee is half gain and half nothing: 4 to 15 would hide the knee at 8.
    knee = knee_of(rates) if len(rates) >= _FEWEST_SIZES else None
    if knee is not None and knee < size:
        smaller.append(knee)
    return _between(rates, max(smaller), size) if smaller else None


def unusable(window: LoadWindow) -> str:
    """Why the rate of a window says nothing of its pool's size; empty if it does."""
    if why := invalid(window):
        return why
    size = pool_capacity(window)
    if not size:
        return "its pool has no bound"
    if window.client.target_rate is not None:
        return "its arrivals were scheduled, so that its rate is the generator's"
    if window.client.users < size * window.processes:
        return f"{window.client.users} users cannot fill {window.processes} x {size} connections"
    return ""


def _rates_by_size(windows: Sequence[LoadWindow]) -> dict[int, float]:
    rates: dict[int, list[float]] = {}
    for window in windows:
        if not unusable(window):
            rates.setdefault(pool_capacity(window), []).append(rate(window))
    return {size: median(values) for size, values in rates.items()}


def _between(rates: dict[int, float], smaller: int, larger: int) -> Elasticity:
    return Elasticity(smoothed_elasticity(rates, smaller, larger), smaller, larger)
