"""The nesting drill: as many clients as connections, each of which wants one more.

The formula says beforehand that they lock each other out, and how many connections end it; the
drill serves both sizes and counts who timed out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.campaign.ground import Ground
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted, timeouts
from harness.checks.load.nesting import is_refuted, pool_locking
from harness.checks.load.validity import Basis, invalid
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice

__all__ = ["Drill", "drilled", "nested_routes"]

_LONGEST_WAIT_SECONDS = 8.0
_SHORTEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Drill:
    """What became of it."""

    clients: int
    safe_size: int
    """By the formula."""
    locked: LoadWindow
    """With as many connections as clients."""
    safe: LoadWindow | None
    """With as many as the formula asks for; None where nobody was locked out, or the server has no
    room for them."""

    @property
    def windows(self) -> tuple[LoadWindow, ...]:
        """What was recorded, in its order."""
        return (self.locked,) if self.safe is None else (self.locked, self.safe)

    @property
    def note(self) -> str:
        """What was done, and what came of it."""
        told = f"{self.clients} clients on {counted(self.clients, 'connection')}: "
        told += _given_up(self.locked)
        return told if self.safe is None else f"{told}; on {self.safe_size}: {_given_up(self.safe)}"


def nested_routes(window: LoadWindow) -> tuple[str, ...]:
    """Routes of which one request had several connections of a pool out at once."""
    return tuple(route.route for route in window.routes if route.held_at_once > 1)


def drilled(
    ground: Ground, scenario: Scenario, baseline: LoadWindow, *, clients: int, room: int
) -> Drill:
    """Hold the drill in one process, on the routes that a load of one user found to nest.

    Args:
        ground: What serves.
        scenario: What users do; of planned traffic only the nested routes are requested.
        baseline: One user.
        clients: As many as the pool in question has connections.
        room: Connections that the server has.
    """
    nested = [route for route in baseline.routes if route.held_at_once > 1]
    deepest = max(route.held_at_once for route in nested)
    safe_size = pool_locking(clients, deepest)
    # One after the other, which is the slowest that a pool can be without a deadlock.
    one_by_one = 2 * clients * max(route.seconds.p95_seconds for route in nested)
    wait_seconds = min(max(one_by_one, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
    names = {route.route for route in nested}
    load = Load(
        clients,
        wait_seconds + 1.5,
        plan=_only(ground.plan(), names) if scenario.is_planned else (),
    )

    def held_with(size: int) -> LoadWindow:
        ground.tell(f"drill: {clients} clients on {counted(size, 'connection')}")
        ground.serve(PoolChoice(size, 0, wait_seconds), workers=1)
        return ground.measured(scenario, load, rest_seconds=0.0).window

    locked = held_with(clients)
    is_needed = safe_size <= room and not is_refuted(locked)
    return Drill(clients, safe_size, locked, held_with(safe_size) if is_needed else None)


def _given_up(window: LoadWindow) -> str:
    """How many waited in vain; every one of them is counted, on a busy machine too."""
    return invalid(window, Basis.COUNTS) or f"{timeouts(window) or 'none'} timed out"


def _only(plan: Iterable[tuple[str, str]], names: set[str]) -> Plan:
    """What of a plan requests these routes; all of it where the names are other ones."""
    whole = tuple(plan)
    return tuple(entry for entry in whole if entry[0] in names) or whole
