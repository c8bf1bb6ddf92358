"""Throughput and latency against pool size, with the knee and the recommendation marked."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log2, nan

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from harness.checks.load.pool_sizing import Recommendation
from harness.checks.load.sizing_curve import SizePoint
from harness.report.charts.parts import WIDTH_INCHES, duration_axis
from harness.report.charts.svg import Ink, inline_svg
from harness.report.load_wording import has_size, sizing_marks
from harness.report.quantities import counted, grouped, plain

__all__ = ["sizing_curve", "ticked"]

_CLOSEST_TICKS = 0.25
"""In doublings: sizes nearer to each other than this share a tick, or their numbers overlap."""
_EDGE = 0.35
"""Doublings of room on both sides, so that nothing is drawn on the frame."""
_LEAST_SECONDS = 1e-6
_LATENCIES = (
    ("p50", Ink.HOLD, "o", "-"),
    ("p95", Ink.REFUSED, "s", "--"),
    ("p99", Ink.WAIT, "^", ":"),
)


def sizing_curve(told: Recommendation) -> str:
    """The measured curve: answers a second above, percentiles of their latency below.

    Empty where there are fewer than two sizes.
    """
    if len(told.curve) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    return inline_svg(
        lambda figure: _draw(figure, told),
        name="sizing",
        title=f"Throughput and latency with {counted(len(told.curve), 'pool size')}: "
        f"{sizing_marks(told)}",
        inches=(WIDTH_INCHES, 5.6),
    )


def _draw(figure: Figure, told: Recommendation) -> None:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.1))
    above.set_xscale("log", base=2)
    _draw_rates(above, told.curve)
    _draw_latencies(below, told.curve)
    for axes in (above, below):
        _mark_recommendation(axes, told)
    _mark_knee(above, told)
    _label_recommendation(above, told)
    _dress_sizes(below, told)


def _draw_rates(axes: Axes, curve: Sequence[SizePoint]) -> None:
    sizes = [point.size for point in curve]
    axes.fill_between(
        sizes,
        [point.lowest_rate for point in curve],
        [point.highest_rate for point in curve],
        color=Ink.GOOD.value,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(sizes, [point.rate for point in curve], color=Ink.GOOD.value, marker="o")
    # Without one good answer the axis would have no length, of which matplotlib warns.
    axes.set_ylim(0, max(point.highest_rate for point in curve) * 1.12 or 1.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axes.set_ylabel("good answers a second")


def _draw_latencies(axes: Axes, curve: Sequence[SizePoint]) -> None:
    sizes = [point.size for point in curve]
    for name, ink, marker, style in _LATENCIES:
        seconds = [_drawn(getattr(point, f"{name}_seconds")) for point in curve]
        axes.plot(
            sizes, seconds, color=ink.value, marker=marker, linestyle=style, label=name, alpha=0.9
        )
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    duration_axis(axes.yaxis, steps=(1, 2, 5))
    axes.set_ylabel("latency (log)")
    axes.legend(loc="best", ncols=len(_LATENCIES))


def _drawn(seconds: float) -> float:
    """A gap where there is no number; a logarithmic axis has no zero."""
    return max(seconds, _LEAST_SECONDS) if isfinite(seconds) else nan


def _mark_recommendation(axes: Axes, told: Recommendation) -> None:
    """The interval over the rounds as a band, the size itself as a line."""
    if not has_size(told) or told.pool_size is None:
        return
    if told.low is not None and told.high is not None and told.low < told.high:
        axes.axvspan(told.low, told.high, color=Ink.MARK.value, alpha=0.12, linewidth=0)
    axes.axvline(told.pool_size, color=Ink.MARK.value, linestyle="--")


def _label_recommendation(axes: Axes, told: Recommendation) -> None:
    if not has_size(told) or told.pool_size is None:
        return
    sizes = [point.size for point in told.curve]
    is_left = log2(told.pool_size / min(sizes)) <= log2(max(sizes) / min(sizes)) / 2
    axes.annotate(
        f"recommended: {told.pool_size}, overflow {told.max_overflow}",
        (told.pool_size, 1.0),
        (4 if is_left else -4, 3),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="left" if is_left else "right",
        color=Ink.MARK.value,
    )


def _mark_knee(axes: Axes, told: Recommendation) -> None:
    """A ring around the point of the knee, named below the curve, where nothing is drawn."""
    point = next((each for each in told.curve if each.size == told.knee), None)
    if point is None:
        return
    axes.plot(
        [point.size],
        [point.rate],
        marker="o",
        markersize=14,
        markerfacecolor="none",
        markeredgecolor=Ink.TEXT.value,
        linestyle="none",
    )
    axes.annotate(
        f"knee: {grouped(point.size)}",
        (point.size, point.rate),
        (9, -18),
        textcoords="offset points",
    )


def _dress_sizes(axes: Axes, told: Recommendation) -> None:
    sizes = [point.size for point in told.curve]
    shown = [*sizes, *([told.pool_size] if has_size(told) and told.pool_size else [])]
    axes.set_xlim(min(shown) * 2**-_EDGE, max(shown) * 2**_EDGE)
    axes.xaxis.set_major_locator(FixedLocator(ticked(sizes)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: grouped(round(value))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("connections in each process, pool_size and max_overflow together (log)")


def ticked(sizes: Sequence[int]) -> list[int]:
    """The sizes, ascending, without those whose number would touch the one before."""
    kept: list[int] = []
    for size in sizes:
        if not kept or log2(size / kept[-1]) >= _CLOSEST_TICKS:
            kept.append(size)
    return kept
