"""What a tool says of each handler, and what of it helps: judged by the text that a user reads.

A handler counts as found where the tool fails its test, whatever words it has for the reason: kinds
differ between tools. What the text names is looked up in it: the relationship, a line of the
application, the line to edit, the route.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.n_plus_one.cases import Family, family_of, path_of, relationships_of
from benchmarks.n_plus_one.tools import Tool
from benchmarks.pytest_process import empty_folder, run_pytest
from tests.checks import corpus
from tests.checks.corpus.labels import Case

__all__ = ["Score", "Share", "Verdict", "score_of", "verdicts_of"]

_LINE = re.compile(r"([\w.-]+\.py):(\d+)")
_APPLICATION = frozenset(file.name for folder in corpus.__path__ for file in Path(folder).iterdir())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one tool says of one handler."""

    case: Case
    text: str | None
    """The message that fails the test; None where the tool does not object."""

    @property
    def is_objection(self) -> bool:
        """Whether the tool fails the test."""
        return self.text is not None

    @property
    def lines(self) -> frozenset[tuple[str, int]]:
        """The lines of the application that are named."""
        named = _LINE.findall(self.text or "")
        return frozenset((file, int(line)) for file, line in named if file in _APPLICATION)

    @property
    def names_relationships(self) -> bool:
        """All that the handler is about, as ``Author.books``."""
        return all(_is_named(label, self.text or "") for label in relationships_of(self.case))

    @property
    def names_load_lines(self) -> bool:
        """The lines that load the parents: where the edit belongs."""
        file = Path(self.case.handler.__code__.co_filename).name
        return {(file, line) for line in self.case.load_lines} <= self.lines

    @property
    def names_endpoint(self) -> bool:
        """The route, by its path."""
        return _is_named(path_of(self.case), self.text or "")


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def ratio(self) -> float | None:
        """None where there was nothing to find."""
        return self.count / self.of if self.of else None

    def __str__(self) -> str:
        return f"{self.count}/{self.of}"


@dataclass(frozen=True, slots=True)
class Score:
    """One tool over the corpus."""

    found: Mapping[Family, Share]
    """By what is wrong; of the clean handlers, those that are objected to."""
    recall: Share
    claimed_recall: Share
    """Of the families that the tool claims to find."""
    precision: Share
    relationship: Share
    """Of the found handlers that are about one: those where it is named."""
    line: Share
    """Of the found handlers: those with any line of the application."""
    load_line: Share
    """Of the found handlers with a line marked as the one to edit: those where it is named."""
    endpoint: Share


def verdicts_of(tool: Tool, cases: Sequence[Case]) -> list[Verdict]:
    """Run the corpus under a tool.

    Raises:
        Failed: A test went wrong for another reason than the tool's objection.
    """
    with empty_folder() as folder:
        file = folder / "verdicts.json"
        names = " ".join(case.name for case in cases)
        ours = {"BENCHMARK_CASES": names, "BENCHMARK_VERDICTS": str(file)}
        run_pytest(replace(tool.run, environment={**tool.run.environment, **ours}))
        said: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return [Verdict(case, said[case.name]["text"]) for case in cases]


def score_of(tool: Tool, verdicts: Sequence[Verdict]) -> Score:
    """Count."""
    found = {
        family: _share(of_family, lambda verdict: verdict.is_objection)
        for family in Family
        if (of_family := [one for one in verdicts if family_of(one.case) is family])
    }
    wrong = {family: share for family, share in found.items() if family is not Family.CLEAN}
    claimed = (share for family, share in wrong.items() if family in tool.claims)
    hits = [one for one in verdicts if one.is_objection and one.case.expected]
    objections = sum(share.count for share in found.values())
    return Score(
        found=found,
        recall=_sum(wrong.values()),
        claimed_recall=_sum(claimed),
        precision=Share(len(hits), objections),
        relationship=_share(
            [one for one in hits if relationships_of(one.case)], lambda one: one.names_relationships
        ),
        line=_share(hits, lambda one: bool(one.lines)),
        load_line=_share(
            [one for one in hits if one.case.load_lines], lambda one: one.names_load_lines
        ),
        endpoint=_share(hits, lambda one: one.names_endpoint),
    )


def _share(verdicts: Sequence[Verdict], claim: Callable[[Verdict], bool]) -> Share:
    return Share(sum(map(claim, verdicts)), len(verdicts))


def _sum(shares: Iterable[Share]) -> Share:
    known = list(shares)
    return Share(sum(share.count for share in known), sum(share.of for share in known))


def _is_named(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
