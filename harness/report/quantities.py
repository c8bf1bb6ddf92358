"""Numbers as people read them, with their units; the terminal and the page share these.

A module of its own so that a duration never reads `0.0054 s` in one place and `5.4 ms` in another.
"""

from __future__ import annotations

import math

__all__ = ["NOTHING", "counted", "duration", "grouped", "plain"]

NOTHING = "-"
"""What stands where there is no number."""

_SMALLEST_MILLISECONDS = 0.05
_MINUTE_SECONDS = 60


def duration(seconds: float | None) -> str:
    """Two to three digits and a unit: ``5.4 ms``, ``412 ms``, ``1.24 s``, ``2 min 5 s``."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    milliseconds = seconds * 1000
    if milliseconds < _SMALLEST_MILLISECONDS:
        return "<0.1 ms" if milliseconds > 0 else "0 ms"
    if round(milliseconds) < 1000:  # noqa: PLR2004 - milliseconds in a second
        return f"{_three_digits(milliseconds, decimals=1)} ms"
    if round(seconds) < _MINUTE_SECONDS:
        return f"{_three_digits(seconds, decimals=2)} s"
    minutes, rest = divmod(round(seconds), _MINUTE_SECONDS)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _three_digits(value: float, *, decimals: int) -> str:
    """Fewer decimals the more digits stand before the point, none where they are all zero."""
    digits_before = int(math.log10(max(round(value, decimals), 1)))
    text = f"{value:.{max(0, decimals - digits_before)}f}"
    return text.removesuffix(".00").removesuffix(".0")


def grouped(number: int | None) -> str:
    """A whole number with thousands set apart: ``12,400``."""
    return NOTHING if number is None else f"{number:,}"


def plain(number: float | None) -> str:
    """A ratio or a rate: one decimal, none where it is whole."""
    if number is None or not math.isfinite(number):
        return NOTHING
    return f"{number:,.1f}".removesuffix(".0")


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 finding``, ``2 findings``, ``0 findings``."""
    return f"{grouped(number)} {noun}" if number == 1 else f"{grouped(number)} {noun}s"
