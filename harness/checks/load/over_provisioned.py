"""Connections that even the peak did not need: each is a backend that the server keeps.

Only a load that could have used them can say so.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, PoolWindow
from harness.checks.load.figures import counted, main_pool
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.validity import invalid
from harness.findings import Finding, Severity

__all__ = ["KIND", "UNUSED_SHARE", "over_provisioned"]

PROBE = "over-provisioned"
KIND = "over-provisioned-pool"

UNUSED_SHARE = 0.5
"""Half of the pool: one and a half times the need is the room that a recommendation leaves
itself."""


def over_provisioned(window: LoadWindow) -> Judged:
    """Whether half of the pool would have been enough at the peak."""
    pool = main_pool(window)
    if why := invalid(window):
        return undecided(PROBE, why)
    if pool is None or pool.capacity is None:
        return skipped(PROBE, "no pool with a bound was seen")
    if window.client.users < pool.capacity * window.processes:
        return undecided(
            PROBE,
            f"{counted(window.client.users, 'user')} cannot fill "
            f"{counted(window.processes, 'pool')} of {pool.capacity}",
        )
    peak = max(item.peak_checked_out for item in window.pools if item.name == pool.name)
    if peak > UNUSED_SHARE * pool.capacity:
        return passed(PROBE, f"{peak} of {counted(pool.capacity, 'connection')} were out at once")
    return found(PROBE, [_finding(window, pool, peak)], is_explanation=False)


def _finding(window: LoadWindow, pool: PoolWindow, peak: int) -> Finding:
    return Finding(
        kind=KIND,
        label="pool",
        anchor=EVERYWHERE,
        severity=Severity.NOTE,
        title=f"{counted(window.client.users, 'user')} had {peak} of {pool.capacity} connections "
        "out at once, at most",
        fix="a pool of half the size serves this load as well",
        evidence=(
            ("out at once", counted(peak, "connection")),
            ("pool", counted(pool.capacity or 0, "connection")),
        ),
    )
