"""Requests that hold one connection while they ask for another: enough of them wait for each other.

The rule is exact: ``Tn x (Cm - 1) + 1`` connections make a deadlock impossible, where ``Tn``
requests at once hold ``Cm`` connections each (HikariCP's wiki, "About Pool Sizing", pool-locking).
With 10 such requests a pool of 10 answered 2 and timed out 8; 11 connections answered all
[measured]. So it is told before it happens, from what one request does alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import counted, main_pool, timeouts
from harness.checks.load.judged import Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid
from harness.findings import Finding, Severity

__all__ = [
    "KIND",
    "connections_without_deadlock",
    "is_refuted",
    "nesting",
    "pool_locking",
    "without_nesting",
]

PROBE = "nesting"
KIND = "nested-checkout"


@dataclass(frozen=True, slots=True)
class _Nest:
    """The nested routes that share a pool."""

    capacity: int
    needed: int
    routes: tuple[RouteWindow, ...]


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
        return undecided(PROBE, "no request was seen to take a connection")
    nests = _nests(window)
    if not nests and _nested(window):
        return passed(PROBE, "connections are held at once, of pools without a bound")
    if not nests:
        return passed(PROBE, "no request held more than one connection of a pool at once")
    findings = [
        _finding(nest, route, _confirmed(drill, nest.capacity))
        for nest in nests
        for route in nest.routes
    ]
    is_explanation = any(finding.severity is Severity.ERROR for finding in findings) and (
        timeouts(window) > 0 or any(_confirmed(drill, nest.capacity) for nest in nests)
    )
    return found(PROBE, findings, is_explanation=is_explanation)


def is_refuted(drill: LoadWindow) -> bool:
    """Whether as many clients as connections were all served: their requests hold several apart.

    Tasks of one request that each take a connection and give it back wait for nobody who waits.
    """
    return (
        not invalid(drill, Basis.COUNTS)
        and drill.client.requests > drill.client.users
        and timeouts(drill) == 0
    )


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
    for pool, routes in by_pool.items():
        capacity = _capacity(window, pool)
        if capacity is not None:
            needed = _needed(routes, window.client.users)
            nests.append(_Nest(capacity, needed, tuple(routes)))
    return nests


def _capacity(window: LoadWindow, pool: str) -> int | None:
    """Of the pool with this name in any process; without a name, of the main one."""
    named = [item for item in window.pools if item.name == pool]
    main = main_pool(window)
    bounded = named or ([main] if main is not None else [])
    capacities = [item.capacity for item in bounded if item.capacity is not None]
    return min(capacities, default=None)


def _needed(routes: Sequence[RouteWindow], users: int) -> int:
    left, needed = users, 1
    for route in sorted(routes, key=lambda route: -route.held_at_once):
        at_once = min(route.peak_concurrency, left)
        needed += pool_locking(at_once, route.held_at_once) - 1
        left -= at_once
    return needed


def _confirmed(drill: LoadWindow | None, capacity: int) -> int:
    """Callers of the drill that gave up while all connections were out, held by each other."""
    if drill is None or drill.client.users != capacity or not _nested(drill):
        return 0
    pool = main_pool(drill)
    is_full = pool is not None and pool.peak_checked_out >= capacity
    return timeouts(drill) if is_full else 0


def _finding(nest: _Nest, route: RouteWindow, confirmed: int) -> Finding:
    is_possible = nest.capacity < nest.needed
    safe = (nest.capacity - 1) // (route.held_at_once - 1)
    title = f"one request holds {route.held_at_once} connections at once: "
    if confirmed:
        title += f"confirmed, {nest.capacity} clients on {nest.capacity} connections timed out "
        title += f"{confirmed} times"
    elif is_possible:
        title += (
            f"{route.peak_concurrency} at a time can lock each other out of "
            f"{counted(nest.capacity, 'connection')}; {nest.needed} make it impossible"
        )
    else:
        title += f"{counted(nest.capacity, 'connection')} are safe for up to {safe} at a time"
    return Finding(
        kind=KIND,
        label="deadlock",
        anchor=route.route,
        severity=Severity.ERROR if confirmed or is_possible else Severity.NOTE,
        title=title,
        fix="pass the session down instead of opening another, or bound the route "
        f"(Depends(…, max_concurrency={max(safe, 1)})), or give the pool "
        f"{max(nest.needed, nest.capacity)} connections",
        site=route.endpoint,
        evidence=(
            ("held at once", counted(route.held_at_once, "connection")),
            ("at the same time", counted(route.peak_concurrency, "request")),
            ("pool", counted(nest.capacity, "connection")),
            ("smallest safe pool", counted(nest.needed, "connection")),
            ("safe up to", counted(safe, "request")),
        ),
    )
