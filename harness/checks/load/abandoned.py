"""Clients that leave: whether their connections come back, and how long the work for them goes on.

An ASGI server does not end a request whose client has gone: three clients that gave up after 0.2 s
left three statements of 1 s, which ran to their end [measured]. For quick routes that is nothing.
It is much where one request takes seconds, because the client comes again meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from harness.capture.abandonment import Abandonment, Glimpse, HeldNow
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.leak import UNFINISHED, leak
from harness.checks.load.validity import NO_PROBE, Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KINDS", "LONGEST_AFTER_SECONDS", "abandoned"]

PROBE = "disconnect"
STILL_WORKING = "work-after-client"
BROKEN = "broken-after-client"
KINDS = frozenset({STILL_WORKING, BROKEN, UNFINISHED})

LONGEST_AFTER_SECONDS = 1.5
"""How long work for clients that have left may go on. The last socket of a generator closes up to
half a second after its users were told to leave; the second beyond is longer than a request may
take of which people do not notice that they wait (Nielsen, Response Times, 1993)."""

_FIX_SQL = (
    "limit statements (statement_timeout, shorter than the patience of clients): nothing else ends "
    "one whose client has left"
)
_FIX_IDLE = (
    "give the connection back before what takes long, and limit that: asyncio.timeout, the timeout "
    "of the HTTP client"
)
_FIX_WORK = (
    "limit what takes long (asyncio.timeout), or ask `await request.is_disconnected()` between its "
    "steps and stop"
)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """Connections of one route that were held at one moment."""

    after_seconds: float
    """Since the last client left."""
    held: tuple[HeldNow, ...]


def abandoned(facts: Abandonment) -> Judged:
    """What clients leave behind that close their connection before the answer."""
    # Who has left has sent a request, and on a slow route nobody may have done anything else.
    window = _with_requests(facts.window, facts.left_in_all)
    why = invalid(window, Basis.COUNTS)
    if why == NO_PROBE:
        return skipped(PROBE, why)
    if why:
        return undecided(PROBE, why)
    if not facts.left_in_all:
        return undecided(PROBE, "no client left before its answer: answers came too quickly")
    if not facts.aftermath:
        return undecided(PROBE, "the application did not tell its status after clients had left")
    findings = [*leak(window).findings, *_broken(facts), *_lasting(facts)]
    if findings:
        return found(PROBE, findings, is_explanation=False)
    checkouts = sum(pool.checkouts for pool in window.pools)
    return passed(
        PROBE,
        f"{counted(facts.left_in_all, 'client')} left before the answer; all was at rest "
        f"{_when(_lasted(facts))}, {counted(checkouts, 'checkout')} came back{_replaced(window)}",
        unless=unread(window, at_rest=True),
    )


def _with_requests(window: LoadWindow, further: int) -> LoadWindow:
    """The window of a load of which so many requests more were sent than answered."""
    client = replace(window.client, requests=window.client.requests + further)
    return replace(window, client=client)


def _when(seconds: float) -> str:
    return f"{milliseconds(seconds)} after the last" if seconds > 0 else "when the last had gone"


def _lasted(facts: Abandonment) -> float:
    """Seconds until nothing was being worked on, or until nobody looked any more."""
    busy = tuple(takewhile(lambda glimpse: not glimpse.is_at_rest, facts.aftermath))
    return busy[-1].at_seconds - facts.gone_seconds if busy else 0.0


def _replaced(window: LoadWindow) -> str:
    """How many connections were made anew: one whose statement is cancelled is thrown away.

    No finding: nothing else can be done with a connection in the middle of a statement. Where
    overflow was in use nobody can tell who ended them.
    """
    kept = [pool for pool in window.pools if pool.peak_checked_out <= (pool.size or 0)]
    count = sum(max(pool.creations - (pool.size or 0), 0) for pool in kept)
    if not count:
        return ""
    return f"; {counted(count, 'connection')} thrown away in the middle of a statement"


def _late(facts: Abandonment) -> tuple[Glimpse, ...]:
    late_seconds = facts.gone_seconds + LONGEST_AFTER_SECONDS
    return tuple(item for item in facts.aftermath if item.at_seconds >= late_seconds)


def _lasting(facts: Abandonment) -> Iterator[Finding]:
    """Work that went on for too long: with a connection by route, without one altogether."""
    late = _late(facts)
    by_route: dict[str, list[_Sighting]] = {}
    for glimpse in late:
        mine = [held for held in glimpse.held if held.route and not held.has_request_ended]
        for route in dict.fromkeys(held.route for held in mine):
            same = tuple(held for held in mine if held.route == route)
            sighting = _Sighting(glimpse.at_seconds - facts.gone_seconds, same)
            by_route.setdefault(route, []).append(sighting)
    for sightings in by_route.values():
        yield _held_on(facts, sightings)
    working = [item for item in late if item.active_requests > len(item.held)]
    # Beside connections that are held for nobody, these may well wait for one.
    if working and not by_route:
        yield from _working(facts, working)


def _held_on(facts: Abandonment, sightings: Sequence[_Sighting]) -> Finding:
    every = [held for sighting in sightings for held in sighting.held]
    last, most = sightings[-1], max(len(sighting.held) for sighting in sightings)
    # Before and after its statement a request holds its connection, too, and each may be seen then.
    is_executing = 2 * sum(held.is_executing for held in every) >= len(every)
    what = "a statement" if is_executing else "a connection without a statement"
    return Finding(
        kind=UNFINISHED,
        label="statement" if is_executing else "idle",
        anchor=every[-1].route,
        severity=Severity.WARNING,
        title=f"{what} goes on for {milliseconds(last.after_seconds)} after its client has left",
        fix=_FIX_SQL if is_executing else _FIX_IDLE,
        site=every[-1].site,
        evidence=(*_evidence(facts), ("connections at once", str(most)), *_limit(facts)),
    )


def _working(facts: Abandonment, working: list[Glimpse]) -> Iterator[Finding]:
    last = working[-1].at_seconds - facts.gone_seconds
    most = max(item.active_requests - len(item.held) for item in working)
    endpoints = {route.route: route.endpoint for route in facts.window.routes}
    late = _ended_between(working[0], facts.aftermath[-1])
    # What has not ended by then belongs to a route that nobody knows.
    for route, count in late.items() or [(EVERYWHERE, most)]:
        yield Finding(
            kind=STILL_WORKING,
            label="requests",
            anchor=route,
            severity=Severity.WARNING,
            title=f"{counted(count, 'request')} without a connection went on for "
            f"{milliseconds(last)} after all clients had left",
            fix=_FIX_WORK,
            site=endpoints.get(route),
            evidence=_evidence(facts),
        )


def _ended_between(first: Glimpse, last: Glimpse) -> dict[str, int]:
    """Requests that ended meanwhile, by route; nothing where the two show different processes.

    One that does not answer in time is in no glimpse, and behind a port that several share each
    shows whichever answered: its counts, less another one's, are the number of nothing. Since
    nobody begins any more, what was under way at first is so at last, or has ended.
    """
    routes = first.ended.keys() | last.ended.keys()
    late = {route: last.ended.get(route, 0) - first.ended.get(route, 0) for route in routes}
    is_same = sum(late.values()) == first.active_requests - last.active_requests
    if not is_same or min(late.values(), default=0) < 0:
        return {}
    return {route: late[route] for route in sorted(late) if late[route]}


def _evidence(facts: Abandonment) -> tuple[tuple[str, str], ...]:
    return (("clients that left", str(facts.left_in_all)),)


def _limit(facts: Abandonment) -> Iterator[tuple[str, str]]:
    server = facts.window.server
    limit = server.statement_timeout_seconds if server is not None else None
    if limit is not None:
        yield "statement_timeout of the role", milliseconds(limit) if limit else "none"
    if facts.executing_after:
        yield "on the server after that", counted(facts.executing_after, "statement")


def _broken(facts: Abandonment) -> Iterator[Finding]:
    """Routes that answered while others left, and not when they had."""
    for route in facts.answers:
        if route.good_before and route.failed_after and not route.good_after:
            yield Finding(
                kind=BROKEN,
                label="answers",
                anchor=route.route,
                severity=Severity.ERROR,
                title=f"{counted(route.failed_after, 'request')} failed after clients had left, "
                "and none was answered well",
                fix="find what a request leaves behind that is cancelled, or whose answer nobody "
                "takes: a lock, a semaphore, an entry in a table; give it back in `finally`",
                evidence=(*_evidence(facts), ("good before", str(route.good_before))),
            )
