"""Threads that wait for connections while requests wait for threads.

`def` endpoints share 40 threads, a default pool has 15 connections: 25 threads can stand in the
pool's queue, and what needs a thread but no connection stands behind them. With two connections 43
of 100 such requests failed, with fifteen none [measured].
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, PoolWindow
from harness.checks.load.figures import counted, main_pool, timeouts
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KIND", "starved_threads"]

PROBE = "starved-threads"
KIND = "starved-threads"


def starved_threads(window: LoadWindow) -> Judged:
    """Whether requests waited for one of the threads that `def` endpoints share."""
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if window.thread_limit is None:
        return skipped(PROBE, "the number of threads is not known", unless=unread(window))
    if not window.peak_threads_waiting:
        told = f"nobody waited for one of {counted(window.thread_limit, 'thread')}"
        return passed(PROBE, told, unless=unread(window))
    return found(PROBE, [_finding(window, window.thread_limit)], is_explanation=True)


def _finding(window: LoadWindow, limit: int) -> Finding:
    pool = main_pool(window)
    blocked = _threads_in_the_pools_queue(pool, limit)
    severity = Severity.WARNING if blocked else Severity.NOTE
    if blocked and timeouts(window):
        severity = Severity.ERROR
    waiting = counted(window.peak_threads_waiting, "request")
    title = f"{waiting} waited for one of {counted(limit, 'thread')}"
    if blocked:
        title += f"; {blocked} of these waited for a connection"
    return Finding(
        kind=KIND,
        label="pool" if blocked else "threads",
        anchor=EVERYWHERE,
        severity=severity,
        title=title,
        fix="give the pool as many connections as there are threads, or lower the threads to the "
        "pool (anyio.to_thread.current_default_thread_limiter().total_tokens), or use async"
        if blocked
        else "what runs in threads is slow by itself: make it shorter, or use async",
        evidence=(
            ("threads", str(limit)),
            ("waiting for a thread", counted(window.peak_threads_waiting, "request")),
            ("pool", counted(pool.capacity or 0, "connection") if pool else "none"),
            ("timeouts", str(timeouts(window))),
        ),
    )


def _threads_in_the_pools_queue(pool: PoolWindow | None, limit: int) -> int:
    """As many as there are threads beyond the connections; 0 where fewer waited at the pool."""
    if pool is None or pool.capacity is None:
        return 0
    missing = limit - pool.capacity
    return missing if 0 < missing <= pool.peak_waiting else 0
