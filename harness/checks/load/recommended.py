"""What a sweep answers: the size to set, or what stands in the way of any.

A module of its own because those who find the answer (`pool_sizing.py`, `out_of_reach.py`), the
finding behind it (`no_pool_size.py`) and the reports all speak of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.checks.load.bounds import Bounds
from harness.checks.load.fleet import Fleet
from harness.checks.load.sizing_curve import SizePoint
from harness.checks.load.usl import ScalabilityLaw
from harness.findings import Verdict

__all__ = ["Obstacle", "Recommendation"]


class Obstacle(StrEnum):
    """Why no pool size is right."""

    ROOM = "room"
    """The server has no connection for each process, or too few for the target."""
    DEADLOCK = "deadlock"
    """The server has fewer than what makes a deadlock of nested requests impossible."""
    CPU = "cpu"
    """The target needs more processes."""
    DATABASE = "database"
    """It works on everything that it is sent, and serves less than the target."""
    THREADS = "threads"
    """Requests waited for one of the threads of `def` endpoints."""
    UNKNOWN = "unknown"
    """Neither CPU, nor the database, nor threads stopped throughput short of the target."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to set, and what it rests on."""

    verdict: Verdict
    """Fail: no pool size is right. Warn: it had to be compromised, see `reasons`."""
    summary: str
    pool_size: int | None = None
    """Per process; None where nothing can be recommended."""
    max_overflow: int | None = None
    low: int | None = None
    """The smallest `pool_size` that any round gives."""
    high: int | None = None
    """The largest one; None where throughput rose to the end of the sweep."""
    curve: tuple[SizePoint, ...] = ()
    """Where there are no `bounds` it is what was measured, whether it may be judged or not."""
    knee: int | None = None
    """The largest size that was worth having; None where throughput rose to the end of the
    sweep."""
    bounds: Bounds | None = None
    law: ScalabilityLaw | None = None
    """A description of the curve, no more."""
    fleet: Fleet | None = None
    processes_needed: int | None = None
    """Of the application, all replicas together, where the target needs more than there are."""
    reasons: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    """Evidence that would give another size."""
    left_out: tuple[str, ...] = ()
    """Windows that could not be used, and why."""
    obstacle: Obstacle | None = None
    """Why no pool size is right, where none is."""
