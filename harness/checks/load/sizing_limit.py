"""What stopped throughput from rising in a sweep: CPU, the database, threads, or nobody knows.

A module of its own because it decides twice: whether processes share the knee, and whether more of
them would help. A knee with CPU to spare alone accuses nobody: the 40 threads of `def` endpoints, a
semaphore and a slow service beside the database all bend the curve like that.
"""

from __future__ import annotations

from enum import StrEnum
from statistics import median

from harness.checks.load.database_bound import BUSY_DUTY
from harness.checks.load.figures import SPARE_CPU, server_view
from harness.checks.load.sizing_curve import Curve

__all__ = ["Limit", "limit_of"]


class Limit(StrEnum):
    """What stopped it."""

    CPU = "cpu"
    DATABASE = "database"
    THREADS = "threads"
    UNKNOWN = "unknown"


def limit_of(curve: Curve, knee: int | None) -> Limit | None:
    """What stopped throughput at the size that served most; None where it rose to the end."""
    if knee is None:
        return None
    windows = curve.windows[curve.best.size]
    if curve.best.process_cpu >= SPARE_CPU:
        return Limit.CPU
    if any(window.peak_threads_waiting for window in windows):
        return Limit.THREADS
    views = [view for window in windows if (view := server_view(window)) is not None]
    duties = [view.duty for view in views if view.duty is not None]
    is_busy = bool(duties) and median(duties) >= BUSY_DUTY
    return Limit.DATABASE if is_busy else Limit.UNKNOWN
