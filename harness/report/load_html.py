"""A load run as one page: what to set and why, and the pictures behind it; it loads nothing.

The words are the terminal's (`load_wording`), the pictures are `charts`; what is left for this
module is to hand them to the template, which escapes every value (`page`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checks.load.classification import Outcome
from harness.checks.load.pool_sizing import Recommendation
from harness.findings import Verdict
from harness.report import load_wording, quantities
from harness.report.charts import (
    answers_per_second,
    exhaustion_timeline,
    pool_times,
    sizing_curve,
    wait_against_hold,
    where_time_goes,
)
from harness.report.load_content import LoadReport, Timeline
from harness.report.load_times import exhaustion_as_timeline, route_times
from harness.report.outcomes import outcome_rows
from harness.report.page import Tile, environment, findings_tile, verdict_tile

__all__ = ["load_report_to_html"]


@dataclass(frozen=True, slots=True)
class _Charts:
    """The pictures of the page; an empty one is left out."""

    sizing: str
    waiting: str
    routes: str
    pools: tuple[str, ...]
    exhaustion: str
    answers: str
    troubles: tuple[str, ...]


def load_report_to_html(report: LoadReport) -> str:
    """The report as a self-contained HTML document, the same bytes for the same report."""
    page = environment()
    page.globals |= {name: getattr(load_wording, name) for name in load_wording.__all__}
    story = report.exhaustion
    return page.get_template("load.html.j2").render(
        report=report,
        tiles=tuple(_tiles(report)),
        charts=_charts(report),
        routes=route_times(report.explained) if report.explained else (),
        outcomes=outcome_rows(story) if story else (),
        dry=exhaustion_as_timeline(story) if story else None,
    )


def _charts(report: LoadReport) -> _Charts:
    told, window, story = report.recommendation, report.explained, report.exhaustion
    pools = window.pools if window else ()
    return _Charts(
        sizing=sizing_curve(told) if told else "",
        waiting=wait_against_hold(told.curve) if told else "",
        routes=where_time_goes(route_times(window)) if window else "",
        pools=tuple(pool_times(pool, name=f"pool-{n}") for n, pool in enumerate(pools)),
        exhaustion=exhaustion_timeline(story) if story else "",
        answers=answers_per_second(exhaustion_as_timeline(story), name="answers") if story else "",
        troubles=tuple(
            answers_per_second(timeline, name=f"trouble-{number}")
            for number, timeline in enumerate(report.troubles)
        ),
    )


def _tiles(report: LoadReport) -> Iterator[Tile]:
    if report.recommendation is not None:
        yield _size_tile(report.recommendation)
    if report.classification is not None:
        is_explained = report.classification.outcome is Outcome.EXPLAINED
        value = report.classification.cause or report.classification.outcome.value
        detail = "why requests are slow"
        yield Tile("cause", value, "cause", detail, is_bad=is_explained)
    yield findings_tile(report.judgement)
    if report.probes:
        yield verdict_tile("probes", [item.verdict for item in report.probes])
    if report.troubles:
        yield _troubles_tile(report.troubles)


def _size_tile(told: Recommendation) -> Tile:
    """What to set; where that is nothing, what is known of it."""
    if load_wording.has_size(told):
        value, detail = f"{told.pool_size} + {told.max_overflow}", load_wording.interval_text(told)
        return Tile("pool-size", value, "pool and overflow", detail)
    is_bad = told.verdict is Verdict.FAIL
    if told.processes_needed is not None:
        value, label = str(told.processes_needed), "processes at least"
        return Tile("pool-size", value, label, "no pool size is enough", is_bad=is_bad)
    value = "none" if told.pool_size is None else f"\u2265 {told.pool_size}"
    return Tile("pool-size", value, "pool size", told.verdict.value, is_bad=is_bad)


def _troubles_tile(troubles: tuple[Timeline, ...]) -> Tile:
    """The longest way back; that of a trouble without one is longer than any."""
    lost = sum(timeline.recovered_seconds is None for timeline in troubles)
    detail = f"after {quantities.counted(len(troubles), 'trouble')}"
    if lost:
        return Tile("troubles", f"{lost} of {len(troubles)}", "not recovered", detail, is_bad=True)
    longest = max((each.recovered_seconds or 0.0) - each.ends_seconds for each in troubles)
    return Tile("troubles", quantities.duration(max(longest, 0.0)), "longest recovery", detail)
