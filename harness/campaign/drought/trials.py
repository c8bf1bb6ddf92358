"""Which routes hold connections, for how long, and which need none: tried one request at a time.

A load that is to run a pool dry needs the route that holds connections longest, and whoever watches
it needs one that asks for no connection at all and one that asks for one and is done at once. Names
do not tell; the probe's counts before and after a request do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.campaign.asking import FAILURES, asked, is_streamed, read_whole
from harness.capture.histogram import Histogram
from harness.load.routes import Plan
from harness.served import ServedApplication

__all__ = ["WITHOUT_PLAN", "Trial", "cheapest", "longest_holder", "tried", "without_database"]

_ANSWER_SECONDS = 5.0
_ROUNDS = 3
_MOST_LATE = 4
"""Routes without an answer, or with one that has no end, that take none of the others' time."""
_CLIENT_ERROR = 400
WITHOUT_PLAN = ("GET /openapi.json", "/openapi.json")
"""What needs no database where no route of the plan does. An application that has none answers 404,
which shows as well whether its loop runs."""

Statuses = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One request to a route, with nobody else there."""

    route: str
    path: str
    seconds: float
    is_good: bool
    """Whether the answer was neither 4xx nor 5xx, and came to its end."""
    checkouts: int
    hold_seconds: float
    """Of all its checkouts together."""
    busy_seconds: float
    is_streamed: bool = False
    """Whether the body was sent without its length: once it has begun, a failure can only cut it
    off, which no status tells."""
    pools: frozenset[str] = frozenset()
    """Those that its connections came from."""


@dataclass(frozen=True, slots=True)
class _Answer:
    seconds: float
    status: int
    """0 for none, or for one that did not come to its end in time."""
    is_streamed: bool = False

    @property
    def is_late(self) -> bool:
        """Whether nobody waited any longer for its end, as of one that sends events for ever."""
        return not self.status and self.seconds >= _ANSWER_SECONDS


@dataclass(frozen=True, slots=True)
class _Counts:
    checkouts: Counter[str]
    """By pool."""
    hold_seconds: float
    busy_seconds: float


def tried(target: ServedApplication, plan: Plan, *, seconds: float) -> tuple[Trial, ...]:
    """Request each route a few times; of each the quickest request is told.

    The first requests to a route compile its statements and open connections.

    Args:
        target: The application, which nobody else may load meanwhile.
        plan: Routes and paths.
        seconds: How long at most, but for the request that is under way then, and for what did not
            come to its end in time, which is requested once.
    """
    best: dict[str, Trial] = {}
    late: set[str] = set()
    until_seconds = time.monotonic() + seconds
    before = _counted(target.statuses())
    for route, path in (each for _ in range(_ROUNDS) for each in plan):
        if time.monotonic() > until_seconds + _ANSWER_SECONDS * min(len(late), _MOST_LATE):
            break
        if route in late:
            continue
        answer = _answer_to(target, path)
        late.update([route] if answer.is_late else [])
        after = _counted(target.statuses())
        trial = Trial(
            route,
            path,
            answer.seconds,
            is_good=0 < answer.status < _CLIENT_ERROR,
            checkouts=after.checkouts.total() - before.checkouts.total(),
            hold_seconds=after.hold_seconds - before.hold_seconds,
            busy_seconds=after.busy_seconds - before.busy_seconds,
            is_streamed=answer.is_streamed,
            pools=frozenset(after.checkouts - before.checkouts),
        )
        before = after
        best[route] = min(best.get(route, trial), trial, key=_badness)
    return tuple(best.values())


def longest_holder(trials: Iterable[Trial]) -> Trial | None:
    """The route that holds connections longest; None where none takes any."""
    return max(_on_database(trials), key=lambda trial: trial.hold_seconds, default=None)


def cheapest(
    trials: Iterable[Trial], *, beside: str = "", pools: Collection[str] = ()
) -> Trial | None:
    """The route on which SQL runs shortest, rather one that streams nothing; None for none.

    Args:
        trials: What was tried.
        beside: Rather not this one, which is loaded.
        pools: Rather one that takes its connections from these, which are loaded: where there are
            several engines, the pools of the others are not dry.
    """
    usable = _on_database(trials)
    usable = [each for each in usable if not each.pools.isdisjoint(pools)] or usable
    found = sorted(usable, key=lambda each: (each.is_streamed, each.busy_seconds))
    return next((trial for trial in found if trial.route != beside), found[0] if found else None)


def without_database(trials: Iterable[Trial]) -> tuple[str, str]:
    """Route and path of the quickest one that takes no connection."""
    free = [trial for trial in trials if trial.is_good and not trial.checkouts]
    found = min(free, key=lambda trial: trial.seconds, default=None)
    return WITHOUT_PLAN if found is None else (found.route, found.path)


def _on_database(trials: Iterable[Trial]) -> Sequence[Trial]:
    return [trial for trial in trials if trial.is_good and trial.checkouts]


def _badness(trial: Trial) -> tuple[bool, float]:
    return not trial.is_good, trial.seconds


def _answer_to(target: ServedApplication, path: str) -> _Answer:
    began_seconds = time.monotonic()
    status, is_stream = 0, False
    try:
        with asked(
            target.url, path, wait_seconds=_ANSWER_SECONDS, headers=target.headers
        ) as response:
            is_stream = is_streamed(response)
            read_whole(response, until_seconds=began_seconds + _ANSWER_SECONDS)
            status = response.status
    except FAILURES:
        pass  # no status tells it
    return _Answer(time.monotonic() - began_seconds, status, is_streamed=is_stream)


def _counted(statuses: Statuses) -> _Counts:
    pools = [pool for status in statuses.values() for pool in status["pools"]]
    checkouts = Counter[str]()
    for pool in pools:
        checkouts[pool["name"]] += pool["checkouts"]
    return _Counts(
        checkouts=checkouts,
        hold_seconds=sum(Histogram.from_json(pool["hold"]).sum_seconds for pool in pools),
        busy_seconds=sum(pool["busy_seconds"] for pool in pools),
    )
