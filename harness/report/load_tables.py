"""The tables of a load run for a terminal: the curve, the phases, the routes, the troubles.

Apart from `load_text`, which decides on their order, so that each table can be read on its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.checks.load.pool_sizing import Recommendation
from harness.report.columns import Column, Row, table_lines, wrapped
from harness.report.load_content import LoadReport, Phase, Timeline
from harness.report.load_times import RouteTimes
from harness.report.load_wording import (
    answer_counts,
    phase_failures,
    phase_load,
    point_marks,
    timeline_verdict,
    way_back,
)
from harness.report.quantities import duration, grouped, plain
from harness.report.text_tables import VERDICT_STYLES, heading
from harness.report.wording import single_line

__all__ = ["curve_lines", "phase_lines", "route_time_lines", "trouble_lines"]

_MINUTE_SECONDS = 60


def _columns(first: str, *others: str) -> list[Column]:
    return [Column(first, "left"), *(Column(name) for name in others)]


def curve_lines(told: Recommendation, *, width: int) -> Iterator[Text]:
    """What each pool size gave; medians over the rounds."""
    if not told.curve:
        return
    rows = [
        Row(
            (
                Text(grouped(point.size)),
                Text(plain(point.rate)),
                *(
                    Text(_narrow(seconds))
                    for seconds in (
                        point.p50_seconds,
                        point.p95_seconds,
                        point.p99_seconds,
                        point.wait_seconds,
                        point.hold_seconds,
                    )
                ),
                Text(f"{point.process_cpu:.2f}"),
                Text(point_marks(told, point)),
            )
        )
        for point in told.curve
    ]
    columns = [
        Column("size"),
        *(Column(name) for name in ("req/s", "p50", "p95", "p99", "wait", "hold", "cpu")),
        Column("", "left"),
    ]
    yield from table_lines(columns, rows, width=width)


def _narrow(seconds: float) -> str:
    """A duration that leaves room for the four beside it: ``125 s``, not ``2 min 5 s``."""
    is_long = math.isfinite(seconds) and round(seconds) >= _MINUTE_SECONDS
    return f"{grouped(round(seconds))} s" if is_long else duration(seconds)


def phase_lines(phases: Sequence[Phase], *, width: int) -> Iterator[Text]:
    """What was done to the application, and what the clients saw."""
    if not phases:
        return
    yield heading("phases")
    rows = [_phase(phase) for phase in phases]
    columns = _columns("phase", "windows", "users", "seconds", "requests", "failed")
    yield from table_lines(columns, rows, width=width)


def _phase(phase: Phase) -> Row:
    failures = phase_failures(phase)
    return Row(
        (
            Text(single_line(phase.name)),
            Text(grouped(len(phase.windows))),
            Text(phase_load(phase)),
            Text(plain(sum(window.seconds for window in phase.windows))),
            Text(grouped(sum(window.client.requests for window in phase.windows))),
            Text(grouped(failures), style="bold red" if failures else ""),
        ),
        (phase.note,) if phase.note else (),
    )


def route_time_lines(routes: Sequence[RouteTimes], *, width: int) -> Iterator[Text]:
    """Where the mean request of each route spends its time."""
    if not routes:
        return
    yield heading("where a request's time goes")
    rows = [
        Row(
            (
                Text(single_line(route.route)),
                Text(grouped(route.requests)),
                *(
                    Text(duration(seconds))
                    for seconds in (
                        route.wait_seconds,
                        route.sql_seconds,
                        route.idle_seconds,
                        route.rest_seconds,
                    )
                ),
            )
        )
        for route in routes
    ]
    columns = _columns("route", "requests", "wait", "sql", "held idle", "rest")
    yield from table_lines(columns, rows, width=width)


def trouble_lines(report: LoadReport, *, width: int) -> Iterator[Text]:
    """What was done to the database under load, and the way back."""
    if not report.troubles:
        return
    yield heading("troubles, on purpose")
    for timeline in report.troubles:
        yield from _trouble(report, timeline, width)


def _trouble(report: LoadReport, timeline: Timeline, width: int) -> Iterator[Text]:
    told = timeline_verdict(report, timeline)
    line = Text(f"  {single_line(timeline.name)}")
    if told is not None:
        line += Text.assemble("  ", (told.verdict, VERDICT_STYLES[told.verdict]))
    yield line
    facts = "; ".join(f"{name} {value}" for name, value in timeline.facts)
    for text in (timeline.setting, way_back(timeline), answer_counts(timeline), facts):
        yield from (Text(f"    {each}") for each in wrapped(text, width=width - 4))
