"""The screen of a load run: verdict, what to set, why requests are slow; the tables after.

Unlike a checkup's, which ends with its verdict, this begins with it: a load run is read while it
is discussed what to set, and the tables below are the evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from harness.checks.load.pool_sizing import Recommendation
from harness.findings import Verdict
from harness.report.columns import wrapped
from harness.report.load_content import LoadReport
from harness.report.load_tables import curve_lines, phase_lines, route_time_lines, trouble_lines
from harness.report.load_times import route_times
from harness.report.load_wording import (
    bounds_text,
    cause_evidence,
    cause_text,
    curve_note,
    fleet_text,
    has_size,
    interval_text,
    law_text,
    load_headline,
    reasons_text,
    settings_text,
)
from harness.report.quantities import duration
from harness.report.text import judgement_lines, print_block
from harness.report.text_tables import VERDICT_STYLES, exhaustion_lines, heading, probe_lines
from harness.report.wording import place, single_line

__all__ = ["render_load_text"]

_VALUES_FROM = 12


def render_load_text(report: LoadReport, console: Console) -> None:
    """Print the report, as wide as the console says, coloured if the console is."""
    width = console.width
    routes = route_times(report.explained) if report.explained else ()
    sections = [
        _opening(report, width),
        _pool_size(report.recommendation, width),
        _cause(report, width),
        probe_lines(report.answered, width=width),
        probe_lines(report.skipped, width=width, title="not tried"),
        *judgement_lines(report.judgement, width=width),
        route_time_lines(routes, width=width),
        exhaustion_lines(report.exhaustion, width=width),
        trouble_lines(report, width=width),
        phase_lines(report.phases, width=width),
        _unmatched(report, width),
    ]
    blocks = [block for section in sections if (block := list(section))]
    for number, block in enumerate(blocks, 1):
        print_block(console, block, is_last=number == len(blocks))


def _opening(report: LoadReport, width: int) -> Iterator[Text]:
    verdict = report.verdict.upper()
    headline = [Text(line) for line in wrapped(f"{verdict}: {load_headline(report)}", width=width)]
    headline[0].stylize(VERDICT_STYLES[report.verdict], 0, len(verdict))
    yield from headline
    yield Text(f"harness {report.harness_version}  {single_line(report.application)}", "bold")
    where = "; ".join(part for part in (report.target, report.database) if part)
    when = f"{where}; started {report.started_at}, took {duration(report.seconds)}"
    yield from (Text(line, style="dim") for line in wrapped(when, width=width))


def _labelled(label: str, texts: Iterable[str], width: int, *, style: str = "") -> Iterator[Text]:
    """Paragraphs beside a label, which stands once."""
    lines = [line for text in texts for line in wrapped(text, width=width - _VALUES_FROM)]
    for number, line in enumerate(lines):
        start = f"  {label if number == 0 else '':{_VALUES_FROM - 2}}"
        yield Text.assemble((start, "dim"), (line, style))


def _pool_size(told: Recommendation | None, width: int) -> Iterator[Text]:
    """What to set, how sure that is, what it rests on and what would change it."""
    if told is None:
        return
    is_sized = has_size(told)
    answer = f"{settings_text(told)} in each process" if is_sized else settings_text(told)
    yield heading("pool size") + Text.assemble("  ", (told.verdict, VERDICT_STYLES[told.verdict]))
    style = "bold green" if told.verdict in {Verdict.PASS, Verdict.WARN} else "bold"
    yield from _labelled("set" if is_sized else "answer", [answer], width, style=style)
    yield from _labelled("interval", [interval_text(told)], width)
    yield from _labelled("why", reasons_text(told), width)
    yield from _labelled("fleet", [fleet_text(told)], width)
    yield from _labelled("unless", told.would_change, width)
    yield from _labelled("model", [bounds_text(told)], width)
    yield from _labelled("law", [law_text(told)], width)
    yield from _labelled("left out", told.left_out, width)
    yield from _labelled("curve", [curve_note(told)], width)
    yield from curve_lines(told, width=width)


def _cause(report: LoadReport, width: int) -> Iterator[Text]:
    """Why requests are slow, with the evidence; the fix stands with the finding."""
    text = cause_text(report)
    if not text:
        return
    yield heading("why requests are slow")
    yield from (Text(f"  {line}") for line in wrapped(text, width=width - 2))
    finding = cause_evidence(report)
    if finding is None:
        return
    yield from _labelled("where", [place(finding.site) if finding.site else ""], width)
    evidence = "; ".join(f"{name} {value}" for name, value in finding.evidence)
    yield from _labelled("evidence", [evidence], width)


def _unmatched(report: LoadReport, width: int) -> Iterator[Text]:
    allowances = report.judgement.unmatched
    if allowances:
        yield heading("allowances matching no finding")
    for allowance in allowances:
        yield from _labelled("remove", [allowance.identity], width)
