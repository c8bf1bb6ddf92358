"""The query report as Markdown: for a job's summary on GitHub and for a comment on a pull request.

The verdict comes first, then a table of what changed; statements and findings are folded away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checks.regression import Change, EndpointChange, ShapeChange
from harness.findings import Finding
from harness.report.markup import code, fenced, prose
from harness.report.quantities import counted
from harness.report.query_content import QueryReport
from harness.report.query_lines import cut_sql
from harness.report.query_wording import (
    accept_command,
    counts_in_words,
    endpoint_site,
    headline,
    open_findings,
    open_findings_at,
    shape_history,
    witness,
)
from harness.report.wording import SEVERITY_WORDS, allow_entry, place

__all__ = ["COMMENT_BYTES", "SUMMARY_BYTES", "query_to_markdown"]

COMMENT_BYTES = 65_536
"""GitHub refuses a comment of more characters; counted in bytes, so that no way of counting
characters makes it too long."""
SUMMARY_BYTES = 1024 * 1024
"""GitHub shows nothing of the summary of a step that is larger."""

_MOST_ROWS = 100
_MOST_SHAPES = 30
_LONGEST_NAME = 200
_LONGEST_SQL = 400
_LONGEST_TEXT = 2000
_RESERVED_BYTES = 200  # for the line that says what was left out
_ORDER = (Change.REGRESSION, Change.NEW, Change.GONE, Change.IMPROVEMENT)
_WORDS = {
    Change.REGRESSION: "**more**",
    Change.NEW: "new",
    Change.GONE: "gone",
    Change.IMPROVEMENT: "fewer",
}


def query_to_markdown(report: QueryReport, *, most_bytes: int = COMMENT_BYTES) -> str:
    """The report as Markdown of at most so many bytes; what is left out is said.

    Args:
        report: The report.
        most_bytes: The default is short enough for a comment, and so for a summary.
    """
    changes = [each for kind in _ORDER for each in report.changes if each.change is kind]
    blocks = [*_opening(report), *_table(changes), *_details(report, changes)]
    return "\n\n".join(_fitting(blocks, most_bytes - _RESERVED_BYTES)) + "\n"


def _fitting(blocks: Sequence[str], most_bytes: int) -> Iterator[str]:
    """As many of the first blocks as fit; each is whole, so that no fence stays open."""
    size = 0
    for number, block in enumerate(blocks):
        size += len(block.encode()) + 2
        if size > most_bytes:
            left = counted(len(blocks) - number, "section")
            yield f"*Shortened: {left} did not fit; `--query-report=FILE.json` has everything.*"
            return
        yield block


def _opening(report: QueryReport) -> Iterator[str]:
    yield f"### Queries: {report.verdict.upper()}"
    yield headline(report)
    for texts, title in ((report.problems, "cannot be judged"), (report.gaps, "incomplete run")):
        items = [prose(text, most=_LONGEST_TEXT) for text in texts[:_MOST_SHAPES]]
        if items:
            yield "\n".join(f"- {title}: {item}" for item in items)


def _table(changes: Sequence[EndpointChange]) -> Iterator[str]:
    if not changes:
        return
    rows = ["| endpoint | | before | after |", "| --- | --- | --- | --- |"]
    rows += [_row(change) for change in changes[:_MOST_ROWS]]
    if len(changes) > _MOST_ROWS:
        rows.append(f"| … and {len(changes) - _MOST_ROWS} more | | | |")
    yield "\n".join(rows)


def _row(change: EndpointChange) -> str:
    counts = f"{counts_in_words(change.before)} | {counts_in_words(change.after)}"
    return f"| {_name(change)} | {_WORDS[change.change]} | {counts} |"


def _name(change: EndpointChange) -> str:
    return f"{code(change.endpoint, most=_LONGEST_NAME)} on {code(change.dialect, most=40)}"


def _details(report: QueryReport, changes: Sequence[EndpointChange]) -> Iterator[str]:
    told: set[str] = set()
    for change in changes:
        found = open_findings_at(report, change.endpoint)
        if change.before is not None and change.after is not None:
            told.update(each.identity for each in found)
            yield _folded(_name(change), [*_change(report, change), *map(_finding, found)])
    for finding in open_findings(report):
        if finding.identity not in told:
            yield _folded(code(finding.identity, most=_LONGEST_NAME), [_finding(finding)])


def _folded(title: str, blocks: Sequence[str]) -> str:
    return "\n\n".join([f"<details><summary>{title}</summary>", *blocks, "</details>"])


def _change(report: QueryReport, change: EndpointChange) -> Iterator[str]:
    site, test = endpoint_site(report, change.endpoint), witness(report, change)
    lines = [f"- handled by {code(place(site), most=_LONGEST_NAME)}"] if site else []
    lines += [f"- shown by {code(test, most=_LONGEST_NAME)}"] if test else []
    yield "\n".join([*lines, f"- accept: `{accept_command(change)}`"])
    if change.shapes:
        shown = [_shape(shape) for shape in change.shapes[:_MOST_SHAPES]]
        more = len(change.shapes) - len(shown)
        yield fenced([*shown, *([f"  … and {more} more"] if more else [])], language="diff")


def _shape(shape: ShapeChange) -> str:
    difference = shape.after - shape.before
    # A line of a diff is coloured by its first letter: what only began to grow is more, too.
    sign = "+" if shape.is_worse else "-"
    return f"{sign}{abs(difference)}  {cut_sql(shape.text, _LONGEST_SQL)}  ({shape_history(shape)})"


def _finding(finding: Finding) -> str:
    title = prose(finding.title, most=_LONGEST_TEXT)
    lines = [f"**{SEVERITY_WORDS[finding.severity]}** {title}", ""]
    if finding.site is not None:
        where = code(place(finding.site), most=_LONGEST_NAME)
        line = f": {code(finding.site.code, most=_LONGEST_NAME)}" if finding.site.code else ""
        lines.append(f"- edit {where}{line}")
    lines.append(f"- change {code(finding.fix, most=_LONGEST_TEXT)}")
    for related in finding.related[:_MOST_SHAPES]:
        where = code(place(related.site), most=_LONGEST_NAME)
        lines.append(f"- {prose(related.role, most=_LONGEST_NAME)}: {where}")
    entry = fenced(allow_entry(finding.identity).splitlines(), language="toml")
    return "\n".join([*lines, "- accept, in `pyproject.toml`:", "", entry])
