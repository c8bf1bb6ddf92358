"""The exhaustion step's requests, counted by what became of them.

Shared by the terminal and the page; the order is fixed, from the best answer to none at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low

from harness.report.content import ExhaustionStory, Outcome, RequestOutcome

__all__ = ["OUTCOME_MEANINGS", "OutcomeRow", "outcome_rows"]

OUTCOME_MEANINGS = {
    Outcome.OK: "answered",
    Outcome.SHED: "503: turned away",
    Outcome.ERROR: "another 5xx",
    Outcome.REFUSED: "4xx",
    Outcome.HANG: "no answer",
}
"""The outcomes in order, each in a few words."""


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """All requests that ended alike."""

    outcome: Outcome
    meaning: str
    requests: int
    while_blocked: int
    """Those in flight at some moment of the block."""
    p50_seconds: float
    max_seconds: float


def outcome_rows(story: ExhaustionStory) -> tuple[OutcomeRow, ...]:
    """One row per outcome that occurred, from ``ok`` to ``hang``."""
    occurred = {request.outcome for request in story.outcomes}
    return tuple(_row(outcome, story) for outcome in OUTCOME_MEANINGS if outcome in occurred)


def _row(outcome: Outcome, story: ExhaustionStory) -> OutcomeRow:
    requests = [request for request in story.outcomes if request.outcome == outcome]
    return OutcomeRow(
        outcome=outcome,
        meaning=OUTCOME_MEANINGS[outcome],
        requests=len(requests),
        while_blocked=_count_while_blocked(requests, story),
        p50_seconds=median_low(request.seconds for request in requests),
        max_seconds=max(request.seconds for request in requests),
    )


def _count_while_blocked(requests: Iterable[RequestOutcome], story: ExhaustionStory) -> int:
    return sum(
        request.offset_seconds < story.blocked_until_seconds
        and request.offset_seconds + request.seconds > story.blocked_from_seconds
        for request in requests
    )
