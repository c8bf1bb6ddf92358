"""How well an exhausted pool was lived through, beyond what answers the clients got.

A module of its own because these limits only warn, but for one that is exceeded by an order of
magnitude: each is a time or an amount that can be told from the same run, and a machine that is
busy with something else stretches most of them. What the run did not measure is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from harness.capture.traffic import ExhaustionStory, Outcome, RequestOutcome

__all__ = [
    "FAILURES",
    "LOG_BYTES",
    "SIDE_SECONDS",
    "SLACK_SECONDS",
    "SLACK_SHARE",
    "STARVATION",
    "USEFUL_SHARE",
    "Backends",
    "backends_left",
    "exceeded",
    "is_coupled",
    "log_bytes_per_failure",
]

FAILURES = frozenset({Outcome.SHED, Outcome.ERROR})
"""What is meant by failures here: 5xx, and connections that were refused or closed. Of requests
that hang nobody knows what the application made of them, nor when."""

SLACK_SHARE = 0.1
"""Of the pool's time limit, by which an answer that failed may be later than it."""
SLACK_SECONDS = 0.5
"""The same where a tenth is less than a machine's own noise: failures of a pool with a limit of 1 s
came after 1.00 to 1.31 s on two busy cores [measured]."""
SIDE_SECONDS = 0.1
"""99th percentile of a route without a database: at most 0.094 s where callers waited in threads,
and 20.7 s where they waited on the loop [measured]."""
_COUPLED_SHARE = 0.5
"""Of the pool's time limit: a route that has nothing to wait for and takes half of it waits for the
pool's callers."""
USEFUL_SHARE = 0.8
"""Of connections over hold time, which is all that a pool can serve: 0.88 was measured at four
times as many users as it takes; less is lost to callers that nobody waits for any more."""
LOG_BYTES = 2000
"""Per failure: one line with a place. A traceback each was 6.65 kB, 2.4 MB in 9 s
[measured]."""
STARVATION = 5.0
"""Longest wait over the mean one of those that were served: 2.4 where callers took turns, and
beyond all bounds where some took a connection again without a pause [measured]."""
_FEWEST = 10
_FEWEST_FOR_P95 = 20


@dataclass(frozen=True, slots=True)
class Backends:
    """Processes of the server that serve the application, once all clients have left."""

    count: int
    allowed: int
    """As many connections as its pools keep."""


def backends_left(backends: Backends | None) -> Iterator[str]:
    """Connections that the server still has, and no pool; None where nobody looked."""
    if backends is not None and backends.count > backends.allowed:
        yield (
            f"left over: {backends.count} processes of the server, the pools keep "
            f"{backends.allowed}"
        )


def is_coupled(story: ExhaustionStory) -> bool:
    """Whether requests that need no connection waited as long as those that do.

    By the 95th percentile: at ten requests a second the 99th of a few seconds is the longest one,
    which a single pause of a busy machine would decide. So is the 95th of fewer than twenty: then
    by the median.
    """
    side = story.without_database
    if side is None or not side.count:
        return False
    seconds = side.p95_seconds if side.count >= _FEWEST_FOR_P95 else side.p50_seconds
    return seconds > max(SIDE_SECONDS, _COUPLED_SHARE * story.pool_timeout_seconds)


def log_bytes_per_failure(story: ExhaustionStory) -> float | None:
    """How much the application logs for each request that failed; None where none did.

    Of all failures of the story, also those that came after the drought: the log is that of the
    whole story, too.
    """
    failures = sum(item.outcome in FAILURES for item in story.outcomes)
    return story.log_bytes / failures if failures and story.log_bytes is not None else None


def exceeded(story: ExhaustionStory, affected: Sequence[RequestOutcome]) -> Iterator[str]:
    """What was longer or more than it has to be, each with its numbers.

    Args:
        story: The exhaustion.
        affected: Its requests that met the dry pool.
    """
    yield from _late_failures(story, affected)
    yield from _side_route(story)
    yield from _useful_rate(story, affected)
    yield from _log(story)
    yield from _recovery(story)
    yield from _starvation(story)


def _allowed(seconds: float) -> float:
    return seconds + max(SLACK_SHARE * seconds, SLACK_SECONDS)


def _failures(affected: Sequence[RequestOutcome]) -> list[float]:
    return [item.seconds for item in affected if item.outcome in FAILURES]


def _late_failures(story: ExhaustionStory, affected: Sequence[RequestOutcome]) -> Iterator[str]:
    failures = _failures(affected)
    if failures and median(failures) > _allowed(story.pool_timeout_seconds):
        yield (
            f"late: half of the failures took {median(failures):.1f} s or more, the pool gives up "
            f"after {story.pool_timeout_seconds:g} s"
        )


def _side_route(story: ExhaustionStory) -> Iterator[str]:
    side = story.without_database
    if side is not None and side.count and side.p99_seconds > SIDE_SECONDS:
        yield (
            f"slow aside: p99 of a route without a database {side.p99_seconds * 1000:.0f} ms, "
            f"{SIDE_SECONDS * 1000:.0f} ms at most"
        )


def _useful_rate(story: ExhaustionStory, affected: Sequence[RequestOutcome]) -> Iterator[str]:
    seconds = story.blocked_until_seconds - story.blocked_from_seconds
    if not story.has_served_while_dry or not story.hold_seconds or seconds <= 0:
        return
    served = sum(_is_served_while_dry(story, item) for item in affected) / seconds
    possible = story.pool_capacity / story.hold_seconds
    if served < USEFUL_SHARE * possible:
        yield (f"wasteful: {served:.1f} good answers a second, the pool could serve {possible:.1f}")


def _is_served_while_dry(story: ExhaustionStory, item: RequestOutcome) -> bool:
    """Those that waited on when everybody else had left are not what a dry pool served."""
    is_in_time = item.offset_seconds + item.seconds <= story.blocked_until_seconds
    return item.outcome is Outcome.OK and is_in_time


def _log(story: ExhaustionStory) -> Iterator[str]:
    each = log_bytes_per_failure(story)
    if each is not None and each > LOG_BYTES:
        yield f"noisy: {each / 1000:.1f} kB of log per failure, {LOG_BYTES / 1000:g} kB at most"


def _recovery(story: ExhaustionStory) -> Iterator[str]:
    if story.recovery_seconds is None or story.hold_seconds is None:
        return
    allowed = _allowed(story.pool_timeout_seconds + story.hold_seconds)
    if story.recovery_seconds > allowed:
        yield (
            f"slow to recover: {story.recovery_seconds:.1f} s, pool timeout and hold time are "
            f"{story.pool_timeout_seconds + story.hold_seconds:.1f} s"
        )


def _starvation(story: ExhaustionStory) -> Iterator[str]:
    wait = story.served_wait
    if wait is None or wait.count < _FEWEST or wait.mean_seconds <= 0:
        return
    ratio = wait.max_seconds / wait.mean_seconds
    if ratio > STARVATION:
        yield (
            f"unfair: one was served after {wait.max_seconds:.1f} s, the mean wait was "
            f"{wait.mean_seconds:.1f} s"
        )
