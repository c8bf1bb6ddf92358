"""From stretches of load to the facts of a trouble, and to the picture of it.

Only routes that were answered well before are looked at: what fails all the time says nothing of
the way back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.campaign.ground import Slice
from harness.capture.traffic import Outcome, RequestOutcome
from harness.capture.trouble import TroubleStory
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import main_pool
from harness.checks.load.validity import unread
from harness.load.result import Sample
from harness.load.story import recovery_seconds
from harness.report.load_content import AnswersInSecond, Timeline

__all__ = [
    "Held",
    "Stay",
    "joined",
    "mean_hold_seconds",
    "most_connections",
    "picture_of",
    "story_of",
]

_UNTOLD = frozenset({Outcome.REFUSED})


@dataclass(frozen=True, slots=True)
class Stay:
    """What is known of the application, which stays the same through all troubles."""

    hold_seconds: float = 0.0
    backends: int | None = None
    most_connections: int | None = None
    """See `most_connections`."""


@dataclass(frozen=True, slots=True)
class Held:
    """A trouble that was held; offsets are seconds after the start of the load."""

    probe: str
    name: str
    setting: str
    begins_seconds: float
    ends_seconds: float
    down_seconds: float
    samples: tuple[Sample, ...]
    until_seconds: float
    slices: tuple[Slice, ...]
    """At least one; the last one came back to rest after the trouble."""
    leaves_stale: bool
    backends: int | None
    processes_gone: int = 0
    """Of the application, that have ended meanwhile. One that merely does not answer may be slow:
    the window says that it was not read."""


def joined(first: Slice, second: Slice) -> tuple[tuple[Sample, ...], float]:
    """The requests of two stretches as of one, and when the second began."""
    shift = second.result.started_seconds - first.result.started_seconds
    later = (
        replace(item, offset_seconds=item.offset_seconds + shift) for item in second.result.samples
    )
    return (*first.result.samples, *later), shift


def story_of(held: Held, stay: Stay) -> TroubleStory:
    """The facts that are judged."""
    steady, left_out = _steady(held)
    last = held.slices[-1]
    story = TroubleStory(
        probe=held.probe,
        trouble=held.name,
        begins_seconds=held.begins_seconds,
        ends_seconds=held.ends_seconds,
        until_seconds=held.until_seconds,
        down_seconds=held.down_seconds,
        answers=tuple(
            RequestOutcome(item.offset_seconds, item.seconds, item.outcome) for item in steady
        ),
        recovery_seconds=recovery_seconds(steady, after_seconds=held.ends_seconds),
        pool_timeout_seconds=_pool_timeout(last.window),
        hold_seconds=stay.hold_seconds,
        most_connections=stay.most_connections,
        leaves_stale=held.leaves_stale,
        left_out=left_out,
        checked_out_at_rest=_checked_out(last),
        backends_at_rest=held.backends,
        backends_before=stay.backends,
        processes_gone=held.processes_gone,
    )
    return replace(story, failing=_failing(steady, story))


def picture_of(held: Held, story: TroubleStory, facts: Iterable[tuple[str, str]]) -> Timeline:
    """The same second by second, for the report."""
    recovered = story.recovery_seconds
    return Timeline(
        name=held.name,
        probe=held.probe,
        setting=held.setting,
        begins_seconds=held.begins_seconds,
        ends_seconds=held.ends_seconds,
        recovered_seconds=None if recovered is None else held.ends_seconds + recovered,
        answers=tuple(_by_second(story.answers)),
        facts=(*_facts(held, story), *facts),
    )


def most_connections(windows: Iterable[LoadWindow]) -> int | None:
    """Of all pools together, as the first window has it in which every process was read.

    Returns:
        None without a bound, or where nobody knows.
    """
    told = (_bound(window) for window in windows if not unread(window))
    return next((most for most in told if most is not None), None)


def _bound(window: LoadWindow) -> int | None:
    capacities = [pool.capacity for pool in window.pools]
    known = [capacity for capacity in capacities if capacity is not None]
    return sum(known) if known and len(known) == len(capacities) else None


def mean_hold_seconds(window: LoadWindow) -> float:
    """Of the pool that the load goes through."""
    pool = main_pool(window)
    return pool.hold.mean_seconds if pool is not None else 0.0


def _steady(held: Held) -> tuple[list[Sample], tuple[str, ...]]:
    told = [item for item in held.samples if item.outcome not in _UNTOLD]
    good: set[str] = set()
    failing: set[str] = set()
    for item in told:
        if item.offset_seconds + item.seconds < held.begins_seconds:
            (good if item.outcome is Outcome.OK else failing).add(item.route)
    steady = good - failing
    return [item for item in told if item.route in steady], tuple(sorted(failing))


def _failing(steady: Iterable[Sample], story: TroubleStory) -> tuple[tuple[str, int], ...]:
    """By route, the requests that count against the application."""
    each = zip(steady, story.answers, strict=True)
    routes = Counter(sample.route for sample, answer in each if story.counts_against(answer))
    return tuple(routes.most_common())


def _pool_timeout(window: LoadWindow) -> float:
    pool = main_pool(window)
    return (pool.timeout_seconds or 0.0) if pool is not None else 0.0


def _checked_out(measured: Slice) -> int | None:
    statuses = measured.stretch.at_rest
    if not statuses:
        return None
    pools = (pool for status in statuses.values() for pool in status["pools"])
    return sum(int(pool["checked_out"]) for pool in pools)


def _by_second(answers: Iterable[RequestOutcome]) -> Iterator[AnswersInSecond]:
    counts = Counter((int(item.offset_seconds + item.seconds), item.outcome) for item in answers)
    for second in sorted({second for second, _ in counts}):
        told = {str(outcome): counts[second, outcome] for outcome in Outcome}
        yield AnswersInSecond(second, **told)


def _facts(held: Held, story: TroubleStory) -> Iterator[tuple[str, str]]:
    yield "users", str(held.slices[-1].result.users)
    yield "failed meanwhile", f"{story.failed_during} of {len(story.met)}"
    yield "failed later", str(len(list(story.failed_after())))
    if story.checked_out_at_rest is not None:
        yield "still out at rest", str(story.checked_out_at_rest)
    if story.backends_at_rest is not None:
        most = story.most_connections
        limit = f", {most} at most" if most else ""
        yield "server processes at rest", f"{story.backends_at_rest}{limit}"
    if story.left_out:
        yield "left out, failed before", ", ".join(story.left_out)
