"""Where the mean request of each route spends its time: waiting, in SQL, holding, elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from harness.report.charts.parts import WIDTH_INCHES, face, legend, shortened
from harness.report.charts.svg import Ink, inline_svg
from harness.report.load_times import RouteTimes
from harness.report.quantities import counted, duration

__all__ = ["MOST_ROUTES", "where_time_goes"]

MOST_ROUTES = 20
"""An application with more routes shows those on which most time was spent."""

_PARTS = (
    ("waiting for a connection", "wait_seconds", Ink.WAIT, ""),
    ("SQL runs", "sql_seconds", Ink.HOLD, ""),
    ("held idle", "idle_seconds", Ink.HOLD, "////"),
    ("no connection out", "rest_seconds", Ink.BLOCKED, ""),
)


def where_time_goes(routes: Sequence[RouteTimes]) -> str:
    """A bar for each route: shares of its mean request, whose duration stands beside it.

    Shares and no seconds along the axis: a route of 2 ms has no place beside one of 2 s.
    """
    shown = [route for route in routes if route.seconds > 0][:MOST_ROUTES]
    if not shown:
        return ""
    return inline_svg(
        lambda figure: _draw(figure.subplots(), shown),
        name="where-time-goes",
        title=f"Where the time of a request goes, for {counted(len(shown), 'route')}",
        inches=(WIDTH_INCHES, 1.3 + 0.36 * len(shown)),
    )


def _draw(axes: Axes, routes: Sequence[RouteTimes]) -> None:
    starts = [0.0 for _ in routes]
    for _, field, ink, hatch in _PARTS:
        shares = [getattr(route, field) / route.seconds for route in routes]
        axes.barh(
            range(len(routes)),
            shares,
            height=0.62,
            left=starts,
            facecolor=face(ink, hatch=hatch),
            edgecolor=ink.value,
            hatch=hatch,
            linewidth=0.8,
        )
        starts = [start + share for start, share in zip(starts, shares, strict=True)]
    for place, route in enumerate(routes):
        axes.annotate(
            duration(route.seconds), (1, place), (6, 0), textcoords="offset points", va="center"
        )
    _dress(axes, routes)
    legend(axes, [_key(name, ink, hatch) for name, _, ink, hatch in _PARTS])


def _dress(axes: Axes, routes: Sequence[RouteTimes]) -> None:
    axes.set_yticks(range(len(routes)), [shortened(route.route) for route in routes])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of the mean request, whose duration stands beside it")


def _key(name: str, ink: Ink, hatch: str) -> Patch:
    return Patch(facecolor=face(ink, hatch=hatch), edgecolor=ink.value, hatch=hatch, label=name)
