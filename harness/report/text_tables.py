"""The tables of the verdict screen: endpoints, probes, load, pools and exhaustion.

Apart from `text`, which decides on their order, so that each table can be read on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from harness.findings import ProbeVerdict, Verdict
from harness.report.columns import Column, Row, table_lines, wrapped
from harness.report.content import Distribution, ExhaustionStory, LoadStory, PoolRow, Report
from harness.report.outcomes import outcome_rows
from harness.report.quantities import NOTHING, counted, duration, grouped, plain
from harness.report.wording import (
    endpoint_notes,
    exhaustion_setting,
    pool_usage,
    recovery_text,
    single_line,
)

__all__ = [
    "VERDICT_STYLES",
    "endpoint_lines",
    "exhaustion_lines",
    "heading",
    "load_lines",
    "probe_lines",
]

VERDICT_STYLES = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.SKIPPED: "dim",
}
"""How each verdict is coloured; its word always stands there too."""


def heading(title: str) -> Text:
    """The name of a section."""
    return Text(title.upper(), style="bold")


def _indented(text: str, width: int) -> Iterator[Text]:
    yield from (Text(f"  {line}") for line in wrapped(text, width=width - 2))


def _name(text: str) -> Text:
    return Text(single_line(text))


def _verdict(verdict: Verdict) -> Text:
    return Text(verdict, style=VERDICT_STYLES[verdict])


def endpoint_lines(report: Report, *, width: int) -> Iterator[Text]:
    """Statements of every endpoint; findings name relationship, file and line."""
    if not report.endpoints:
        return
    yield heading("endpoints, one request each")
    names = ("status", "stmts", "trips", "db", "verdict")
    columns = [Column("endpoint", "left"), *(Column(name) for name in names[:4])]
    rows = [
        Row(
            cells=(
                _name(row.endpoint),
                Text(NOTHING if row.status is None else str(row.status)),
                Text(grouped(row.statements)),
                Text(grouped(row.round_trips)),
                Text(duration(row.database_seconds)),
                _verdict(row.verdict),
            ),
            notes=endpoint_notes(report, row),
        )
        for row in report.endpoints
    ]
    yield from table_lines([*columns, Column("verdict", "left")], rows, width=width, note="note")


def probe_lines(
    probes: Sequence[ProbeVerdict], *, width: int, title: str = "probes"
) -> Iterator[Text]:
    """What each probe answered, and on which numbers."""
    if not probes:
        return
    yield heading(title)
    columns = (Column("probe", "left"), Column("verdict", "left"))
    rows = [Row((_name(item.probe), _verdict(item.verdict)), (item.summary,)) for item in probes]
    yield from table_lines(columns, rows, width=width, note="summary")


def load_lines(load: LoadStory | None, *, width: int) -> Iterator[Text]:
    """What the clients saw of the routes, and what the pools went through."""
    if load is None:
        return
    yield heading("load")
    yield from _indented(
        f"{counted(load.users, 'user')} for {duration(load.seconds)}: "
        f"{counted(load.requests, 'request')}, {counted(load.failures, 'failure')}, "
        f"{plain(load.requests_per_second)} requests/s",
        width,
    )
    yield from _routes(load, width)
    for pool in load.pools:
        yield from _pool(pool, width)


def _routes(load: LoadStory, width: int) -> Iterator[Text]:
    if not load.routes:
        return
    headings = ("requests", "failed", "p50", "p95", "max", "stmts/req")
    rows = [
        Row(
            (
                _name(row.route),
                Text(grouped(row.requests)),
                Text(grouped(row.failures), style="bold red" if row.failures else ""),
                *_latencies(row.latency),
                Text(plain(row.statements_per_request)),
            )
        )
        for row in load.routes
    ]
    columns = [Column("route", "left"), *(Column(heading) for heading in headings)]
    yield Text()
    yield from table_lines(columns, rows, width=width)


def _latencies(times: Distribution) -> tuple[Text, Text, Text]:
    p50, p95, most = (
        Text(duration(each) if times.count else NOTHING)
        for each in (times.p50_seconds, times.p95_seconds, times.max_seconds)
    )
    return p50, p95, most


def _pool(pool: PoolRow, width: int) -> Iterator[Text]:
    yield Text()
    columns = [Column("pool", "left"), Column("checkouts")]
    columns += [Column(heading) for heading in ("p50", "p95", "max")]
    rows = [
        Row((Text(f"{pool.name} {name}"), Text(grouped(times.count)), *_latencies(times)))
        for name, times in (("wait", pool.wait), ("hold", pool.hold))
    ]
    yield from table_lines(columns, rows, width=width)
    yield from _indented(pool_usage(pool), width)


def exhaustion_lines(story: ExhaustionStory | None, *, width: int) -> Iterator[Text]:
    """What became of the requests while the pool was dry, and the way back."""
    if story is None:
        return
    yield heading("exhaustion, on purpose")
    yield from _indented(exhaustion_setting(story), width)
    columns = [Column("outcome", "left"), Column("meaning", "left")]
    columns += [Column(name) for name in ("requests", "while dry", "p50", "max")]
    rows = [
        Row(
            (
                _name(row.outcome),
                Text(row.meaning),
                Text(grouped(row.requests)),
                Text(grouped(row.while_blocked)),
                Text(duration(row.p50_seconds)),
                Text(duration(row.max_seconds)),
            )
        )
        for row in outcome_rows(story)
    ]
    if rows:
        yield from table_lines(columns, rows, width=width)
    yield from _indented(recovery_text(story), width)
