"""What a request has used so far, added up while it is worked on.

A module of its own because the request carries it and counters fill it in: neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.capture.route_counts import RouteCounts

__all__ = ["Usage"]


@dataclass(slots=True, eq=False)
class Usage:
    """The database as one request saw it."""

    route: RouteCounts | None = None
    """Where it is counted, once that is known."""
    statements: int = 0
    """Counted by whoever keeps no records."""
    round_trips: int = 0
    busy_seconds: float = 0.0
    """In which its statements ran."""
    wait_seconds: float = 0.0
    """For connections, those included that it did not get."""
    shared_sessions: int = 0
    checkouts: tuple[tuple[float, float], ...] = ()
    """Wait and hold of those that are back, until its route is known."""
    waits: tuple[float, ...] = ()
    """Of what it did not get, until then."""
    out: int = 0
    """Its connections that are out, as often as somebody counts them."""
    held_at_once: int = 0
    pool: str = ""
    """Of which it held so many."""
