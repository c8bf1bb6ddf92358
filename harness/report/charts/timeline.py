"""Trouble and recovery: how many requests ended how, second by second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from harness.capture.traffic import Outcome
from harness.report.charts.parts import WIDTH_INCHES, face, legend
from harness.report.charts.svg import Ink, inline_svg
from harness.report.load_content import AnswersInSecond, Timeline
from harness.report.load_times import dense
from harness.report.quantities import duration, grouped
from harness.report.wording import single_line

__all__ = ["answers_per_second"]

_STYLES = {
    Outcome.OK: (Ink.GOOD, ""),
    Outcome.SHED: (Ink.WARY, "////"),
    Outcome.ERROR: (Ink.BAD, "xxxx"),
    Outcome.REFUSED: (Ink.REFUSED, "||||"),
    Outcome.HANG: (Ink.HANG, "\\\\\\\\"),
}
_LETTER_SHARE = 0.0115
"""Of the drawing's width, for one letter of a label: labels that would touch get rows of their
own."""
_ROW_POINTS = 13
_ROOM = 1.04
"""Where a label beside its line has to end, in widths of the drawing."""
_HEADROOM = 1.06


@dataclass(frozen=True, slots=True)
class _Moment:
    """A line across the drawing, and what it means."""

    seconds: float
    text: str
    ink: Ink
    style: str


def answers_per_second(timeline: Timeline, *, name: str) -> str:
    """Stacked columns, one for each second; begin, end and recovery are marked.

    Empty where nothing was answered.
    """
    seconds = dense(timeline)
    if not any(each.total for each in seconds):
        return ""
    return inline_svg(
        lambda figure: _draw(figure.subplots(), timeline, seconds),
        name=name,
        title=f"Answers a second: {single_line(timeline.name)}",
        inches=(WIDTH_INCHES, 3.7),
    )


def _draw(axes: Axes, timeline: Timeline, seconds: Sequence[AnswersInSecond]) -> None:
    edges = [seconds[0].second, *(each.second + 1 for each in seconds)]
    keys = list(_stacked(axes, seconds, edges))
    start = min(edges[0], timeline.begins_seconds)
    moments = list(_moments(timeline))
    axes.set_xlim(start, max(edges[-1], *(each.seconds for each in moments)))
    axes.set_ylim(0, max(each.total for each in seconds) * _HEADROOM)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axvspan(
        timeline.begins_seconds,
        timeline.ends_seconds,
        color=Ink.BLOCKED.value,
        alpha=0.16,
        linewidth=0,
        zorder=0,
    )
    _mark(axes, moments)
    axes.set_xlabel("seconds after the start of the load")
    axes.set_ylabel("requests that ended")
    legend(axes, keys)


def _stacked(
    axes: Axes, seconds: Sequence[AnswersInSecond], edges: Sequence[int]
) -> Iterator[Patch]:
    """One area for each outcome that occurred; yields its key."""
    below = [0.0 for _ in seconds]
    for outcome, (ink, hatch) in _STYLES.items():
        counts = [each.count(outcome) for each in seconds]
        if not any(counts):
            continue
        tops = [low + count for low, count in zip(below, counts, strict=True)]
        axes.stairs(
            # A gap where there are none: an empty step would frame the outcome below it.
            [top if count else nan for top, count in zip(tops, counts, strict=True)],
            edges,
            baseline=below,
            fill=True,
            facecolor=face(ink, hatch=hatch),
            edgecolor=ink.value,
            hatch=hatch,
            linewidth=0.8,
        )
        below = tops
        label = f"{outcome}: {grouped(sum(counts))}"
        yield Patch(facecolor=face(ink, hatch=hatch), edgecolor=ink.value, hatch=hatch, label=label)


def _moments(timeline: Timeline) -> Iterator[_Moment]:
    yield _Moment(timeline.begins_seconds, "trouble begins", Ink.TEXT, ":")
    yield _Moment(timeline.ends_seconds, "trouble ends", Ink.TEXT, "--")
    if timeline.recovered_seconds is not None:
        after = max(timeline.recovered_seconds - timeline.ends_seconds, 0.0)
        text = f"recovered after {duration(after)}"
        yield _Moment(timeline.recovered_seconds, text, Ink.MARK, "-")


def _mark(axes: Axes, moments: Sequence[_Moment]) -> None:
    """Lines with their labels above the drawing, in as many rows as they need.

    All labels stand on the same side of their lines; where two would touch, the one whose line is
    farther away moves up, so that no line crosses a label.
    """
    first, last = axes.get_xlim()
    places = [(moment.seconds - first) / (last - first) for moment in moments]
    widths = [len(moment.text) * _LETTER_SHARE for moment in moments]
    is_right = places[-1] + widths[-1] <= _ROOM
    rows = _rows(places, widths) if is_right else _rows_mirrored(places, widths)
    for moment, row in zip(moments, rows, strict=True):
        axes.axvline(moment.seconds, color=moment.ink.value, linestyle=moment.style, linewidth=1.4)
        axes.annotate(
            moment.text,
            (moment.seconds, 1.0),
            (3 if is_right else -3, 4 + row * _ROW_POINTS),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="left" if is_right else "right",
            color=moment.ink.value,
        )
        if row:
            axes.annotate(
                "",
                (moment.seconds, 1.0),
                (0, row * _ROW_POINTS + _ROW_POINTS),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                arrowprops={
                    "arrowstyle": "-",
                    "color": moment.ink.value,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )


def _rows(places: Sequence[float], widths: Sequence[float]) -> list[int]:
    """The row of each label, to the right of lines whose places ascend."""
    rows = [0 for _ in places]
    for number in reversed(range(len(places) - 1)):
        is_apart = places[number] + widths[number] <= places[number + 1]
        rows[number] = 0 if is_apart else rows[number + 1] + 1
    return rows


def _rows_mirrored(places: Sequence[float], widths: Sequence[float]) -> list[int]:
    """The same for labels to the left of their lines."""
    return _rows([1 - place for place in reversed(places)], widths[::-1])[::-1]
