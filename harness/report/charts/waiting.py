"""Waiting for a connection against holding one, at each pool size."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from harness.checks.load.sizing_curve import SizePoint
from harness.report.charts.parts import WIDTH_INCHES, duration_axis, face, legend
from harness.report.charts.svg import Ink, inline_svg
from harness.report.quantities import counted, duration, grouped

__all__ = ["wait_against_hold"]

_PARTS = (("wait", Ink.WAIT, ""), ("hold", Ink.HOLD, "////"))
_MOST_LABELLED = 10
"""Bars; the numbers of more would touch each other."""


def wait_against_hold(curve: Sequence[SizePoint]) -> str:
    """A bar for each size: the mean wait, and on it the mean hold time.

    Empty where nothing was waited for and nothing was held.
    """
    if len(curve) < 2 or not any(_height(point) for point in curve):  # noqa: PLR2004 - to compare
        return ""
    return inline_svg(
        lambda figure: _draw(figure.subplots(), curve),
        name="waiting",
        title=f"Wait and hold times with {counted(len(curve), 'pool size')}",
        inches=(WIDTH_INCHES, 3.4),
    )


def _total(point: SizePoint) -> float:
    return point.wait_seconds + point.hold_seconds


def _height(point: SizePoint) -> float:
    """Of its bars."""
    return _drawn(point.wait_seconds) + _drawn(point.hold_seconds)


def _drawn(seconds: float) -> float:
    """No bar where there is no number; the label says so."""
    return seconds if isfinite(seconds) else 0.0


def _draw(axes: Axes, curve: Sequence[SizePoint]) -> None:
    places = range(len(curve))
    below = [0.0 for _ in curve]
    for name, ink, hatch in _PARTS:
        heights = [_drawn(getattr(point, f"{name}_seconds")) for point in curve]
        axes.bar(
            places,
            heights,
            0.62,
            bottom=below,
            facecolor=face(ink, hatch=hatch),
            edgecolor=ink.value,
            hatch=hatch,
        )
        below = [low + height for low, height in zip(below, heights, strict=True)]
    if len(curve) <= _MOST_LABELLED:
        _label(axes, curve)
    axes.set_xticks(places, [grouped(point.size) for point in curve])
    axes.set_ylim(0, max(below) * 1.14)
    duration_axis(axes.yaxis)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("connections in each process")
    axes.set_ylabel("mean of a checkout")
    legend(axes, [_key(*part) for part in _PARTS])


def _label(axes: Axes, curve: Sequence[SizePoint]) -> None:
    for place, point in enumerate(curve):
        axes.annotate(
            duration(_total(point)),
            (place, _height(point)),
            (0, 3),
            textcoords="offset points",
            ha="center",
        )


def _key(name: str, ink: Ink, hatch: str) -> Patch:
    return Patch(facecolor=face(ink, hatch=hatch), edgecolor=ink.value, hatch=hatch, label=name)
