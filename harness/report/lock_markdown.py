"""The difference between two query locks as Markdown, for a job's summary or a comment."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.regression import Change, EndpointChange
from harness.lock.counts import EndpointCounts
from harness.report.lock_content import LockDiff, change_counts, shape_line
from harness.report.markup import code, fenced
from harness.report.quantities import NOTHING, counted, grouped

__all__ = ["lock_diff_as_markdown"]

_ORDER = (Change.REGRESSION, Change.NEW, Change.GONE, Change.IMPROVEMENT)
_WORDS = {
    Change.REGRESSION: "**more**",
    Change.IMPROVEMENT: "fewer",
    Change.NEW: "new",
    Change.GONE: "gone",
}
# GitHub refuses a comment above 65,536 characters; 100 rows and 30 lists stay below that.
_MOST_ROWS = 100
_MOST_LISTS = 30
_MOST_SHAPES = 10
_LONGEST_LINE = 120
_LONGEST_NAME = 100


def lock_diff_as_markdown(diff: LockDiff) -> str:
    """The counts of all first, then a table of the endpoints, then the statements, folded away."""
    ordered = [each for change in _ORDER for each in diff.of(change)]
    dialects = ", ".join(_code(each) for each in diff.dialects)
    blocks = [
        f"### Query lock: {change_counts(diff.changes)}",
        f"{_code(diff.before)} → {_code(diff.after)} on {dialects}",
        *(f"- {code(note, most=_LONGEST_LINE)}" for note in diff.notes),
        "\n".join(_table(ordered, diff)),
        *_folded([each for each in ordered if each.shapes and each.before and each.after]),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(changes: list[EndpointChange], diff: LockDiff) -> Iterator[str]:
    if not changes:
        return
    yield "| endpoint | | statements | round trips |"
    yield "| --- | --- | ---: | ---: |"
    for each in changes[:_MOST_ROWS]:
        where = "" if len(diff.dialects) == 1 else f" on {_code(each.dialect)}"
        statements = f"{_statements(each.before)} → {_statements(each.after)}"
        round_trips = f"{_round_trips(each.before)} → {_round_trips(each.after)}"
        word = _WORDS[each.change]
        yield f"| {_code(each.endpoint)}{where} | {word} | {statements} | {round_trips} |"
    if len(changes) > _MOST_ROWS:
        yield f"| … and {counted(len(changes) - _MOST_ROWS, 'further endpoint')} | | | |"


def _statements(counts: EndpointCounts | None) -> str:
    return NOTHING if counts is None else grouped(counts.statements)


def _round_trips(counts: EndpointCounts | None) -> str:
    return NOTHING if counts is None else grouped(counts.round_trips)


def _folded(changes: list[EndpointChange]) -> Iterator[str]:
    for each in changes[:_MOST_LISTS]:
        lines = [shape_line(shape, width=_LONGEST_LINE) for shape in each.shapes[:_MOST_SHAPES]]
        if len(each.shapes) > _MOST_SHAPES:
            further = counted(len(each.shapes) - _MOST_SHAPES, "further statement")
            lines.append(f"… and {further}")
        yield "\n\n".join(
            [
                f"<details><summary>{_code(each.endpoint)}</summary>",
                fenced(lines, language="diff"),
                "</details>",
            ]
        )
    if len(changes) > _MOST_LISTS:
        yield f"… and the statements of {counted(len(changes) - _MOST_LISTS, 'further endpoint')}"


def _code(text: str) -> str:
    return code(text, most=_LONGEST_NAME)
