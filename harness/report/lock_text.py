"""The difference between two query locks as text of 80 columns: endpoint, before, after, shapes.

Plain text, without colours: it is read in the log of a CI job as often as on a terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from harness.checks.regression import Change, EndpointChange
from harness.lock.counts import EndpointCounts
from harness.report.lock_content import LockDiff, change_counts, shape_line
from harness.report.quantities import counted, grouped
from harness.report.wording import single_line

__all__ = ["lock_diff_as_text"]

_WIDTH = 80
_MOST_SHAPES = 10
_HEADINGS = {
    Change.REGRESSION: "MORE THAN BEFORE",
    Change.IMPROVEMENT: "FEWER THAN BEFORE",
    Change.NEW: "NEW",
    Change.GONE: "GONE",
}


def lock_diff_as_text(diff: LockDiff) -> str:
    """Regressions first, each with the statements that changed; the counts of all come last."""
    sections = [list(_section(change, diff)) for change in _HEADINGS]
    sections.append(list(_conclusion(diff)))
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _section(change: Change, diff: LockDiff) -> Iterator[str]:
    endpoints = diff.of(change)
    if not endpoints:
        return
    yield _HEADINGS[change]
    for each in endpoints:
        yield from _lines(f"{_named(each, diff)}  {_totals(each)}", first=2, then=4)
        if change in {Change.REGRESSION, Change.IMPROVEMENT}:
            yield from _shapes(each)


def _named(each: EndpointChange, diff: LockDiff) -> str:
    name = single_line(each.endpoint)
    return name if len(diff.dialects) == 1 else f"{name} on {each.dialect}"


def _totals(each: EndpointChange) -> str:
    if each.before is None or each.after is None:
        only = each.before or each.after or EndpointCounts(0, 0)
        trips = counted(only.round_trips, "round trip")
        return f"{counted(only.statements, 'statement')}, {trips}"
    before, after = each.before, each.after
    return (
        f"statements {grouped(before.statements)} -> {grouped(after.statements)}, "
        f"round trips {grouped(before.round_trips)} -> {grouped(after.round_trips)}"
    )


def _shapes(each: EndpointChange) -> Iterator[str]:
    for shape in each.shapes[:_MOST_SHAPES]:
        yield f"    {shape_line(shape, width=_WIDTH - 4)}"
    if len(each.shapes) > _MOST_SHAPES:
        yield f"    ... and {counted(len(each.shapes) - _MOST_SHAPES, 'further statement')}"


def _conclusion(diff: LockDiff) -> Iterator[str]:
    names = f"{single_line(diff.before)} -> {single_line(diff.after)}"
    yield from _lines(f"{names} on {', '.join(diff.dialects)}: {change_counts(diff.changes)}")
    for note in diff.notes:
        yield from _lines(f"note: {note}", then=2)


def _lines(text: str, *, first: int = 0, then: int = 2) -> list[str]:
    # Only between words: a path or an endpoint must survive being copied.
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * first,
        subsequent_indent=" " * then,
        break_long_words=False,
        break_on_hyphens=False,
    )
