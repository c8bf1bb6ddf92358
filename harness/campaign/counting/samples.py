"""From stretches of load at several sizes to what each route ran at each: pure, for the check.

A route that does not answer as asked is no measurement, and whether that is a failure depends on
when: what answers until rows were made up for it may be right to refuse them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.campaign.counting.counted import RouteCount
from harness.checks.load.statement_growth import RouteSamples, StatementSample
from harness.findings import SourceLine
from harness.load.tally import Answer, Tally

__all__ = ["SizedLoad", "route_samples"]

_FAILED = (Answer.ERROR, Answer.SHED, Answer.HUNG, Answer.CUT, Answer.RATE_LIMITED)


@dataclass(frozen=True, slots=True)
class SizedLoad:
    """One stretch of load."""

    rows: int
    """Added to each table beforehand."""
    tally: Tally
    """What the clients saw."""
    counts: Mapping[str, RouteCount]
    """By route what was counted."""
    endpoints: Mapping[str, SourceLine]
    """By route what answers, as far as that is known."""


def route_samples(loads: Sequence[SizedLoad]) -> tuple[RouteSamples, ...]:
    """What each route ran, by name.

    Args:
        loads: In the order in which they were measured.
    """
    routes = sorted({route for load in loads for route in load.tally.routes})
    return tuple(_of_route(route, loads) for route in routes)


def _of_route(route: str, loads: Sequence[SizedLoad]) -> RouteSamples:
    endpoint = next((load.endpoints[route] for load in loads if route in load.endpoints), None)
    bad = [load for load in loads if load.tally.failures_of(route)]
    if bad:
        failure, refusal = _why_bad(route, bad[0], loads)
        return RouteSamples(route, endpoint=endpoint, failure=failure, refusal=refusal)
    strangers = [load for load in loads if _has_strangers(route, load)]
    if strangers:
        failure = "the application answered more requests than were sent: somebody else's, too"
        return RouteSamples(route, endpoint=endpoint, failure=failure)
    samples = tuple(_samples(route, loads))
    failure = "" if samples else "its requests were not counted under this name"
    return RouteSamples(route, samples, endpoint, failure)


def _why_bad(route: str, load: SizedLoad, loads: Sequence[SizedLoad]) -> tuple[str, str]:
    """Why answers were not good: a failure, or a refusal."""
    by_answer = load.tally.routes[route]
    failed = sum(by_answer[answer].count for answer in _FAILED if answer in by_answer)
    all_of = sum(found.count for found in by_answer.values())
    if not failed:
        return "", f"{load.tally.failures_of(route)} of {all_of} requests were refused (4xx)"
    words = f"{failed} of {all_of} requests had no good answer"
    was_good = any(
        route in item.tally.routes and not item.tally.failures_of(route)
        for item in loads
        if not item.rows
    )
    if load.rows and was_good:
        return "", f"{words} once rows had been made up: write some in 'populate'"
    return words, ""


def _has_strangers(route: str, load: SizedLoad) -> bool:
    sent = sum(found.count for found in load.tally.routes.get(route, {}).values())
    counted = load.counts.get(route)
    return counted is not None and 0 < sent < counted.requests


def _samples(route: str, loads: Sequence[SizedLoad]) -> Iterator[StatementSample]:
    for load in loads:
        counted, items = load.counts.get(route), load.tally.items.get(route)
        if counted is not None and counted.requests:
            yield StatementSample(
                load.rows,
                counted.requests,
                counted.statements,
                items.items / items.answers if items is not None else None,
                counted.shapes,
            )
