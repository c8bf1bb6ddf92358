"""Findings for a terminal: verdict, cause, where to edit, the fix, the numbers, how to accept.

Apart from the tables because this is the part that people act on, and its order is a promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from harness.findings import Allowance, Finding, RelatedSite, Severity, SourceLine
from harness.report.columns import wrapped
from harness.report.wording import (
    SEVERITY_WORDS,
    allow_entry,
    place,
    single_line,
)

__all__ = ["accepted_finding_lines", "open_finding_lines"]

_LABELS_FROM = 2
_VALUES_FROM = 12
_SEVERITY_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "bold yellow",
    Severity.NOTE: "bold cyan",
}


def open_finding_lines(finding: Finding, *, width: int) -> Iterator[Text]:
    """A finding that nothing allows, in full."""
    word = Text(SEVERITY_WORDS[finding.severity], style=_SEVERITY_STYLES[finding.severity])
    yield from _title_lines(word, finding, width)
    if finding.site:
        yield from _labelled("edit", _site_lines(finding.site, width))
    yield from _labelled("change", _paragraphs(finding.fix, width, style="green"))
    for related in finding.related:
        yield from _labelled("see", _related_lines(related, width))
    yield from _labelled("evidence", _evidence_lines(finding, width))
    entry = (Text(line) for line in allow_entry(finding.identity).splitlines())
    yield from _labelled("accept", [Text("add to pyproject.toml:", style="dim"), *entry])


def accepted_finding_lines(finding: Finding, allowance: Allowance, *, width: int) -> Iterator[Text]:
    """A finding that someone accepted: where it is, its repair, and why it may stay."""
    yield from _title_lines(Text("ACCEPTED", style="bold blue"), finding, width)
    if finding.site:
        yield from _labelled("edit", _site_lines(finding.site, width))
    yield from _labelled("change", _paragraphs(finding.fix, width))
    for related in finding.related:
        place = f"{_site_text(related.site).plain} ({related.role})"
        yield from _labelled("see", _paragraphs(place, width))
    yield from _labelled("reason", _paragraphs(allowance.reason, width))


def _title_lines(word: Text, finding: Finding, width: int) -> Iterator[Text]:
    """The finding's name on one line while it fits; its place goes to the next when not."""
    name = Text(single_line(finding.label), style="bold")
    at = Text(f"@ {single_line(finding.anchor)}")
    title = Text.assemble(word, "  ", finding.kind, "  ", name)
    if title.cell_len + at.cell_len < width:
        yield Text.assemble(title, " ", at)
    else:
        yield title
        yield Text.assemble(" " * _LABELS_FROM, at)
    for line in wrapped(finding.title, width=width - _LABELS_FROM):
        yield Text(" " * _LABELS_FROM + line)


def _labelled(label: str, lines: Iterable[Text]) -> Iterator[Text]:
    for number, line in enumerate(lines):
        start = f"{'':{_LABELS_FROM}}{label if number == 0 else '':{_VALUES_FROM - _LABELS_FROM}}"
        yield Text.assemble((start, "dim"), line)


def _paragraphs(text: str, width: int, *, style: str = "") -> Iterator[Text]:
    for paragraph in text.splitlines():
        for line in wrapped(paragraph, width=width - _VALUES_FROM):
            yield Text(line, style=style)


def _evidence_lines(finding: Finding, width: int) -> Iterator[Text]:
    """As many numbers to a line as fit; a name and its value stay together, but for SQL."""
    lines: list[str] = []
    for name, value in finding.evidence:
        pair = single_line(f"{name} {value}")
        if lines and len(lines[-1]) + len("; ") + len(pair) <= width - _VALUES_FROM:
            lines[-1] += f"; {pair}"
        else:
            lines.extend(wrapped(pair, width=width - _VALUES_FROM))
    yield from (Text(line) for line in lines)


def _site_text(site: SourceLine) -> Text:
    text = Text(single_line(place(site)))
    text.stylize("bold", 0, len(str(site)))
    return text


def _site_lines(site: SourceLine, width: int) -> Iterator[Text]:
    text = _site_text(site)
    if not site.function or text.cell_len <= width - _VALUES_FROM:
        yield text
    else:
        yield Text(single_line(str(site)), style="bold")
        yield Text(single_line(f"in {site.function}"))
    if site.code:
        code = Text(single_line(site.code), style="cyan")
        code.truncate(width - _VALUES_FROM, overflow="ellipsis")
        yield code


def _related_lines(related: RelatedSite, width: int) -> Iterator[Text]:
    first, *code = _site_lines(related.site, width)
    role = Text(f"({single_line(related.role)})", style="dim")
    if first.cell_len + 1 + role.cell_len <= width - _VALUES_FROM:
        yield Text.assemble(first, " ", role)
    else:
        yield from (first, role)
    yield from code
