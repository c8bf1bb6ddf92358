"""Tables of figures that fit into 80 columns, in a terminal and in the log of a CI job alike."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.figures import Figures

__all__ = ["WIDTH", "cells", "milliseconds", "noise", "paragraph", "table", "verdict"]

WIDTH = 80
_GAP = "  "
_TEN = 10


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: the first column to the left, figures to the right.

    The first column is shortened where the table would be wider than `WIDTH`.
    """
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - len(_GAP) * len(widths))
    for row in (heading, *rows):
        first = _shortened(row[0], widths[0]).ljust(widths[0])
        others = (text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        yield (_GAP + _GAP.join([first, *others])).rstrip()


def milliseconds(seconds: float) -> str:
    """Two decimals below 10 ms, one above."""
    value = seconds * 1000
    return f"{value:.2f}" if abs(value) < _TEN else f"{value:,.1f}"


def cells(figures: Figures) -> list[str]:
    """Median, min and p95."""
    return [milliseconds(value) for value in (figures.median, figures.least, figures.p95)]


def paragraph(text: str) -> str:
    """A sentence or two, broken at `WIDTH` and set in like a table."""
    return textwrap.fill(text, WIDTH, initial_indent=_GAP, subsequent_indent=_GAP)


def verdict(value: float, target: float, *judged: Figures) -> str:
    """Whether a value is within its target; unsure where the machine was too busy to tell."""
    if not all(figures.is_steady for figures in judged):
        return "UNSURE"
    return "met   " if value <= target else "MISSED"


def noise(every: Iterable[Figures]) -> str:
    """How much to believe."""
    known = list(every)
    if any(len(figures.rounds) == 1 for figures in known):
        return "One round says nothing about the noise."
    spreads = sorted(figures.spread for figures in known)
    said = (
        f"Noise: the middle half of one line's rounds lies {spreads[len(spreads) // 2]:.0%} apart, "
        f"at worst {spreads[-1]:.0%}."
    )
    if all(figures.is_steady for figures in known):
        return said
    return f"{said} UNSURE: too busy a machine for a verdict; measure again."


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
