"""Connections that are held for as long as a body is sent.

FastAPI ends a dependency with the default scope after the last byte (again so since 0.118), so a
session that was needed for the first line holds its connection until the slowest reader is done:
eleven of twenty-five streams had all of a pool (open-webui #28183). Readers are slow on purpose
here, so a hold time of the length of the stream is no matter of noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import (
    busy_share,
    counted,
    idle_seconds,
    milliseconds,
    percent,
    pool_capacity,
)
from harness.checks.load.held_idle import IDLE_DUTY, KIND
from harness.checks.load.judged import Judged, found, passed, skipped, undecided
from harness.checks.load.validity import NO_PROBE, Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["SideAnswers", "SlowReading", "held_stream"]

PROBE = "streaming"

_LONG_SHARE = 0.5
"""Of the time that a body takes: a hold time above it ends with the body."""
_LONG_IDLE_SECONDS = 0.1
"""Without SQL, of one hold time: below, it does not matter when the connection comes back."""


@dataclass(frozen=True, slots=True)
class SideAnswers:
    """What somebody was answered who needs a connection for a moment, beside the readers."""

    route: str
    good: int
    failed: int
    slowest_seconds: float


@dataclass(frozen=True, slots=True)
class SlowReading:
    """A load of slow readers."""

    window: LoadWindow
    streams: tuple[str, ...]
    """Their routes."""
    beside: SideAnswers | None = None
    """None where no route is known that takes a connection and answers at once."""


def held_stream(reading: SlowReading) -> Judged:
    """Whether streams hold connections while no SQL runs, and what that does to others."""
    window = reading.window
    why = invalid(window, Basis.COUNTS)
    if why == NO_PROBE:
        return skipped(PROBE, why)
    if why:
        return undecided(PROBE, why)
    routes = [route for route in window.routes if route.route in reading.streams]
    streams = sum(_streams(route) for route in routes)
    findings = [_finding(reading, route) for route in routes if _is_held(route)]
    if findings:
        return found(PROBE, findings, is_explanation=False)
    if not streams:
        return undecided(PROBE, unread(window) or f"no stream was answered well{_dry(window)}")
    answered = [route for route in routes if _streams(route)]
    quick = [route for route in answered if _is_quick(route)]
    slow = [route for route in answered if route not in quick]
    if not slow:
        longest = milliseconds(max(map(_length, quick)))
        told = f"no body was long enough to read it slowly: sent within {longest}"
        return skipped(PROBE, told, unless=unread(window))
    told = f"{counted(sum(map(_streams, slow)), 'stream')}, {_held_for(slow)}{_side(reading)}"
    return passed(PROBE, f"{told}{_untold(quick)}", unless=unread(window))


def _is_held(route: RouteWindow) -> bool:
    share = busy_share(route)
    return (
        share is not None
        and share < IDLE_DUTY
        and idle_seconds(route) > _LONG_IDLE_SECONDS
        and route.hold.mean_seconds > _LONG_SHARE * _length(route)
    )


def _dry(window: LoadWindow) -> str:
    timeouts = sum(pool.timeouts for pool in window.pools)
    gave_up = counted(timeouts, "request")
    return f"; {gave_up} gave up waiting for a connection" if timeouts else ""


def _is_quick(route: RouteWindow) -> bool:
    """Whether a body was sent before anybody could be slow: it tells nothing of one that is not."""
    return route.hold.count > 0 and _length(route) <= _LONG_IDLE_SECONDS


def _streams(route: RouteWindow) -> int:
    """Requests that were answered with a stream."""
    return route.requests - route.errors - route.shed


def _length(route: RouteWindow) -> float:
    """Seconds from having a connection until the last byte.

    What was waited is no part of it, nor what those waited who got none.
    """
    seconds = route.seconds.mean_seconds * route.seconds.count
    waited = route.wait.mean_seconds * route.wait.count
    streams = _streams(route)
    return max(seconds - waited, 0.0) / streams if streams > 0 else 0.0


def _held_for(routes: list[RouteWindow]) -> str:
    longest = max(routes, key=lambda route: route.hold.mean_seconds)
    if not longest.hold.count:
        return "none of which took a connection"
    return (
        f"each of {milliseconds(_length(longest))}; a connection is held for "
        f"{milliseconds(longest.hold.mean_seconds)} of it"
    )


def _side(reading: SlowReading) -> str:
    beside = reading.beside
    if beside is None or not beside.failed:
        return ""
    asked = beside.good + beside.failed
    return f"; {beside.failed} of {counted(asked, 'request')} beside it failed"


def _untold(quick: list[RouteWindow]) -> str:
    """Streams of which a pass says nothing."""
    if not quick:
        return ""
    first, *others = (route.route for route in quick)
    more = f" and {len(others)} more" if others else ""
    return f"; too short to read it slowly: {first}{more}"


def _finding(reading: SlowReading, route: RouteWindow) -> Finding:
    held, idle = route.hold.mean_seconds, idle_seconds(route)
    return Finding(
        kind=KIND,
        label="stream",
        anchor=route.route,
        severity=Severity.ERROR if _is_starving(reading) else Severity.WARNING,
        title=f"a stream of {milliseconds(_length(route))} holds a connection for "
        f"{milliseconds(held)}, and executes for {milliseconds(held - idle)} of it",
        fix='Depends(get_session, scope="function") ends the session before the body begins; a '
        "body that needs the database opens a session for each of its pages",
        site=route.endpoint,
        evidence=tuple(_evidence(reading, route)),
    )


def _is_starving(reading: SlowReading) -> bool:
    """Whether somebody got no connection: with other streams alone at the pool, for their sake."""
    failed = reading.beside.failed if reading.beside is not None else 0
    return failed > 0 or any(pool.timeouts for pool in reading.window.pools)


def _evidence(reading: SlowReading, route: RouteWindow) -> Iterator[tuple[str, str]]:
    window = reading.window
    yield "readers", str(window.client.users)
    if capacity := pool_capacity(window):
        several = f" in each of {window.processes} processes" if window.processes > 1 else ""
        yield "connections", f"{capacity}{several}"
    yield "streams", str(_streams(route))
    yield "SQL ran", percent(busy_share(route) or 0.0)
    if timeouts := sum(pool.timeouts for pool in window.pools):
        yield "gave up waiting for a connection", str(timeouts)
    if reading.beside is not None:
        asked = reading.beside.good + reading.beside.failed
        yield f"failed of {reading.beside.route}", f"{reading.beside.failed} of {asked}"
        yield "slowest of them", milliseconds(reading.beside.slowest_seconds)
