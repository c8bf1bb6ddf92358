"""The report as one page: a file to open, to attach to a build, to print; it loads nothing.

The words are the terminal's (`wording`, `quantities`, `outcomes`), the pictures are `charts`; what
is left for this module is to hand them to the template, which escapes every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.findings import Finding, Verdict
from harness.report import quantities, wording
from harness.report.charts import exhaustion_timeline, pool_times, statements_per_endpoint
from harness.report.content import Report
from harness.report.outcomes import outcome_rows

__all__ = ["to_html"]

_GLYPHS = {
    Verdict.PASS: "\N{CHECK MARK}",
    Verdict.WARN: "!",
    Verdict.FAIL: "\N{MULTIPLICATION X}",
    Verdict.INCONCLUSIVE: "?",
    Verdict.SKIPPED: "\N{EN DASH}",
}


@dataclass(frozen=True, slots=True)
class _Tile:
    """One number at the top of the page, and the section that explains it."""

    target: str
    value: str
    label: str
    detail: str
    is_bad: bool = False


def to_html(report: Report) -> str:
    """The report as a self-contained HTML document, the same bytes for the same report."""
    pools = report.load.pools if report.load else ()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            tiles=tuple(_tiles(report)),
            statements_chart=statements_per_endpoint(report),
            pool_charts=[pool_times(pool, name=f"pool-{n}") for n, pool in enumerate(pools)],
            outcomes=outcome_rows(report.exhaustion) if report.exhaustion else (),
            exhaustion_chart=exhaustion_timeline(report.exhaustion) if report.exhaustion else "",
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for module in (quantities, wording):
        environment.globals |= {name: getattr(module, name) for name in module.__all__}
    environment.globals |= {"anchor": _anchor, "glyphs": _GLYPHS}
    environment.filters["breakable"] = _breakable
    return environment


def _anchor(finding: Finding) -> str:
    """A link target that stays the same from one run to the next."""
    words = re.sub(r"[^a-z0-9]+", "-", finding.identity.lower()).strip("-")
    return f"{words}-{crc32(finding.identity.encode()):08x}"


def _breakable(path: str) -> Markup:
    """A path that a narrow window may break after a slash, and nowhere else."""
    return escape(path).replace("/", Markup("/<wbr>"))


def _tiles(report: Report) -> Iterator[_Tile]:
    judgement = report.judgement
    found = len(judgement.open)
    noun = "open finding" if found == 1 else "open findings"
    accepted = f"{quantities.grouped(len(judgement.accepted))} accepted"
    yield _Tile("findings", quantities.grouped(found), noun, accepted, is_bad=found > 0)
    endpoints = [row.verdict for row in report.endpoints]
    probes = [item.verdict for item in report.probes]
    if endpoints:
        yield _verdict_tile("endpoints", endpoints)
    if probes:
        yield _verdict_tile("probes", probes)
    yield from _load_tiles(report)


def _verdict_tile(name: str, verdicts: list[Verdict]) -> _Tile:
    counts = [f"{verdicts.count(each)} {each}" for each in Verdict if each in verdicts]
    failed, total = verdicts.count(Verdict.FAIL), quantities.grouped(len(verdicts))
    if not failed:
        return _Tile(name, total, name, ", ".join(counts))
    value = f"{quantities.grouped(failed)} of {total}"
    return _Tile(name, value, f"{name} failed", ", ".join(counts), is_bad=True)


def _load_tiles(report: Report) -> Iterator[_Tile]:
    """The pool whose users waited longest, and the way back from exhaustion."""
    if report.load and report.load.pools:
        pool = max(report.load.pools, key=lambda each: each.wait.p95_seconds)
        detail = f"longest {quantities.duration(pool.wait.max_seconds)}"
        yield _Tile("load", quantities.duration(pool.wait.p95_seconds), "pool wait p95", detail)
    if report.exhaustion:
        seconds = report.exhaustion.recovery_seconds
        value = "not seen" if seconds is None else quantities.duration(seconds)
        detail = "after the pool ran dry"
        yield _Tile("exhaustion", value, "recovery", detail, is_bad=seconds is None)
