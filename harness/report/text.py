"""The verdict screen: a finished report for a terminal or for the log of a CI job.

Findings first, since they are what someone has to act on; tables after; one line with the verdict
at the end, where a log is read first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from harness.findings import Judgement
from harness.report.columns import wrapped
from harness.report.content import Report
from harness.report.quantities import counted, duration
from harness.report.text_findings import accepted_finding_lines, open_finding_lines
from harness.report.text_tables import (
    VERDICT_STYLES,
    endpoint_lines,
    exhaustion_lines,
    heading,
    load_lines,
    probe_lines,
)
from harness.report.wording import headline, single_line

__all__ = ["judgement_lines", "print_block", "render_text"]


def render_text(report: Report, console: Console) -> None:
    """Print the report, as wide as the console says, coloured if the console is.

    Lines are broken here and nowhere else: a path, an identity or TOML to paste is never cut, even
    where it is longer than the console is wide.
    """
    width = console.width
    sections = [
        _opening(report, width),
        *judgement_lines(report.judgement, width=width),
        endpoint_lines(report, width=width),
        probe_lines(report.probes, width=width),
        load_lines(report.load, width=width),
        exhaustion_lines(report.exhaustion, width=width),
        _unmatched(report),
    ]
    for section in sections:
        print_block(console, section)
    print_block(console, _closing(report), is_last=True)


def print_block(console: Console, lines: Iterable[Text], *, is_last: bool = False) -> None:
    """Print a section, and an empty line after it."""
    block = list(lines)
    for line in block:
        console.print(_writable(line, console.encoding), soft_wrap=True)
    if block and not is_last:
        console.print()


def _writable(line: Text, encoding: str) -> Text:
    """The line with ``?`` for what the log cannot hold: a report must not end in a traceback."""
    line.plain = line.plain.encode(encoding, "replace").decode(encoding)
    return line


def _opening(report: Report, width: int) -> Iterator[Text]:
    yield Text(f"harness {report.harness_version}  {report.application}", style="bold")
    when = f"{report.database}; started {report.started_at}, took {duration(report.seconds)}"
    yield from (Text(line, style="dim") for line in wrapped(when, width=width))


def judgement_lines(judgement: Judgement, *, width: int) -> tuple[Iterator[Text], Iterator[Text]]:
    """The sections of open and of accepted findings."""
    return _open_findings(judgement, width), _accepted_findings(judgement, width)


def _open_findings(judgement: Judgement, width: int) -> Iterator[Text]:
    found = judgement.open
    if not found:
        yield heading("no open findings")
    for number, finding in enumerate(found):
        yield Text() if number else heading(counted(len(found), "open finding"))
        yield from open_finding_lines(finding, width=width)


def _accepted_findings(judgement: Judgement, width: int) -> Iterator[Text]:
    accepted = judgement.accepted
    if accepted:
        yield heading(counted(len(accepted), "accepted finding"))
    for finding, allowance in accepted:
        yield from accepted_finding_lines(finding, allowance, width=width)


def _unmatched(report: Report) -> Iterator[Text]:
    unmatched = report.judgement.unmatched
    if unmatched:
        title = f"{counted(len(unmatched), 'allowance')} matching no finding"
        yield heading(title) + Text("  (fixed, or a typing error: remove or correct)", "dim")
    for allowance in unmatched:
        yield Text(f"  {single_line(allowance.identity)}")


def _closing(report: Report) -> Iterator[Text]:
    verdict = Text(report.verdict.upper(), style=VERDICT_STYLES[report.verdict])
    yield Text.assemble(verdict, f": {headline(report)}")
