"""One drought from its beginning to the way back: the load, what is asked beside it, the counts.

What serves, and who loads, is the caller's: a probe has a rig for it, the checkup a stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.campaign.drought.rest import RestWatch, is_at_rest, rest_watched
from harness.campaign.drought.side import SideAnswer, SideProbe, side_probe
from harness.campaign.drought.story import (
    Drought,
    Noted,
    Statuses,
    recovered_seconds,
    served_wait,
    story_of,
)
from harness.campaign.traffic import Traffic
from harness.capture.traffic import Distribution, ExhaustionStory
from harness.errors import BlindRecorderError, UnreachableTargetError
from harness.load.result import LoadResult
from harness.served import ServedApplication

__all__ = ["KEPT_REQUESTS", "Beside", "Dried", "Meanwhile", "run_dry"]

KEPT_REQUESTS = 200_000
"""Each is a point of the story. In ten seconds a generator sends a tenth of it; 20 MB."""
_FILL_SECONDS = 0.5
_POLL_SECONDS = 0.1
_REST_SECONDS = 2.0

Meanwhile = Callable[[Traffic], None]
Block = tuple[float, float]
"""From when until when statements were blocked, on `time.monotonic`."""
Lock = Callable[[float], Block]
"""Blocks every statement for so many seconds."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is requested beside the load."""

    without_database: str
    """Path of a route that takes no connection."""
    with_database: str
    """Path of one that does, and is done at once."""


@dataclass(frozen=True, slots=True)
class Dried:
    """What became of it."""

    story: ExhaustionStory
    began_seconds: float
    """Zero of the story, on `time.monotonic`."""
    beside: tuple[SideAnswer, ...]
    """Of the route with a database, from before to after."""


def run_dry(
    target: ServedApplication,
    drought: Drought,
    *,
    beside: Beside,
    loaded: Callable[[Meanwhile], LoadResult],
    lock: Lock | None = None,
) -> Dried:
    """Run a pool dry and wait for the application to come back.

    Args:
        target: The application, served with the pool in question.
        drought: What to do.
        beside: What to request besides.
        loaded: Sends the users, calls what it is given when they are counted, and returns when
            they have left, with their single requests.
        lock: Needed where the drought says so.
    """
    began_seconds = time.monotonic()
    with ExitStack() as stack:
        free = stack.enter_context(side_probe(target.url, beside.without_database, target.headers))
        cheap = stack.enter_context(side_probe(target.url, beside.with_database, target.headers))
        watch = stack.enter_context(rest_watched(target))
        observed = _Observed(target, drought, lock)
        result = loaded(observed.meanwhile)
        noted = observed.noted(began_seconds, result)
        noted = _come_back(drought, noted, cheap, watch)
    from_seconds, until_seconds = noted.dry_from_seconds, noted.dry_until_seconds
    noted = replace(
        noted,
        without_database=free.latency(from_seconds=from_seconds, until_seconds=until_seconds),
        log_bytes=observed.log_growth(),
        checked_out_at_rest=_checked_out(target),
    )
    return Dried(story_of(drought, noted), began_seconds, tuple(noted.beside))


@dataclass(slots=True, eq=False)
class _Observed:
    """What is read while the users are there."""

    target: ServedApplication
    drought: Drought
    lock: Lock | None
    _block: Block | None = None
    _wait: Distribution | None = None
    _log_bytes: int | None = None

    def meanwhile(self, _traffic: Traffic) -> None:
        """Wait for the end of the drought, or make it."""
        before, self._log_bytes = _statuses(self.target), _size(self.target.log)
        if self.drought.is_locked and self.lock is not None:
            time.sleep(_FILL_SECONDS)
            self._block = self.lock(self.drought.seconds)
        else:
            time.sleep(self.drought.seconds)
        self._wait = served_wait(before, _statuses(self.target))

    def noted(self, began_seconds: float, result: LoadResult) -> Noted:
        """What is known when the users have left."""
        all_the_time = (result.started_seconds, result.started_seconds + result.seconds)
        from_seconds, until_seconds = self._block or all_the_time
        return Noted(began_seconds, from_seconds, until_seconds, result, served_wait=self._wait)

    def log_growth(self) -> int | None:
        """By how much the log has grown since the users came; None where nobody knows it."""
        size = _size(self.target.log)
        return None if size is None or self._log_bytes is None else size - self._log_bytes


def _come_back(drought: Drought, noted: Noted, cheap: SideProbe, watch: RestWatch) -> Noted:
    """Watch until all is well again, or for as long as it may take and some more."""
    left_seconds = noted.result.started_seconds + noted.result.seconds
    may_take_seconds = drought.timeout_seconds + (drought.hold_seconds or 0.0)
    given_up_seconds = max(noted.dry_until_seconds, left_seconds) + may_take_seconds
    given_up_seconds += drought.patience_seconds
    while True:
        noted = replace(
            noted, beside=tuple(cheap.answers), rest_seconds=watch.first_after(left_seconds)
        )
        is_back = recovered_seconds(drought, noted) is not None and noted.rest_seconds is not None
        if is_back or time.monotonic() > given_up_seconds:
            return noted
        time.sleep(_POLL_SECONDS)


def _checked_out(target: ServedApplication) -> int | None:
    """Connections that are out once nobody asks for anything; None where nobody tells."""
    until_seconds = time.monotonic() + _REST_SECONDS
    while not is_at_rest(target) and time.monotonic() < until_seconds:
        time.sleep(_POLL_SECONDS)
    statuses = _statuses(target)
    pools = [pool for status in statuses.values() for pool in status["pools"]]
    return sum(pool["checked_out"] for pool in pools) if statuses else None


def _statuses(target: ServedApplication) -> Statuses:
    try:
        return target.statuses()
    except (UnreachableTargetError, BlindRecorderError):
        return {}


def _size(log: Path | None) -> int | None:
    try:
        return log.stat().st_size if log is not None else None
    except OSError:
        return None
