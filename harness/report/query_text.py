"""What a failed query gate says in a log: the endpoint, what rose, where to edit, how to accept.

At most 14 lines of 80 columns for an endpoint, whatever is in it, because a message that fills
the screen is not read. Plain text, for pytest's own report and for logs: whoever prints it may
colour it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.checks.regression import Change, EndpointChange, ShapeChange
from harness.findings import Finding, SourceLine
from harness.report.quantities import counted, grouped
from harness.report.query_content import QueryReport
from harness.report.query_lines import WIDTH, columns, cut, cut_sql, filled, screen_lines
from harness.report.query_wording import (
    ACCEPT_COMMANDS,
    accept_command,
    changed_totals,
    counts_in_words,
    endpoint_site,
    missing_endpoints,
    open_findings_at,
    shape_history,
    witness,
)
from harness.report.wording import SEVERITY_WORDS, allow_entry, single_line

__all__ = [
    "MOST_LINES",
    "change_as_text",
    "hint_lines",
    "new_endpoints_as_text",
    "problems_as_text",
]

MOST_LINES = 14
"""Of the screen, for one endpoint."""

_FEWEST_SHAPE_LINES = 2
_VALUES_FROM = 12
_MOST_ENDPOINTS = 10
_MOST_PROBLEM_LINES = 6
_IN_FULL = 2
_SHORTEST_CODE = 10


def change_as_text(change: EndpointChange, report: QueryReport) -> str:
    """What became of an endpoint, in at most 14 lines.

    A name that has to be copied (an identity, a test) may be longer than a line; it is whole, or,
    where it would take more than two lines of the screen, replaced by where it is to be found.
    """
    for most in (_IN_FULL, 1):
        above, below = list(_above(change, report, most)), list(_below(change, report, most))
        free = MOST_LINES - sum(map(screen_lines, [*above, *below]))
        if free >= _FEWEST_SHAPE_LINES:
            break
    return "\n".join([*above, *_shape_lines(change, free), *below])


def _above(change: EndpointChange, report: QueryReport, most: int) -> Iterator[str]:
    yield from _title(change, report, most)
    yield _cut_at(2, changed_totals(change))
    found = open_findings_at(report, change.endpoint)
    if found:
        yield from _finding(found[0], most)
    if len(found) > 1:
        yield _cut_at(2, f"and {counted(len(found) - 1, 'further finding')} here")


def _below(change: EndpointChange, report: QueryReport, most: int) -> Iterator[str]:
    test = witness(report, change)
    if test:
        yield _copied("  shown by ", test, most)
    yield f"  accept all of it: {accept_command(change)}"


def _title(change: EndpointChange, report: QueryReport, most: int) -> Iterator[str]:
    name = single_line(f"{change.endpoint} on {change.dialect}")
    site = endpoint_site(report, change.endpoint)
    where = f"({site.function}, {site})" if site is not None and site.function else f"({site})"
    where = "" if site is None else single_line(where)
    line = f"{name}  {where}".rstrip()
    if columns(line) <= WIDTH or not where:
        yield cut(line, WIDTH)
        return
    yield cut(name, WIDTH)
    if most > 1:
        yield _cut_at(2, where)


def _finding(finding: Finding, most: int) -> Iterator[str]:
    word = SEVERITY_WORDS[finding.severity]
    title = filled(f"{word}  {finding.kind}: {finding.title}", WIDTH - 4, most=most)
    yield from (f"{'  ' if number == 0 else '    '}{line}" for number, line in enumerate(title))
    if finding.site is not None:
        yield _edit(finding.site, most)
    fix = filled(finding.fix, WIDTH - _VALUES_FROM, most=most)
    yield from (_labelled("change" if number == 0 else "", line) for number, line in enumerate(fix))
    yield from _acceptance(finding)


def _edit(site: SourceLine, most: int) -> str:
    """The place is whole before its code is shown: it has to be found."""
    line = _copied(f"    {'edit':<{_VALUES_FROM - 4}}", str(site), most)
    free = WIDTH - columns(line) - 2
    return f"{line}  {cut(site.code, free)}" if site.code and free >= _SHORTEST_CODE else line


def _acceptance(finding: Finding) -> Iterator[str]:
    entry = [f"{'':{_VALUES_FROM}}{line}" for line in allow_entry(finding.identity).splitlines()]
    if max(map(screen_lines, entry)) > _IN_FULL:
        yield _labelled("accept", "an allowance; pytest --query-report=FILE.json has its identity")
        return
    yield from (_labelled("accept", entry[0]), *entry[1:])


def _cut_at(indent: int, text: str) -> str:
    """A line that begins further right and ends at the edge of the screen."""
    return " " * indent + cut(text, WIDTH - indent)


def _copied(start: str, name: str, most: int) -> str:
    line = f"{start}{single_line(name)}"
    return line if screen_lines(line) <= most else f"{start}{cut(name, WIDTH - columns(start))}"


def _labelled(label: str, value: str) -> str:
    return f"    {label:<{_VALUES_FROM - 4}}{cut(value, WIDTH - _VALUES_FROM)}"


def _shape_lines(change: EndpointChange, free: int) -> Iterator[str]:
    shapes = change.shapes
    if change.change is Change.REGRESSION and not any(shape.is_worse for shape in shapes):
        yield _cut_at(2, "none runs more often than the lock allows, but together they do")
        free -= 1
    shown = shapes if len(shapes) <= free else shapes[: free - 1]
    width = max((len(_difference(shape)) for shape in shown), default=0)
    for shape in shown:
        start, end = f"  {_difference(shape):>{width}}  ", f"  ({shape_history(shape)})"
        yield f"{start}{cut_sql(shape.text, WIDTH - len(start) - len(end))}{end}"
    if len(shapes) > len(shown):
        yield _cut_at(2, f"… and {grouped(len(shapes) - len(shown))} more")


def _difference(shape: ShapeChange) -> str:
    return f"{shape.after - shape.before:+,d}"


def problems_as_text(report: QueryReport) -> str:
    """Why the gate could not see, with what to do; empty where it could."""
    return "\n".join(line for problem in report.problems for line in _problem(problem))


def _problem(problem: str) -> Iterator[str]:
    lines = filled(problem, WIDTH - 2, most=_MOST_PROBLEM_LINES)
    yield from (f"{'' if number == 0 else '  '}{line}" for number, line in enumerate(lines))


def new_endpoints_as_text(report: QueryReport) -> str:
    """Endpoints without an entry and the command that adds them; empty where there are none."""
    new = missing_endpoints(report)
    if not new:
        return ""
    have = "has" if len(new) == 1 else "have"
    lines = [f"{counted(len(new), 'endpoint')} {have} no entry in the query lock:"]
    lines += [_cut_at(2, _new_endpoint(change)) for change in new[:_MOST_ENDPOINTS]]
    if len(new) > _MOST_ENDPOINTS:
        lines.append(f"  … and {len(new) - _MOST_ENDPOINTS} more")
    return "\n".join([*lines, f"add them: {ACCEPT_COMMANDS[Change.NEW]}"])


def _new_endpoint(change: EndpointChange) -> str:
    return f"{change.endpoint} on {change.dialect}: {counts_in_words(change.after)}"


def hint_lines(report: QueryReport) -> tuple[str, ...]:
    """What fails nothing, but is good to know: one line each."""
    return tuple(_hints(report))


def _hints(report: QueryReport) -> Iterator[str]:
    fewer = _number(report.changes, Change.IMPROVEMENT)
    gone = _number(report.changes, Change.GONE)
    tighten = ACCEPT_COMMANDS[Change.IMPROVEMENT]
    if fewer:
        run = "runs" if fewer == 1 else "run"
        yield f"{counted(fewer, 'endpoint')} {run} less than the query lock allows: {tighten}"
    if gone and not report.gaps:
        were = "was" if gone == 1 else "were"
        yield f"{counted(gone, 'endpoint')} of the query lock {were} not requested: {tighten}"


def _number(changes: Iterable[EndpointChange], kind: Change) -> int:
    return sum(each.change is kind for each in changes)
