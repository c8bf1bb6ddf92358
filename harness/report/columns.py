"""Aligned columns for a terminal that never break an identifier.

Rich's own tables fold a long cell in the middle of a word. Here a cell that does not fit takes a
line of its own, notes wrap between words only, and a word longer than the line is left whole: a
path or an identity must survive being copied out of a CI log.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.text import Text

from harness.report.wording import single_line

__all__ = ["Column", "Row", "table_lines", "wrapped"]

_INDENT = 2
_GAP = 2
_NOTE_INDENT = 4
_NARROWEST_NOTE = 38
"""Below this many columns, notes go under their row instead of beside it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and the side to which its cells are pushed."""

    heading: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, and notes that go beside or under them."""

    cells: tuple[Text, ...]
    notes: tuple[str, ...] = field(default=())


def wrapped(text: str, *, width: int) -> list[str]:
    """Lines of at most `width` columns, broken between words only."""
    return textwrap.wrap(
        single_line(text), max(width, 1), break_long_words=False, break_on_hyphens=False
    )


def table_lines(
    columns: Sequence[Column], rows: Sequence[Row], *, width: int, note: str = ""
) -> Iterator[Text]:
    """Lines of a table; `note` is the heading of the notes where they fit beside the cells."""
    natural = [_natural_width(index, columns, rows) for index in range(len(columns))]
    note_from = _INDENT + sum(natural) + _GAP * len(natural)
    is_beside = width - note_from >= _NARROWEST_NOTE
    rest = sum(natural[1:]) + _GAP * (len(natural) - 1)
    widths = [min(natural[0], max(width - _INDENT - rest, 1)), *natural[1:]]
    headings = Row(tuple(Text(column.heading, style="dim") for column in columns), (note,))
    for is_heading, row in [(True, headings), *((False, row) for row in rows)]:
        lines = list(_cell_lines(columns, row, widths))
        if is_beside:
            yield from _with_notes_beside(lines, row, note_from, width)
        else:
            yield from lines
            yield from () if is_heading else _notes_under(row, width)


def _natural_width(index: int, columns: Sequence[Column], rows: Sequence[Row]) -> int:
    cells = (row.cells[index].cell_len for row in rows)
    return max([len(columns[index].heading), *cells])


def _cell_lines(columns: Sequence[Column], row: Row, widths: Sequence[int]) -> Iterator[Text]:
    first, *others = row.cells
    line = Text(" " * _INDENT)
    if first.cell_len > widths[0]:
        yield Text.assemble(line, first)
        first = Text()
    for column, cell, width in zip(columns, [first, *others], widths, strict=True):
        padding = " " * (width - cell.cell_len)
        line += Text.assemble(padding, cell) if column.align == "right" else cell + Text(padding)
        line += Text(" " * _GAP)
    line.rstrip()
    yield line


def _with_notes_beside(lines: list[Text], row: Row, note_from: int, width: int) -> Iterator[Text]:
    texts = [line for note in row.notes for line in wrapped(note, width=width - note_from)]
    *above, last = lines
    yield from above
    for number, text in enumerate(texts or [""]):
        start = last if number == 0 else Text()
        line = start + Text(" " * (note_from - start.cell_len)) + Text(text, style="dim")
        line.rstrip()
        yield line


def _notes_under(row: Row, width: int) -> Iterator[Text]:
    for note in row.notes:
        for number, line in enumerate(wrapped(note, width=width - _NOTE_INDENT - 2)):
            indent = _NOTE_INDENT if number == 0 else _NOTE_INDENT + 2
            yield Text(" " * indent + line, style="dim")
