"""The pool run dry, request by request, and the way back."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import Transform

from harness.report.charts.parts import WIDTH_INCHES, duration_axis, legend
from harness.report.charts.svg import Ink, inline_svg
from harness.report.content import ExhaustionStory, Outcome
from harness.report.outcomes import OUTCOME_MEANINGS
from harness.report.quantities import counted, duration, grouped
from harness.report.wording import drought_name

__all__ = ["exhaustion_timeline"]

_SHORTEST_SECONDS = 0.0001
"""Less has no place on a logarithmic axis."""
_DOT_STYLES = {
    Outcome.OK: (Ink.GOOD, "o"),
    Outcome.SHED: (Ink.WARY, "s"),
    Outcome.ERROR: (Ink.BAD, "X"),
    Outcome.REFUSED: (Ink.REFUSED, "^"),
    Outcome.HANG: (Ink.HANG, "D"),
}


def exhaustion_timeline(story: ExhaustionStory) -> str:
    """Every request as a dot: when it started, how long it took and how it ended."""
    if not story.outcomes:
        return ""
    return inline_svg(
        lambda figure: _draw_timeline(figure.subplots(), story),
        name="exhaustion",
        title=f"{counted(len(story.outcomes), 'request')} while the pool ran dry",
        inches=(WIDTH_INCHES, 4.2),
    )


def _draw_timeline(axes: Axes, story: ExhaustionStory) -> None:
    keys = [_draw_outcome(axes, story, outcome) for outcome in OUTCOME_MEANINGS]
    axes.set_yscale("log")
    duration_axis(axes.yaxis)
    axes.set_xlabel("start of the request, seconds after the start of the load")
    axes.set_ylabel("latency (log)")
    _draw_block(axes, story)
    _draw_timeout(axes, story.pool_timeout_seconds)
    legend(axes, [key for key in keys if key])


def _draw_outcome(axes: Axes, story: ExhaustionStory, outcome: Outcome) -> Line2D | None:
    requests = [request for request in story.outcomes if request.outcome is outcome]
    if not requests:
        return None
    ink, marker = _DOT_STYLES[outcome]
    (dots,) = axes.plot(
        [request.offset_seconds for request in requests],
        [max(request.seconds, _SHORTEST_SECONDS) for request in requests],
        color=ink.value,
        marker=marker,
        linestyle="none",
        markersize=5.5,
        alpha=0.8,
        label=f"{outcome}: {grouped(len(requests))}",
    )
    return dots


def _draw_timeout(axes: Axes, seconds: float) -> None:
    if _SHORTEST_SECONDS < seconds < math.inf:
        axes.axhline(seconds, color=Ink.TEXT.value, linestyle=":")
        _note(axes, (0.01, seconds), "pool timeout", axes.get_yaxis_transform())


def _draw_block(axes: Axes, story: ExhaustionStory) -> None:
    """The time in which nothing could be answered, and the moment from which all was well."""
    axes.axvspan(
        story.blocked_from_seconds, story.blocked_until_seconds, color=Ink.BLOCKED.value, alpha=0.16
    )
    top = axes.get_xaxis_transform()
    _note(axes, (story.blocked_from_seconds, 1.0), drought_name(story), top)
    if story.recovery_seconds is None:
        return
    recovered = story.blocked_until_seconds + story.recovery_seconds
    axes.axvline(recovered, color=Ink.MARK.value)
    _note(axes, (recovered, 1.0), f"recovered after {duration(story.recovery_seconds)}", top)


def _note(axes: Axes, at: tuple[float, float], text: str, transform: Transform) -> None:
    axes.annotate(text, at, (4, 3), xycoords=transform, textcoords="offset points")
