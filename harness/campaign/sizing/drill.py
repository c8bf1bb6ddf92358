"""The nesting drill: as many clients as connections, each of which wants one more.

The formula says beforehand that they lock each other out, and how many connections end it; the
drill serves both sizes and counts who timed out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.campaign.ground import Ground
from harness.campaign.scenario import Scenario
from harness.campaign.sizing.plan import own_connections
from harness.campaign.traffic import Load
from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import counted, timeouts
from harness.checks.load.nesting import pool_locking, pool_of, why_not_refuted
from harness.checks.load.validity import Basis, invalid
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice

__all__ = ["Drill", "Suspects", "drilled", "suspects"]

_LONGEST_WAIT_SECONDS = 8.0
_SHORTEST_WAIT_SECONDS = 1.0
_MOST_WAITS = 2
"""In one drill: who is locked out in the first half of it has given up before it ends."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """Routes of which one request had several connections of the same pool out at once."""

    pool: str
    """Its name; empty where nobody noted it: the main one."""
    connections: int
    """As many as it has."""
    routes: tuple[RouteWindow, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the routes."""
        return tuple(route.route for route in self.routes)

    @property
    def deepest(self) -> int:
        """Connections that one of their requests holds, at most."""
        return max(route.held_at_once for route in self.routes)


def suspects(baseline: LoadWindow) -> list[Suspects]:
    """Who seems to nest in a load of one user, by the pool that they take from."""
    by_pool: dict[str, list[RouteWindow]] = {}
    for route in baseline.routes:
        if route.held_at_once > 1:
            by_pool.setdefault(route.pool, []).append(route)
    found = []
    for name, routes in by_pool.items():
        pool = pool_of(baseline, name)
        connections = own_connections(pool) if pool is not None else 1
        found.append(Suspects(name, connections, tuple(routes)))
    return found


@dataclass(frozen=True, slots=True)
class Drill:
    """What became of it."""

    suspects: Suspects
    safe_size: int
    """By the formula."""
    locked: LoadWindow
    """With as many connections as clients."""
    safe: LoadWindow | None
    """With as many as the formula asks for; None where nobody was locked out, or the server has no
    room for them."""

    @property
    def clients(self) -> int:
        """As many as there were connections."""
        return self.suspects.connections

    @property
    def why_not_refuted(self) -> str:
        """Why they may lock each other out after all; empty where all of them met, and got on."""
        return _why_not_refuted(self.locked, self.suspects)

    @property
    def windows(self) -> tuple[LoadWindow, ...]:
        """What was recorded, in its order."""
        return (self.locked,) if self.safe is None else (self.locked, self.safe)

    @property
    def note(self) -> str:
        """What was done, and what came of it."""
        told = f"{self.clients} clients on {counted(self.clients, 'connection')}: "
        told += _given_up(self.locked)
        if not timeouts(self.locked) and self.why_not_refuted:
            told += f", which refutes nothing: {self.why_not_refuted}"
        return told if self.safe is None else f"{told}; on {self.safe_size}: {_given_up(self.safe)}"


def drilled(ground: Ground, scenario: Scenario, found: Suspects, *, room: int) -> Drill:
    """Hold the drill in one process, on the routes that a load of one user found to nest.

    Args:
        ground: What serves.
        scenario: What users do; of planned traffic only the nested routes are requested.
        found: As many clients come as their pool has connections.
        room: Connections that the server has.
    """
    clients, safe_size = found.connections, pool_locking(found.connections, found.deepest)
    wait_seconds = _wait_seconds(found)
    load = Load(
        clients,
        _MOST_WAITS * wait_seconds + 1.5,
        plan=_only(ground.plan(), {*found.names}) if scenario.is_planned else (),
    )

    def held_with(size: int) -> LoadWindow:
        ground.tell(f"drill: {clients} clients on {counted(size, 'connection')}")
        ground.serve(PoolChoice(size, 0, wait_seconds), workers=1)
        return ground.measured(scenario, load, rest_seconds=0.0).window

    locked = held_with(clients)
    is_needed = safe_size <= room and _why_not_refuted(locked, found)
    return Drill(found, safe_size, locked, held_with(safe_size) if is_needed else None)


def _wait_seconds(found: Suspects) -> float:
    """For a connection: as long as all take one after the other, the slowest without a deadlock."""
    slowest = max(route.seconds.p95_seconds for route in found.routes)
    one_by_one = 2 * found.connections * slowest
    return round(min(max(one_by_one, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS), 2)


def _why_not_refuted(drill: LoadWindow, found: Suspects) -> str:
    return why_not_refuted(drill, pool=found.pool, routes=found.names)


def _given_up(window: LoadWindow) -> str:
    """How many waited in vain; every one of them is counted, on a busy machine too."""
    return invalid(window, Basis.COUNTS) or f"{timeouts(window) or 'none'} timed out"


def _only(plan: Iterable[tuple[str, str]], names: set[str]) -> Plan:
    """What of a plan requests these routes; all of it where the names are other ones."""
    whole = tuple(plan)
    return tuple(entry for entry in whole if entry[0] in names) or whole
