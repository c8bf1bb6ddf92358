"""The report as one page: a file to open, to attach to a build, to print; it loads nothing.

The words are the terminal's (`wording`, `quantities`, `outcomes`), the pictures are `charts`; what
is left for this module is to hand them to the template, which escapes every value (`page`).
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import quantities
from harness.report.charts import exhaustion_timeline, pool_times, statements_per_endpoint
from harness.report.content import Report
from harness.report.outcomes import outcome_rows
from harness.report.page import Tile, environment, findings_tile, verdict_tile

__all__ = ["to_html"]


def to_html(report: Report) -> str:
    """The report as a self-contained HTML document, the same bytes for the same report."""
    pools = report.load.pools if report.load else ()
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            tiles=tuple(_tiles(report)),
            statements_chart=statements_per_endpoint(report),
            pool_charts=[pool_times(pool, name=f"pool-{n}") for n, pool in enumerate(pools)],
            outcomes=outcome_rows(report.exhaustion) if report.exhaustion else (),
            exhaustion_chart=exhaustion_timeline(report.exhaustion) if report.exhaustion else "",
        )
    )


def _tiles(report: Report) -> Iterator[Tile]:
    yield findings_tile(report.judgement)
    endpoints = [row.verdict for row in report.endpoints]
    probes = [item.verdict for item in report.probes]
    if endpoints:
        yield verdict_tile("endpoints", endpoints)
    if probes:
        yield verdict_tile("probes", probes)
    yield from _load_tiles(report)


def _load_tiles(report: Report) -> Iterator[Tile]:
    """The pool whose users waited longest, and the way back from exhaustion."""
    if report.load and report.load.pools:
        pool = max(report.load.pools, key=lambda each: each.wait.p95_seconds)
        detail = f"longest {quantities.duration(pool.wait.max_seconds)}"
        yield Tile("load", quantities.duration(pool.wait.p95_seconds), "pool wait p95", detail)
    if report.exhaustion:
        seconds = report.exhaustion.recovery_seconds
        value = "not seen" if seconds is None else quantities.duration(seconds)
        detail = "after the pool ran dry"
        yield Tile("exhaustion", value, "recovery", detail, is_bad=seconds is None)
