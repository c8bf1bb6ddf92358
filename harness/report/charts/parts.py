"""What the charts have in common: their width, their legend and how they fill and measure.

Kept out of `svg`, which knows about files, so that the drawings look like one family.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.report.charts.svg import Ink
from harness.report.quantities import duration
from harness.report.wording import single_line

__all__ = ["WIDTH_INCHES", "duration_axis", "face", "legend", "shortened"]

WIDTH_INCHES = 8.2
_LONGEST_LABEL = 44


def face(ink: Ink, *, hatch: str) -> str:
    """Solid, or see-through under a hatch in the same ink."""
    return "none" if hatch else ink.value


def legend(axes: Axes, keys: Sequence[Patch | Line2D]) -> None:
    """Keys under the drawing, in one row."""
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), columnspacing=1.3)


def duration_axis(axis: Axis, *, steps: Sequence[float] = ()) -> None:
    """Ticks that read ``5.4 ms`` instead of a power of ten.

    Args:
        axis: Its scale is kept.
        steps: Multiples of each power of ten that get a tick, on a logarithmic axis; its own ticks
            by default, of which an axis within one power of ten has one.
    """
    if steps:
        axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    axis.set_minor_formatter(NullFormatter())


def shortened(label: str) -> str:
    """A label that leaves room for the drawing."""
    text = single_line(label)
    return (
        text
        if len(text) <= _LONGEST_LABEL
        else f"{text[: _LONGEST_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
