"""Requests that hold one connection while they ask for another: enough of them wait for each other.

The rule is exact: ``Tn x (Cm - 1) + 1`` connections make a deadlock impossible, where ``Tn``
requests at once hold ``Cm`` connections each (HikariCP's wiki, "About Pool Sizing", pool-locking).
With 10 such requests a pool of 10 answered 2 and timed out 8; 11 connections answered all
[measured]. So it is told before it happens, from what one request does alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import inf

from harness.capture.windows import LoadWindow, PoolWindow, RouteWindow
from harness.checks.load.figures import counted, main_pool, timeouts
from harness.checks.load.judged import Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = [
    "KIND",
    "connections_without_deadlock",
    "nesting",
    "pool_locking",
    "pool_of",
    "why_not_refuted",
    "without_nesting",
]

PROBE = "nesting"
KIND = "nested-checkout"


@dataclass(frozen=True, slots=True)
class _Nest:
    """The nested routes that share a pool."""

    pool: str
    capacity: int
    at_once: int
    """Requests to any of them at the same time, at most."""
    needed: int
    routes: tuple[RouteWindow, ...]

    @property
    def deepest(self) -> int:
        """Connections that one of their requests holds, at most."""
        return max(route.held_at_once for route in self.routes)

    @property
    def safe(self) -> int:
        """Requests to all of them together that cannot lock each other out."""
        return (self.capacity - 1) // (self.deepest - 1)


def pool_locking(at_once: int, held: int) -> int:
    """Connections that make a deadlock impossible.

    Source: HikariCP wiki, "About Pool Sizing": ``Tn x (Cm - 1) + 1``.

    Args:
        at_once: ``Tn``, requests at the same time in one process.
        held: ``Cm``, connections that each of them holds at most.
    """
    return at_once * (held - 1) + 1


def connections_without_deadlock(window: LoadWindow) -> int:
    """The smallest pool, per process, in which the requests of a window cannot lock each other out.

    At least 1. Routes of different depth add up, the deepest first, up to the number of users.
    """
    return _needed(_nested(window), window.client.users)


def nesting(window: LoadWindow, drill: LoadWindow | None = None) -> Judged:
    """Whether requests can lock each other out of the pool.

    Args:
        window: Any load.
        drill: A load of as many clients as the pool has connections, which confirms it.
    """
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if not window.pools or not window.routes:
        return undecided(PROBE, unread(window) or "no request was seen to take a connection")
    nests = _nests(window)
    if not nests and _nested(window):
        told = "connections are held at once, of pools without a bound"
        return passed(PROBE, told, unless=unread(window))
    if not nests:
        told = "no request held more than one connection of a pool at once"
        return passed(PROBE, told, unless=unread(window))
    findings = [
        _finding(nest, route, _confirmed(drill, nest)) for nest in nests for route in nest.routes
    ]
    is_explanation = any(finding.severity is Severity.ERROR for finding in findings) and (
        timeouts(window) > 0 or any(_confirmed(drill, nest) for nest in nests)
    )
    return found(PROBE, findings, is_explanation=is_explanation)


def why_not_refuted(drill: LoadWindow, *, pool: str = "", routes: Collection[str] = ()) -> str:
    """Why a drill leaves it open that requests lock each other out; empty where it refutes that.

    Tasks of one request that each take a connection and give it back wait for nobody who waits.
    That nobody timed out is not enough though: who never met could not wait for each other.

    Args:
        drill: As many clients as the pool has connections.
        pool: Its name; the main one by default.
        routes: Those that seemed to nest; all of the drill by default.
    """
    reasons = (
        invalid(drill, Basis.COUNTS),
        unread(drill),
        _given_up(drill),
        _never_met(drill, pool_of(drill, pool), routes),
    )
    return next(filter(None, reasons), "")


def pool_of(window: LoadWindow, name: str) -> PoolWindow | None:
    """The pool with this name, of several processes the smallest; without one, the main pool."""
    named = (pool for pool in window.pools if pool.name == name)
    return min(named, key=_bound, default=main_pool(window))


def without_nesting(window: LoadWindow, routes: Collection[str]) -> LoadWindow:
    """The window as it is judged once a drill has refuted that these routes nest."""
    told = (
        replace(route, held_at_once=min(route.held_at_once, 1)) if route.route in routes else route
        for route in window.routes
    )
    return replace(window, routes=tuple(told))


def _nested(window: LoadWindow) -> list[RouteWindow]:
    return [route for route in window.routes if route.held_at_once > 1]


def _nests(window: LoadWindow) -> list[_Nest]:
    nests = []
    by_pool: dict[str, list[RouteWindow]] = {}
    for route in _nested(window):
        by_pool.setdefault(route.pool, []).append(route)
    for name, routes in by_pool.items():
        pool, users = pool_of(window, name), window.client.users
        if pool is not None and pool.capacity is not None:
            at_once = min(sum(route.peak_concurrency for route in routes), users)
            needed = _needed(routes, users)
            nests.append(_Nest(name, pool.capacity, at_once, needed, tuple(routes)))
    return nests


def _bound(pool: PoolWindow) -> float:
    return inf if pool.capacity is None else pool.capacity


def _given_up(drill: LoadWindow) -> str:
    """Callers that waited in vain, those included who still waited as counting ended.

    Their answers are counted all the same, and come before the client's own time limit.
    """
    if gave_up := timeouts(drill):
        return f"{gave_up} timed out"
    client = drill.client
    lost = client.shed + client.errors + client.hung + client.transport_failures
    return f"{counted(lost, 'request')} got no answer, or one of 5xx" if lost else ""


def _never_met(drill: LoadWindow, pool: PoolWindow | None, routes: Collection[str]) -> str:
    """Why not all connections can have been out for as many requests at the same time."""
    users, seen = drill.client.users, [each for each in drill.routes if each.route in routes]
    at_once = sum(route.peak_concurrency for route in seen or drill.routes)
    if drill.client.requests <= users:
        return f"{counted(drill.client.requests, 'request')} of {counted(users, 'client')} ended"
    if pool is None or pool.capacity != users:
        return f"the pool had not {counted(users, 'connection')}"
    if pool.peak_checked_out < users:
        return f"at most {pool.peak_checked_out} of {users} connections were out at once"
    return "" if at_once >= users else f"at most {at_once} of {users} requests met"


def _needed(routes: Sequence[RouteWindow], users: int) -> int:
    left, needed = users, 1
    for route in sorted(routes, key=lambda route: -route.held_at_once):
        at_once = min(route.peak_concurrency, left)
        needed += pool_locking(at_once, route.held_at_once) - 1
        left -= at_once
    return needed


def _confirmed(drill: LoadWindow | None, nest: _Nest) -> int:
    """Callers of the drill that gave up while all connections were out, held by each other.

    Whether a request of the drill was seen to hold several is not asked: where all of them locked
    each other out nobody got a second one, and the drill requests routes that nest alone.
    """
    if drill is None or drill.client.users != nest.capacity:
        return 0
    pool = pool_of(drill, nest.pool)
    is_full = pool is not None and pool.peak_checked_out >= nest.capacity
    return pool.timeouts if pool is not None and is_full else 0


def _finding(nest: _Nest, route: RouteWindow, confirmed: int) -> Finding:
    # As many as a drill has shown to be too few are not safe, however few came at the same time.
    drilled = pool_locking(nest.capacity, nest.deepest) if confirmed else 1
    needed = max(nest.needed, drilled)
    for_requests = nest.capacity if drilled > nest.needed else nest.at_once
    is_possible = nest.capacity < needed
    others = [each.route for each in nest.routes if each.route != route.route]
    title = f"one request holds {route.held_at_once} connections at once: "
    if confirmed:
        title += f"confirmed, {nest.capacity} clients on {nest.capacity} connections timed out "
        title += f"{confirmed} times"
    elif is_possible:
        title += (
            f"{nest.at_once} at a time{_with(others, ',')} can lock each other out of "
            f"{counted(nest.capacity, 'connection')}; {needed} make it impossible"
        )
    else:
        title += f"{counted(nest.capacity, 'connection')} are safe for up to {nest.safe} at a time"
        title += _with(others)
    return Finding(
        kind=KIND,
        label="deadlock",
        anchor=route.route,
        severity=Severity.ERROR if confirmed or is_possible else Severity.NOTE,
        title=title,
        fix=_fix(nest, needed if is_possible else None),
        site=route.endpoint,
        evidence=(
            ("held at once", counted(route.held_at_once, "connection")),
            ("at the same time", counted(route.peak_concurrency, "request")),
            ("pool", counted(nest.capacity, "connection")),
            ("smallest safe pool", f"{counted(needed, 'connection')} for {for_requests} at a time"),
            ("safe up to", f"{counted(nest.safe, 'request')}{_with(others)}"),
        ),
    )


def _fix(nest: _Nest, needed: int | None) -> str:
    """What ends it. More connections do so for so many requests at once, and no more.

    Args:
        nest: The routes, and their pool.
        needed: Connections that it should have; None where it has as many.
    """
    each = nest.safe // len(nest.routes)
    bound = f"(Depends(…, max_concurrency={each}))"
    where = "the route" if len(nest.routes) == 1 else f"each of the {len(nest.routes)} routes"
    told = "pass the session down instead of opening another"
    told += f", or bound {where} {bound}" if each else ""
    if needed is None:
        return f"{told}; the pool is large enough as long as no more than {nest.safe} come at once"
    enough = counted((needed - 1) // (nest.deepest - 1), "such request")
    return f"{told}, or give the pool {needed} connections and let at most {enough} in at once"


def _with(others: Sequence[str], end: str = "") -> str:
    """Which other routes count, too: they take from the same pool."""
    if not others:
        return ""
    whom = others[0] if len(others) == 1 else f"{len(others)} other routes"
    return f", together with {whom}{end}"
