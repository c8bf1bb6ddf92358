"""Clients that leave: whether their connections come back, and how long the work for them goes on.

An ASGI server does not end a request whose client has gone: three clients that gave up after 0.2 s
left three statements of 1 s, which ran to their end [measured]. For quick routes that is nothing.
It is much where one request takes seconds, because the client comes again meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from harness.capture.abandonment import Abandonment, Glimpse, HeldNow
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.leak import UNFINISHED, leak
from harness.checks.load.validity import NO_PROBE, Basis, invalid
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


def abandoned(facts: Abandonment) -> Judged:
    """What clients leave behind that close their connection before the answer."""
    window = facts.window
    why = invalid(window, Basis.COUNTS)
    if why == NO_PROBE:
        return skipped(PROBE, why)
    if why:
        return undecided(PROBE, why)
    if not _left(facts):
        return undecided(PROBE, "no client left before its answer: answers came too quickly")
    if not facts.aftermath:
        return undecided(PROBE, "the application did not tell its status after clients had left")
    findings = [*leak(window).findings, *_broken(facts), *_lasting(facts)]
    if findings:
        return found(PROBE, findings, is_explanation=False)
    checkouts = sum(pool.checkouts for pool in window.pools)
    return passed(
        PROBE,
        f"{counted(_left(facts), 'client')} left before the answer; all was at rest "
        f"{milliseconds(_lasted(facts))} after the last, {counted(checkouts, 'checkout')} came "
        f"back{_replaced(window)}",
    )


def _left(facts: Abandonment) -> int:
    return facts.left + facts.left_in_flight


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
    by_route: dict[str, tuple[float, int, HeldNow]] = {}
    for glimpse in late:
        mine = [held for held in glimpse.held if held.route and not held.has_request_ended]
        for held in mine:
            most = by_route.get(held.route, (0.0, 0, held))[1]
            same = sum(other.route == held.route for other in mine)
            at_seconds = glimpse.at_seconds - facts.gone_seconds
            by_route[held.route] = (at_seconds, max(most, same), held)
    for at_seconds, most, held in by_route.values():
        yield _held_on(facts, held, at_seconds=at_seconds, most=most)
    working = [item for item in late if item.active_requests > len(item.held)]
    # Beside connections that are held for nobody, these may well wait for one.
    if working and not by_route:
        yield _working(facts, working)


def _held_on(facts: Abandonment, held: HeldNow, *, at_seconds: float, most: int) -> Finding:
    what = "a statement" if held.is_executing else "a connection without a statement"
    return Finding(
        kind=UNFINISHED,
        label="statement" if held.is_executing else "idle",
        anchor=held.route,
        severity=Severity.WARNING,
        title=f"{what} goes on for {milliseconds(at_seconds)} after its client has left",
        fix=_FIX_SQL if held.is_executing else _FIX_IDLE,
        site=held.site,
        evidence=(*_evidence(facts), ("connections so", str(most)), *_limit(facts)),
    )


def _working(facts: Abandonment, working: list[Glimpse]) -> Finding:
    last = working[-1].at_seconds - facts.gone_seconds
    most = max(item.active_requests - len(item.held) for item in working)
    return Finding(
        kind=STILL_WORKING,
        label="requests",
        anchor=EVERYWHERE,
        severity=Severity.WARNING,
        title=f"{counted(most, 'request')} without a connection went on for {milliseconds(last)} "
        "after all clients had left",
        fix=_FIX_WORK,
        evidence=_evidence(facts),
    )


def _evidence(facts: Abandonment) -> tuple[tuple[str, str], ...]:
    return (("clients that left", str(_left(facts))),)


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
