"""Text measured in columns of a terminal, and cut to them.

A module of its own because a limit of lines means nothing without one of columns, and because a
letter is not always one column: those of East Asia take two, combining marks none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from harness.report.wording import single_line

__all__ = ["WIDTH", "columns", "cut", "cut_sql", "filled", "screen_lines"]

WIDTH = 80
"""Columns of a terminal that nobody has made wider, and of most CI logs."""

_CUT = "…"
_SELECTED = re.compile(r"^(SELECT(?: DISTINCT)? ).*?( FROM )", re.IGNORECASE)


def columns(text: str) -> int:
    """How many columns a line takes."""
    return len(text) if text.isascii() else sum(map(_letter_columns, text))


def _letter_columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def screen_lines(line: str, *, width: int = WIDTH) -> int:
    """How many lines of the screen a line takes that a terminal breaks."""
    return max(1, -(-columns(line) // width))


def cut(text: str, width: int) -> str:
    """One line of at most so many columns; what was left out shows as ``…``."""
    line = single_line(text)
    if columns(line) <= width:
        return line
    return f"{_head(line, max(width - 1, 0)).rstrip()}{_CUT}"[: max(width, 0)]


def _head(line: str, width: int) -> str:
    taken = 0
    for place, letter in enumerate(line):
        taken += _letter_columns(letter)
        if taken > width:
            return line[:place]
    return line


def cut_sql(text: str, width: int) -> str:
    """A statement in one line: its list of columns goes first, since the rest tells more."""
    line = single_line(text)
    if columns(line) > width:
        line = _SELECTED.sub(rf"\g<1>{_CUT}\g<2>", line, count=1)
    return cut(line, width)


def filled(text: str, width: int, *, most: int) -> list[str]:
    """Lines of so many columns, broken between words, at most so many; the last one is cut.

    The line breaks of the text are kept: those of an edit are part of it.
    """
    lines = [line for paragraph in text.splitlines() for line in _broken(paragraph, width)]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], cut(f"{lines[most - 1]} {_CUT}", width)]


def _broken(paragraph: str, width: int) -> Iterator[str]:
    line = ""
    for word in single_line(paragraph).split(" "):
        longer = f"{line} {word}" if line else word
        if line and columns(longer) > width:
            yield cut(line, width)
            longer = word
        line = longer
    if line:
        yield cut(line, width)
