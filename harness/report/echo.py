"""The counts of an echo log, for a terminal of 80 columns and for machines.

Beside the report of a checkup, not part of it: a log knows no endpoint and no line to edit, so
there are no findings, only numbers and what stands out among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.text import Text

from harness.capture.echo.tally import EchoTally, ShapeCount, TagCount, Units
from harness.report.columns import Column, Row, table_lines, wrapped
from harness.report.json import Json
from harness.report.quantities import counted, grouped
from harness.report.text_tables import heading
from harness.report.wording import single_line

__all__ = ["EchoLimit", "echo_as_json", "print_echo"]

SCHEMA_VERSION = 1
_LONGEST_SHAPE = 300
_INDENT = 2


@dataclass(frozen=True, slots=True)
class EchoLimit:
    """A budget, and what became of it."""

    statements: int
    per: str
    """``tag`` or ``transaction``."""
    checked: int
    above: int
    most: int
    doubt: str = ""
    """Why nobody can tell whether it was kept; empty where that is certain."""


def echo_as_json(tally: EchoTally, *, source: str, limit: EchoLimit | None = None) -> str:
    """Every number, for machines; shapes and tags as far as they were kept."""
    content: dict[str, Json] = asdict(tally) | {
        "schema_version": SCHEMA_VERSION,
        "source": source,
        "limit": None if limit is None else asdict(limit),
        "by_tag": _units(tally.by_tag),
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _units(units: Units) -> Json:
    pairs = sorted(units.by_statements.items())
    return [{"statements": statements, "units": number} for statements, number in pairs]


def print_echo(
    tally: EchoTally,
    console: Console,
    *,
    source: str,
    top: int | None = 20,
    limit: EchoLimit | None = None,
) -> None:
    """Print the counts, what repeats, shapes and tags.

    Args:
        tally: The counts.
        console: As wide as it says.
        source: The name of the log.
        top: Rows of each table at most; None for all.
        limit: The budget, if there was one.
    """
    width = console.width
    sections = [
        _totals(tally, source, width),
        _repeats(tally, top, width),
        _shapes(tally, top, width),
        _tags(tally, top, width),
        _doubts(tally, width),
        _verdict(limit, width),
    ]
    blocks = [block for section in sections if (block := list(section))]
    for number, block in enumerate(blocks):
        for line in [Text(), *block] if number else block:
            console.print(_writable(line, console.encoding), soft_wrap=True)


def _writable(line: Text, encoding: str) -> Text:
    line.plain = line.plain.encode(encoding, "replace").decode(encoding)
    return line


def _totals(tally: EchoTally, source: str, width: int) -> Iterator[Text]:
    yield Text(f"{single_line(source)}: {counted(tally.lines, 'line')}", style="bold")
    ends = f"{grouped(tally.commits)} COMMIT, {grouped(tally.rollbacks)} ROLLBACK"
    rows = [
        ("statements", tally.statements, ""),
        ("round trips", tally.round_trips, _about_round_trips(tally)),
        ("transactions", tally.begins, ends),
        ("savepoints", tally.savepoints, "SAVEPOINT, RELEASE and their kin; no statements"),
        ("set-up", tally.setups, "asked by the dialect on its first connection; not counted"),
    ]
    cells = [
        Row((Text(name), Text(grouped(number))), (note,) if note else ())
        for name, number, note in rows
        if number or name != "set-up"
    ]
    columns = (Column("", "left"), Column(""))
    yield from (line for line in table_lines(columns, cells, width=width) if line.plain)


def _about_round_trips(tally: EchoTally) -> str:
    notes = []
    if batches := tally.round_trips - tally.statements:
        word = "batch" if batches == 1 else "batches"
        notes.append(f"{grouped(batches)} further {word} of bulk INSERTs")
    if tally.executemany:
        notes.append(f"{grouped(tally.executemany)} with several sets of parameters")
    return "; ".join(notes)


def _repeats(tally: EchoTally, top: int | None, width: int) -> Iterator[Text]:
    repeated = [each for each in tally.shapes if each.repeat.times >= tally.repeats_from]
    if not repeated:
        return
    repeated.sort(key=lambda each: (-each.repeat.times, each.shape.text))
    yield heading("repeated within one transaction")
    for each in repeated[:top]:
        yield from _indented(_repetition(each), _INDENT, width)
        yield from _indented(_sql(each), 2 * _INDENT, width, style="dim")
    yield from _rest(len(repeated), top)


def _repetition(each: ShapeCount) -> str:
    repeat = each.repeat
    times = counted(repeat.times, "time")
    row = "" if repeat.times_in_a_row < 2 else f", {grouped(repeat.times_in_a_row)} in a row"  # noqa: PLR2004
    where = "while several transactions were open" if repeat.is_shared else "in one transaction"
    tag = f" [{single_line(repeat.tag)}]" if repeat.tag else ""
    others = each.repeating_transactions - 1
    also = f"; repeated in {counted(others, 'other')}, too" if others > 0 else ""
    return f"the same shape {times} {where}{tag}{row}{also}"


def _shapes(tally: EchoTally, top: int | None, width: int) -> Iterator[Text]:
    if not tally.shapes:
        return
    yield heading("shapes")
    columns = (Column("fingerprint", "left"), Column("stmts"), Column("trips"))
    rows = [
        Row(
            (Text(each.shape.id), Text(grouped(each.statements)), Text(grouped(each.round_trips))),
            (_sql(each),),
        )
        for each in tally.shapes[:top]
    ]
    yield from table_lines(columns, rows, width=width, note="shape")
    yield from _rest(len(tally.shapes), top)


def _tags(tally: EchoTally, top: int | None, width: int) -> Iterator[Text]:
    if not tally.tags:
        return
    yield heading(counted(tally.tag_count, "tag"))
    columns = (Column("tag", "left"), Column("stmts"), Column("trips"), Column("transactions"))
    rows = [
        Row(
            (
                Text(single_line(each.tag)),
                *(
                    Text(grouped(number))
                    for number in (each.statements, each.round_trips, each.transactions)
                ),
            ),
            _about_tag(each, tally.repeats_from),
        )
        for each in tally.tags[:top]
    ]
    yield from table_lines(columns, rows, width=width, note="mostly")
    yield from _rest(tally.tag_count, top)


def _about_tag(each: TagCount, repeats_from: int) -> tuple[str, ...]:
    if each.shape is None or each.times < repeats_from:
        return ()
    return (f"{grouped(each.times)} x {_short(each.shape.text, 80)}",)


def _doubts(tally: EchoTally, width: int) -> Iterator[Text]:
    notes = []
    if tally.most_open > 1:
        notes.append(
            f"Up to {grouped(tally.most_open)} transactions were open at once, which the log does "
            "not tell apart: give connections a logging_token, or name what tells them apart "
            "with --tag."
        )
    if tally.textless:
        notes.append(
            f"{counted(tally.textless, 'round trip')} without a text: the log begins between the "
            "two, or another process wrote in between. Counted as (unknown)."
        )
    if tally.cut:
        notes.append(
            f"{counted(tally.cut, 'statement')} without parameters: the log ends between the two, "
            "or a filter keeps them out. Counted; what was a batch cannot be told."
        )
    if tally.unlisted_statements:
        notes.append(
            f"{counted(tally.unlisted_statements, 'statement')} of further shapes: values are "
            "written into the SQL instead of bound."
        )
    for note in notes:
        yield from _indented(note, 0, width, style="dim")


def _verdict(limit: EchoLimit | None, width: int) -> Iterator[Text]:
    if limit is None:
        return
    each = f"{grouped(limit.checked)} checked"
    if limit.doubt:
        word, style, told = "INCONCLUSIVE", "yellow", limit.doubt
    elif limit.above:
        word, style = "FAIL", "bold red"
        told = f"{grouped(limit.above)} of {each} ran more, the largest {grouped(limit.most)}"
    else:
        word, style, told = "PASS", "green", f"{each}, the largest ran {grouped(limit.most)}"
    sentence = f"{word}: at most {counted(limit.statements, 'statement')} per {limit.per}; {told}"
    yield from _indented(sentence, 0, width, style=style)


def _indented(text: str, indent: int, width: int, *, style: str = "") -> Iterator[Text]:
    for line in wrapped(text, width=width - indent):
        yield Text(" " * indent + line, style=style)


def _sql(each: ShapeCount) -> str:
    return _short(each.shape.text, _LONGEST_SHAPE)


def _short(text: str, longest: int) -> str:
    line = single_line(text)
    return (
        line if len(line) <= longest else f"{line[: longest * 2 // 3]} ... {line[-longest // 3 :]}"
    )


def _rest(number: int, top: int | None) -> Iterator[Text]:
    if top is not None and number > top:
        yield Text(f"  and {grouped(number - top)} more (--top 0 shows all)", style="dim")
