"""The measured curve of a sweep: what each pool size gave, and where more stopped to help.

A module of its own because report and recommendation both read it, and because it contains no
model: only medians over rounds, and the elasticity between neighbouring sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from harness.capture.windows import LoadWindow
from harness.checks.load.elasticity import unusable
from harness.checks.load.figures import main_pool, pool_capacity, rate
from harness.checks.load.knee import knee_of

__all__ = ["FEWEST_ROUNDS", "Curve", "Round", "SizePoint", "curve_of", "knee_of"]

FEWEST_ROUNDS = 3
"""Valid windows of a size: below, a median is no better than the slice that went wrong."""


_FIGURES = re.compile(r"\d+\.\d+|\d+ %|\d+ a second|\d+ requests?")


@dataclass(frozen=True, slots=True)
class SizePoint:
    """One pool size; medians over its rounds."""

    size: int
    """Connections per process, pool_size and max_overflow together."""
    rounds: int
    rate: float
    """Good answers a second, of all processes."""
    lowest_rate: float
    highest_rate: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    wait_seconds: float
    """Mean."""
    hold_seconds: float
    """Mean."""
    process_cpu: float
    """Of the busiest process."""


@dataclass(frozen=True, slots=True)
class Round:
    """All sizes once."""

    rates: Mapping[int, float]
    hold_seconds: float
    """Mean, of the smallest pool: the one that the loop's queue stretches least."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A sweep over pool sizes, ascending."""

    points: tuple[SizePoint, ...]
    rounds: tuple[Round, ...]
    left_out: tuple[str, ...]
    """Windows and sizes that could not be used, and why."""
    measured: tuple[SizePoint, ...] = ()
    """Every size that answered, with all its windows: to look at, not to judge."""
    windows: Mapping[int, Sequence[LoadWindow]] = field(default_factory=dict)
    """Those of the points, by size."""

    @property
    def processes(self) -> int:
        """Of the application, in the windows of the points; of a curve with a point."""
        return next(window.processes for each in self.windows.values() for window in each)

    @property
    def rates(self) -> dict[int, float]:
        """The median rate of each size."""
        return {point.size: point.rate for point in self.points}

    @property
    def best(self) -> SizePoint:
        """The size that served most; of a curve with a point."""
        return max(self.points, key=lambda point: point.rate)


def curve_of(sweep: Sequence[LoadWindow]) -> Curve:
    """Gather the windows of a sweep by pool size; the n-th of a size belongs to round n."""
    by_size: dict[int, list[LoadWindow]] = {}
    left_out: list[str] = []
    for window in sweep:
        if why := unusable(window):
            left_out.append(why)
        else:
            by_size.setdefault(pool_capacity(window), []).append(window)
    kept = {size: by_size[size] for size in sorted(by_size) if len(by_size[size]) >= FEWEST_ROUNDS}
    few = (
        f"size {size}: {len(windows)} valid windows, {FEWEST_ROUNDS} needed"
        for size, windows in sorted(by_size.items())
        if size not in kept
    )
    return Curve(
        points=tuple(_point(size, windows) for size, windows in kept.items()),
        rounds=tuple(_rounds(kept)),
        left_out=(*_alike(left_out), *few),
        measured=tuple(_measured(sweep)),
        windows=kept,
    )


def _measured(sweep: Sequence[LoadWindow]) -> Iterator[SizePoint]:
    by_size: dict[int, list[LoadWindow]] = {}
    for window in sweep:
        if (size := pool_capacity(window)) and rate(window) > 0:
            by_size.setdefault(size, []).append(window)
    return (_point(size, windows) for size, windows in sorted(by_size.items()))


def _alike(reasons: Sequence[str]) -> Iterator[str]:
    """Each kind of reason once, with its number; of those that differ in figures the first."""
    kinds: dict[str, list[str]] = {}
    for why in reasons:
        kinds.setdefault(_FIGURES.sub("", why), []).append(why)
    return (f"{len(each)} x {each[0]}" for each in kinds.values())


def _rounds(windows: Mapping[int, Sequence[LoadWindow]]) -> Iterator[Round]:
    for number in range(min((len(each) for each in windows.values()), default=0)):
        smallest = main_pool(windows[min(windows)][number])
        yield Round(
            rates={size: rate(each[number]) for size, each in windows.items()},
            hold_seconds=smallest.hold.mean_seconds if smallest is not None else 0.0,
        )


def _point(size: int, windows: Sequence[LoadWindow]) -> SizePoint:
    rates = [rate(window) for window in windows]
    pools = [pool for window in windows if (pool := main_pool(window)) is not None]
    latencies = [window.client.latency for window in windows]
    return SizePoint(
        size=size,
        rounds=len(windows),
        rate=median(rates),
        lowest_rate=min(rates),
        highest_rate=max(rates),
        p50_seconds=median(latency.p50_seconds for latency in latencies),
        p95_seconds=median(latency.p95_seconds for latency in latencies),
        p99_seconds=median(latency.p99_seconds for latency in latencies),
        wait_seconds=median(pool.wait.mean_seconds for pool in pools),
        hold_seconds=median(pool.hold.mean_seconds for pool in pools),
        process_cpu=median(window.process_cpu for window in windows),
    )
