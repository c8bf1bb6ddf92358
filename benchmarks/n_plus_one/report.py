"""What `peers_n_plus_one.py` says: counts, names to check them by, and how far to trust them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.n_plus_one.cases import Family, family_of
from benchmarks.n_plus_one.tools import Tool
from benchmarks.n_plus_one.verdicts import Score, Share, Verdict, score_of
from benchmarks.table import WIDTH, paragraph, table

__all__ = ["Outcome", "as_json", "lines_of"]

_WRONG = tuple(family for family in Family if family is not Family.CLEAN)
_COUNTS = ["", "found", "missed", "invented", "recall", "of claimed", "precision"]
_NAMES = ["of what it found, named:", "relationship", "a line", "line to edit", "route"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tool's run over the corpus."""

    tool: Tool
    verdicts: Sequence[Verdict]

    @property
    def score(self) -> Score:
        """Counted."""
        return score_of(self.tool, self.verdicts)


def lines_of(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """All tables, and what has to be known to read them."""
    yield from table(_COUNTS, [_counts(one) for one in outcomes])
    yield ""
    yield paragraph(
        "A handler is found, or invented, where the tool fails the test that requests it. 'of "
        "claimed' is the recall without the families that the tool's documentation leaves out."
    )
    yield ""
    yield from table(_NAMES, [_names(one) for one in outcomes])
    yield ""
    yield paragraph(
        "'a line' is any one of the application, 'line to edit' the one that queries the parents, "
        "where a loader option goes. By their documentation the peers name the line that caused "
        "the statement, and the test."
    )
    yield ""
    yield from table(["found, by family:", *_WRONG], [_families(one) for one in outcomes])
    yield ""
    yield paragraph(
        "In brackets: not claimed. A refused load is an exception of the application, which fails "
        "most tests anyway; found is here who says what to do about it. The corpus is this "
        "project's own, and its suite requires all of the harness: that row is a promise that is "
        "kept, not a measurement."
    )
    for outcome in outcomes:
        yield from _by_name(outcome)


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """By tool, and by handler with every tool's words."""
    return {
        "tools": {one.tool.name: _tool_as_json(one) for one in outcomes},
        "cases": {
            verdict.case.name: {
                "family": family_of(verdict.case),
                "expected": [[one.kind, one.label] for one in verdict.case.expected],
                "lines_to_edit": sorted(verdict.case.load_lines),
                "said": _said(verdict.case.name, outcomes),
            }
            for verdict in outcomes[0].verdicts
        },
    }


def _counts(outcome: Outcome) -> list[str]:
    score = outcome.score
    clean = score.found[Family.CLEAN]
    recalls = [_percent(score.recall), _percent(score.claimed_recall)]
    missed = str(score.recall.of - score.recall.count)
    counts = [str(score.recall), missed, str(clean)]
    return [outcome.tool.name, *counts, *recalls, _percent(score.precision)]


def _names(outcome: Outcome) -> list[str]:
    score = outcome.score
    shares = (score.relationship, score.line, score.load_line, score.endpoint)
    return [outcome.tool.name, *map(str, shares)]


def _families(outcome: Outcome) -> list[str]:
    score, claims = outcome.score, outcome.tool.claims
    cells = ((family, str(score.found[family])) for family in _WRONG)
    return [outcome.tool.name, *(it if family in claims else f"({it})" for family, it in cells)]


def _by_name(outcome: Outcome) -> Iterator[str]:
    claims = outcome.tool.claims
    silent = [one.case for one in outcome.verdicts if one.case.expected and not one.is_objection]
    missed = [case.name for case in silent if family_of(case) in claims]
    invented = [
        one.case.name for one in outcome.verdicts if one.is_objection and not one.case.expected
    ]
    yield f"\n  {outcome.tool.name}: {outcome.tool.how}"
    for title, names in (("claimed, missed", missed), ("invented", invented)):
        text = f"{title}: {', '.join(names) or 'nothing'}"
        yield textwrap.fill(text, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 6)


def _percent(share: Share) -> str:
    return "-" if share.ratio is None else f"{share.ratio:.0%}"


def _tool_as_json(outcome: Outcome) -> dict[str, Any]:
    score = outcome.score
    return {
        "how": outcome.tool.how,
        "claims": sorted(outcome.tool.claims),
        "found": {family: _pair(share) for family, share in score.found.items()},
        "recall": score.recall.ratio,
        "recall_of_claimed": score.claimed_recall.ratio,
        "precision": score.precision.ratio,
        "names_relationship": _pair(score.relationship),
        "names_a_line": _pair(score.line),
        "names_line_to_edit": _pair(score.load_line),
        "names_route": _pair(score.endpoint),
    }


def _pair(share: Share) -> Mapping[str, int]:
    return {"count": share.count, "of": share.of}


def _said(name: str, outcomes: Sequence[Outcome]) -> dict[str, str | None]:
    return {
        one.tool.name: verdict.text
        for one in outcomes
        for verdict in one.verdicts
        if verdict.case.name == name
    }
