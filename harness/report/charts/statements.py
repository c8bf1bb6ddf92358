"""Which endpoints run how many statements, faulty beside clean."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from harness.findings import Verdict
from harness.report.charts.parts import WIDTH_INCHES, face, legend, shortened
from harness.report.charts.svg import Ink, inline_svg
from harness.report.content import EndpointRow, Report
from harness.report.quantities import counted, grouped
from harness.report.wording import findings_at

__all__ = ["MOST_BARS", "statements_per_endpoint"]

MOST_BARS = 30
"""An application with more endpoints than this shows those with the most statements."""

_BAR_STYLES = {
    "no finding": (Ink.GOOD, ""),
    "accepted or warning": (Ink.WARY, "////"),
    "open finding": (Ink.BAD, "xxxx"),
}


def statements_per_endpoint(report: Report) -> str:
    """Horizontal bars, one per endpoint that was requested, in the report's order."""
    asked = [row for row in report.endpoints if row.status is not None]
    most = sorted(asked, key=lambda row: row.statements, reverse=True)[:MOST_BARS]
    rows = [row for row in asked if row in most]
    if not rows:
        return ""
    standings = [_standing(report, row) for row in rows]
    return inline_svg(
        lambda figure: _draw_bars(figure.subplots(), rows, standings),
        name="statements",
        title=f"SQL statements of {counted(len(rows), 'endpoint')}",
        inches=(WIDTH_INCHES, 1.0 + 0.27 * len(rows)),
    )


def _standing(report: Report, row: EndpointRow) -> str:
    found = findings_at(report, row.endpoint)
    if row.verdict is Verdict.FAIL or any(allowance is None for _, allowance in found):
        return "open finding"
    return "accepted or warning" if found or row.verdict is Verdict.WARN else "no finding"


def _draw_bars(axes: Axes, rows: Sequence[EndpointRow], standings: Sequence[str]) -> None:
    for place, (row, standing) in enumerate(zip(rows, standings, strict=True)):
        ink, hatch = _BAR_STYLES[standing]
        axes.barh(
            place,
            row.statements,
            height=0.66,
            facecolor=face(ink, hatch=hatch),
            edgecolor=ink.value,
            hatch=hatch,
        )
        axes.annotate(
            grouped(row.statements),
            (row.statements, place),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(rows)), [shortened(row.endpoint) for row in rows])
    _dress_bars(axes, most=max(row.statements for row in rows))
    present = [name for name in _BAR_STYLES if name in standings]
    legend(axes, [_bar_key(name) for name in present])


def _dress_bars(axes: Axes, *, most: int) -> None:
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlim(0, max(most, 1) * 1.06)
    axes.set_xlabel("statements in one request")


def _bar_key(name: str) -> Patch:
    ink, hatch = _BAR_STYLES[name]
    return Patch(facecolor=face(ink, hatch=hatch), edgecolor=ink.value, hatch=hatch, label=name)
