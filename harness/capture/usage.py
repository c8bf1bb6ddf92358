"""What a request has used so far, added up while it is worked on.

A module of its own because the request carries it and counters fill it in: neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Usage"]


@dataclass(slots=True, eq=False)
class Usage:
    """The database as one request saw it."""

    busy_seconds: float = 0.0
    """In which its statements ran."""
    wait_seconds: float = 0.0
    """For connections, those included that it did not get."""
    shared_sessions: int = 0
    implicit_rollbacks: int = 0
    holds: list[tuple[float, float]] = field(default_factory=list)
    """Wait and hold of its checkouts, until its route is known."""
    waits: list[float] = field(default_factory=list)
    """Of what it did not get, until then."""
    held_at_once: int = 0
    pool: str = ""
    """Of which it held so many."""
