"""The scan for a terminal or the log of a CI job: findings, endpoints, what was left out.

Of an endpoint's statements only those are named that were not constant: the others are in the JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from harness.checks.growth import Trend
from harness.findings import Verdict
from harness.report.columns import Column, Row, table_lines, wrapped
from harness.report.quantities import NOTHING, counted, duration, grouped
from harness.report.scan_content import ScanReport, ScanRow, ShapeRow
from harness.report.text import judgement_lines, print_block
from harness.report.text_tables import VERDICT_STYLES, heading
from harness.report.wording import finding_reference, single_line

__all__ = ["render_scan"]

_STATEMENT_LETTERS = 100


def render_scan(report: ScanReport, console: Console) -> None:
    """Print the report, as wide as the console says; nothing in it is cut that has to be copied."""
    width = console.width
    sections = [
        _opening(report, width),
        *judgement_lines(report.judgement, width=width),
        _endpoints(report, width),
        _skipped(report, width),
        _tables(report, width),
    ]
    for section in sections:
        print_block(console, section)
    print_block(console, _closing(report), is_last=True)


def _opening(report: ScanReport, width: int) -> Iterator[Text]:
    yield Text(f"harness {report.harness_version}  {report.application}", style="bold")
    when = f"{report.database}; started {report.started_at}, took {duration(report.seconds)}"
    yield from (Text(line, style="dim") for line in wrapped(when, width=width))


def _measured(report: ScanReport) -> list[ScanRow]:
    return [row for row in report.endpoints if row.statements]


def _endpoints(report: ScanReport, width: int) -> Iterator[Text]:
    rows = _measured(report)
    if not rows:
        return
    yield heading("statements, by rows in each table")
    columns = [
        Column("endpoint", "left"),
        Column("status"),
        *(Column(f"n={size}") for size in report.sizes),
        Column("items"),
        Column("growth", "left"),
        Column("verdict", "left"),
    ]
    lines = [_row(report, row) for row in rows]
    yield from table_lines(columns, lines, width=width, note="")


def _row(report: ScanReport, row: ScanRow) -> Row:
    items = row.items[-1]
    return Row(
        cells=(
            Text(single_line(row.endpoint)),
            Text(NOTHING if row.status is None else str(row.status)),
            *(Text(grouped(count)) for count in row.statements),
            Text(NOTHING if items is None else grouped(items)),
            Text(row.trend or NOTHING),
            Text(row.verdict, style=VERDICT_STYLES[row.verdict]),
        ),
        notes=(*_found(report, row), *_shapes(report, row), *([row.note] if row.note else [])),
    )


def _found(report: ScanReport, row: ScanRow) -> Iterator[str]:
    judgement = report.judgement
    pairs = [*((each, None) for each in judgement.open), *judgement.accepted]
    for finding, allowance in pairs:
        if finding.anchor == row.endpoint:
            grown = [value for name, value in finding.evidence if name == "growth"]
            yield finding_reference(finding, allowance)
            yield from (f"  {words}" for words in grown)


def _shapes(report: ScanReport, row: ScanRow) -> Iterator[str]:
    """What was not constant and is in no finding."""
    told = {
        value
        for finding in (*report.judgement.open, *(each for each, _ in report.judgement.accepted))
        if finding.anchor == row.endpoint
        for _, value in (*finding.evidence, ("", finding.label))
    }
    for shape in row.shapes:
        is_told = shape.statement in told or shape.relationship in told
        if shape.trend is not Trend.CONSTANT and not is_told:
            yield f"{shape.trend}: {_runs(shape)} x {shape.statement[:_STATEMENT_LETTERS]}"


def _runs(shape: ShapeRow) -> str:
    return ", ".join(grouped(count) for count in shape.counts)


def _skipped(report: ScanReport, width: int) -> Iterator[Text]:
    rows = [row for row in report.endpoints if not row.statements]
    if not rows:
        return
    yield heading(f"not measured: {counted(len(rows), 'endpoint')}")
    columns = (Column("endpoint", "left"), Column("status"))
    lines = [
        Row(
            (
                Text(single_line(row.endpoint)),
                Text(NOTHING if row.status is None else str(row.status)),
            ),
            (*_found(report, row), row.note),
        )
        for row in rows
    ]
    yield from table_lines(columns, lines, width=width, note="why")


def _tables(report: ScanReport, width: int) -> Iterator[Text]:
    short = [item for item in report.tables if item.problem]
    full = len(report.tables) - len(short)
    yield heading("rows")
    words = f"{full} of {counted(len(report.tables), 'table')} filled"
    if short:
        words += "; for the others, write rows in the function that 'populate' names"
    yield from (Text(f"  {line}") for line in wrapped(words, width=width - 2))
    columns = (Column("table", "left"), Column("rows"), Column("wanted"))
    rows = [
        Row(
            (Text(single_line(item.table)), Text(grouped(item.rows)), Text(grouped(item.wanted))),
            (item.problem,),
        )
        for item in short
    ]
    if rows:
        yield from table_lines(columns, rows, width=width, note="refused by")


def _closing(report: ScanReport) -> Iterator[Text]:
    measured = _measured(report)
    growing = sum(row.trend is Trend.GROWING for row in measured)
    word = Text(report.verdict.upper(), style=VERDICT_STYLES[report.verdict])
    judgement = report.judgement
    if report.verdict is Verdict.INCONCLUSIVE:
        yield Text.assemble(word, ": no endpoint could be measured")
        return
    yield Text.assemble(
        word,
        f": {len(judgement.open)} open, {len(judgement.accepted)} accepted; {growing} growing, "
        f"{len(measured)} of {counted(len(report.endpoints), 'endpoint')} measured",
    )
