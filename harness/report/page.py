"""What the pages have in common: how templates are rendered, and the numbers at their top.

A module of its own so that the pages of a checkup and of a load run look and escape alike. Every
value is escaped by the template; the words are the terminal's (`wording`, `quantities`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.findings import Finding, Judgement, Verdict
from harness.report import quantities, wording

__all__ = ["Tile", "environment", "findings_tile", "verdict_tile"]

_GLYPHS = {
    Verdict.PASS: "\N{CHECK MARK}",
    Verdict.WARN: "!",
    Verdict.FAIL: "\N{MULTIPLICATION X}",
    Verdict.INCONCLUSIVE: "?",
    Verdict.SKIPPED: "\N{EN DASH}",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One number at the top of the page, and the section that explains it."""

    target: str
    value: str
    label: str
    detail: str
    is_bad: bool = False


def environment() -> Environment:
    """Jinja with the package's templates, in which every value is escaped and none is missing."""
    made = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for module in (quantities, wording):
        made.globals |= {name: getattr(module, name) for name in module.__all__}
    made.globals |= {"anchor": _anchor, "glyphs": _GLYPHS}
    made.filters |= {"breakable": _breakable, "upper_first": _upper_first}
    return made


def _anchor(finding: Finding) -> str:
    """A link target that stays the same from one run to the next."""
    words = re.sub(r"[^a-z0-9]+", "-", finding.identity.lower()).strip("-")
    return f"{words}-{crc32(finding.identity.encode()):08x}"


def _breakable(path: str) -> Markup:
    """A path that a narrow window may break after a slash, and nowhere else."""
    return escape(path).replace("/", Markup("/<wbr>"))


def _upper_first(text: str) -> str:
    """A heading from a name whose own capitals stay: Jinja's ``capitalize`` lowers them."""
    return text[:1].upper() + text[1:]


def findings_tile(judgement: Judgement) -> Tile:
    """How many findings are open."""
    found = len(judgement.open)
    noun = "open finding" if found == 1 else "open findings"
    accepted = f"{quantities.grouped(len(judgement.accepted))} accepted"
    return Tile("findings", quantities.grouped(found), noun, accepted, is_bad=found > 0)


def verdict_tile(name: str, verdicts: Sequence[Verdict]) -> Tile:
    """How many of the verdicts of a section are failed ones."""
    counts = [f"{verdicts.count(each)} {each}" for each in Verdict if each in verdicts]
    failed, total = verdicts.count(Verdict.FAIL), quantities.grouped(len(verdicts))
    if not failed:
        return Tile(name, total, name, ", ".join(counts))
    value = f"{quantities.grouped(failed)} of {total}"
    return Tile(name, value, f"{name} failed", ", ".join(counts), is_bad=True)
