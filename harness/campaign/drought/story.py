"""From what clients, side probes and counts have noted to the story of a pool run dry: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from harness.campaign.drought.side import SideAnswer
from harness.capture.histogram import Histogram
from harness.capture.traffic import Distribution, ExhaustionStory, RequestOutcome
from harness.checks.exhaustion_limits import FAILURES
from harness.load.result import LoadResult, Sample
from harness.load.story import recovery_seconds
from harness.report.load_content import AnswersInSecond

__all__ = ["Drought", "Noted", "answers_by_second", "recovered_seconds", "served_wait", "story_of"]

Statuses = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Drought:
    """How a pool is run dry."""

    users: int
    capacity: int
    """pool_size + max_overflow, of all processes."""
    timeout_seconds: float
    """Of the pool."""
    seconds: float
    """How long it is dry."""
    hold_seconds: float | None = None
    """Of one request, without load."""
    is_locked: bool = False
    """Whether tables are locked, because the users alone would not do."""
    patience_seconds: float = 5.0
    """Beyond the pool's time limit and the hold time, before the application counts as lost."""
    route: str = ""
    """That all users request; empty where their traffic decides."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Everything that was seen. All moments are on `time.monotonic`."""

    began_seconds: float
    """From when on anything was asked: zero of the story."""
    dry_from_seconds: float
    dry_until_seconds: float
    result: LoadResult
    """Of the users, with their single requests."""
    beside: Sequence[SideAnswer] = ()
    """Of a cheap route with a database."""
    rest_seconds: float | None = None
    """When first, after the users had left, no connection was out and nobody waited."""
    without_database: Distribution | None = None
    served_wait: Distribution | None = None
    log_bytes: int | None = None
    """By which the application's log grew, from all requests."""
    checked_out_at_rest: int | None = None


def story_of(drought: Drought, noted: Noted) -> ExhaustionStory:
    """The story of an exhaustion.

    Its requests are those of the users, and, before and after, those that were asked beside them:
    while the pool is dry these are few, cheap, and not what it could serve.
    """
    return ExhaustionStory(
        users=drought.users,
        pool_capacity=drought.capacity,
        pool_timeout_seconds=drought.timeout_seconds,
        blocked_from_seconds=noted.dry_from_seconds - noted.began_seconds,
        blocked_until_seconds=noted.dry_until_seconds - noted.began_seconds,
        outcomes=tuple(
            RequestOutcome(item.offset_seconds, item.seconds, item.outcome)
            for item in sorted(_samples(noted), key=lambda item: item.offset_seconds)
        ),
        recovery_seconds=recovered_seconds(drought, noted),
        without_database=noted.without_database,
        hold_seconds=drought.hold_seconds,
        served_wait=None if drought.is_locked else noted.served_wait,
        log_bytes=_log_of_story(noted),
        checked_out_at_rest=noted.checked_out_at_rest,
        has_served_while_dry=not drought.is_locked,
    )


def recovered_seconds(drought: Drought, noted: Noted) -> float | None:
    """From the end of the drought until five answers in a row were good and the pool was at rest.

    Where tables were locked users go on for a moment after the lock, so the answers tell alone. A
    pool that never comes to rest has lost connections, which is told apart from this.
    """
    until_seconds = noted.dry_until_seconds - noted.began_seconds
    answered = recovery_seconds(_samples(noted), after_seconds=until_seconds)
    if answered is None or noted.rest_seconds is None or drought.is_locked:
        return answered
    return max(answered, noted.rest_seconds - noted.dry_until_seconds)


def served_wait(before: Statuses, after: Statuses) -> Distribution | None:
    """How long those waited that got a connection, between two readings; None for nobody.

    A wait in vain is counted as a wait, too, and is as long as the pool's time limit: the longest
    ones, as many as there were timeouts, are left out. The mean is taken of the buckets' ends, as
    the maximum is one: they are compared with each other.
    """
    waits, timeouts = Histogram(), 0
    for pool, earlier in _pools(before, after):
        timeouts += pool["timeouts"] - earlier.get("timeouts", 0)
        wait = Histogram.from_json(pool["wait"])
        waits.merge(wait.since(Histogram.from_json(earlier["wait"])) if earlier else wait)
    waits.counts = _without_last(waits.counts, timeouts)
    told = waits.distribution()
    if not told.count:
        return None
    ends = tuple(zip(told.bounds_seconds, told.counts, strict=True))
    mean_seconds = sum(end * count for end, count in ends) / told.count
    return replace(told, mean_seconds=mean_seconds, max_seconds=told.bounds_seconds[-1])


def answers_by_second(
    answers: Iterable[SideAnswer], *, began_seconds: float
) -> tuple[AnswersInSecond, ...]:
    """Counts of outcomes, in the second in which each request ended."""
    ends: dict[int, Counter[str]] = {}
    for answer in answers:
        second = floor(answer.ended_seconds - began_seconds)
        ends.setdefault(second, Counter())[str(answer.outcome)] += 1
    return tuple(AnswersInSecond(second, **counts) for second, counts in sorted(ends.items()))


def _samples(noted: Noted) -> list[Sample]:
    shift_seconds = noted.result.started_seconds - noted.began_seconds
    return [
        *(
            replace(sample, offset_seconds=sample.offset_seconds + shift_seconds)
            for sample in noted.result.samples
        ),
        *(
            Sample(answer.started_seconds - noted.began_seconds, answer.seconds, "", answer.outcome)
            for answer in noted.beside
            if not _is_within(noted, answer)
        ),
    ]


def _is_within(noted: Noted, answer: SideAnswer) -> bool:
    is_after_begin = answer.ended_seconds > noted.dry_from_seconds
    return is_after_begin and answer.started_seconds < noted.dry_until_seconds


def _log_of_story(noted: Noted) -> int | None:
    """The log is of all requests, and not all of those beside the users belong to the story."""
    if noted.log_bytes is None:
        return None
    told = sum(sample.outcome in FAILURES for sample in _samples(noted))
    others = sum(answer.outcome in FAILURES for answer in noted.beside if _is_within(noted, answer))
    return round(noted.log_bytes * told / (told + others)) if told + others else noted.log_bytes


def _pools(
    before: Statuses, after: Statuses
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each pool with its earlier reading, which is empty where it was not there."""
    for pid, status in after.items():
        earlier = {pool["name"]: pool for pool in before.get(pid, {}).get("pools", ())}
        for pool in status["pools"]:
            yield pool, earlier.get(pool["name"], {})


def _without_last(counts: Sequence[int], number: int) -> list[int]:
    left = list(counts)
    for index in reversed(range(len(left))):
        taken = min(left[index], number)
        left[index] -= taken
        number -= taken
    return left
