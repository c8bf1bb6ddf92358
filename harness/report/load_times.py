"""Requests under load as pictures and tables need them: where their time goes, second by second.

Sums and means of finished data for the terminal, the page and the charts, so that they cannot
come to show different figures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import floor

from harness.capture.traffic import ExhaustionStory, Outcome
from harness.capture.windows import LoadWindow, RouteWindow
from harness.report.load_content import AnswersInSecond, Timeline
from harness.report.wording import exhaustion_setting

__all__ = ["RouteTimes", "dense", "exhaustion_as_timeline", "route_times"]


@dataclass(frozen=True, slots=True)
class RouteTimes:
    """The mean request of a route: its parts add up to the whole."""

    route: str
    requests: int
    wait_seconds: float
    """For connections."""
    sql_seconds: float
    """A connection is out, and SQL runs on it."""
    idle_seconds: float
    """A connection is out, and no SQL runs on it."""
    rest_seconds: float
    """No connection is out."""

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.wait_seconds + self.sql_seconds + self.idle_seconds + self.rest_seconds


def route_times(window: LoadWindow) -> tuple[RouteTimes, ...]:
    """The routes that were requested; those on which most time was spent come first."""
    times = [_of(route) for route in window.routes if route.requests]
    return tuple(sorted(times, key=lambda each: (-each.requests * each.seconds, each.route)))


def _of(route: RouteWindow) -> RouteTimes:
    """The rest is never negative: a connection may be held for longer than the answer took."""
    wait = route.wait.mean_seconds * route.wait.count / route.requests
    hold = route.hold.mean_seconds * route.hold.count / route.requests
    sql = min(route.busy_seconds / route.requests, hold)
    share = _share(route, wait + hold)
    return RouteTimes(
        route=route.route,
        requests=route.requests,
        wait_seconds=wait * share,
        sql_seconds=sql * share,
        idle_seconds=(hold - sql) * share,
        rest_seconds=max(route.seconds.mean_seconds - wait - hold, 0.0),
    )


def _share(route: RouteWindow, connections_seconds: float) -> float:
    """What of its connections' time is the request's own.

    Several at once come to more than the request took: 8.2 s of one that gave up after 5 s.
    """
    whole = route.seconds.mean_seconds
    is_sum = route.held_at_once > 1 and connections_seconds > whole
    return whole / connections_seconds if is_sum else 1.0


def exhaustion_as_timeline(story: ExhaustionStory) -> Timeline:
    """The requests of an exhaustion step, counted in the second in which they ended."""
    ends: dict[int, Counter[Outcome]] = {}
    for request in story.outcomes:
        second = floor(request.offset_seconds + request.seconds)
        ends.setdefault(second, Counter())[request.outcome] += 1
    recovered = story.recovery_seconds
    return Timeline(
        name="pool run dry",
        probe="exhaustion",
        setting=exhaustion_setting(story),
        begins_seconds=story.blocked_from_seconds,
        ends_seconds=story.blocked_until_seconds,
        recovered_seconds=None if recovered is None else story.blocked_until_seconds + recovered,
        answers=tuple(
            AnswersInSecond(second, **{str(outcome): number for outcome, number in counts.items()})
            for second, counts in sorted(ends.items())
        ),
    )


def dense(timeline: Timeline) -> tuple[AnswersInSecond, ...]:
    """Every second from the first to the last, those without an answer too."""
    known = {each.second: each for each in timeline.answers}
    seconds = range(min(known), max(known) + 1) if known else range(0)
    return tuple(known.get(second) or AnswersInSecond(second) for second in seconds)
