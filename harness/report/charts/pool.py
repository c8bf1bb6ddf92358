"""Waiting for a connection against holding one: two histograms over one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from harness.capture.windows import PoolWindow
from harness.report.charts.parts import WIDTH_INCHES, duration_axis, face
from harness.report.charts.svg import Ink, inline_svg
from harness.report.content import Distribution, PoolRow
from harness.report.quantities import duration, grouped
from harness.report.wording import single_line

__all__ = ["pool_times"]

_SHORTEST_SECONDS = 0.000001
"""Less has no place on a logarithmic axis."""


def pool_times(pool: PoolRow | PoolWindow, *, name: str) -> str:
    """Waiting for a connection above, holding it below.

    Empty where all times share one bucket: the table beside it says all of that.
    """
    if len(_filled_buckets(pool.wait) | _filled_buckets(pool.hold)) <= 1:
        return ""
    return inline_svg(
        lambda figure: _draw_times(figure, pool),
        name=name,
        title=f"Wait and hold times of {single_line(pool.name)}",
        inches=(WIDTH_INCHES, 4.0),
    )


def _filled_buckets(times: Distribution) -> set[float]:
    pairs = zip(times.bounds_seconds, times.counts, strict=True)
    return {bound for bound, count in pairs if count}


def _draw_times(figure: Figure, pool: PoolRow | PoolWindow) -> None:
    above, below = figure.subplots(2, 1, sharex=True, sharey=True)
    _draw_histogram(above, pool.wait, ink=Ink.WAIT, name="wait", hatch="")
    _draw_histogram(below, pool.hold, ink=Ink.HOLD, name="hold", hatch="////")
    below.set_xscale("log")
    below.set_yscale("log")
    below.set_ylim(bottom=0.7)
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: grouped(round(value))))
    below.yaxis.set_minor_formatter(NullFormatter())
    duration_axis(below.xaxis)
    figure.supylabel("checkouts (log)", fontsize=10)


def _draw_histogram(axes: Axes, times: Distribution, *, ink: Ink, name: str, hatch: str) -> None:
    edges = _edges(times.bounds_seconds)
    for (left, right), count in zip(pairwise(edges), times.counts, strict=True):
        if count:
            axes.bar(
                left,
                count,
                right - left,
                align="edge",
                facecolor=face(ink, hatch=hatch),
                edgecolor=ink.value if hatch else Ink.PAPER.value,
                hatch=hatch,
            )
    quantiles = f"p50 {duration(times.p50_seconds)}, p95 {duration(times.p95_seconds)}"
    title = f"{name}: {quantiles}, max {duration(times.max_seconds)}"
    axes.set_title(title, loc="left", fontsize=10, color=Ink.TEXT.value)
    if math.isfinite(times.p95_seconds):
        axes.axvline(max(times.p95_seconds, edges[0]), color=Ink.TEXT.value, linestyle="--")


def _edges(bounds: Sequence[float]) -> list[float]:
    """Bucket edges for a logarithmic axis, where neither zero nor infinity has a place."""
    if not bounds:
        return [0.001]
    finite = [max(bound, _SHORTEST_SECONDS) for bound in bounds if math.isfinite(bound)]
    start = finite[0] / 2 if finite else 0.001
    return [start, *finite, *[(finite or [start])[-1] * 2] * (len(bounds) - len(finite))]
