"""Connections that are made and thrown away under a steady load.

SQLAlchemy closes an overflow connection when it comes back to a full pool. With 5 + 10 and twelve
users a quarter of the checkouts connected anew, which cost two and a half times the CPU and took
the 99th percentile from 26 to 68 ms [measured]. Without overflow they were replaced for another
reason.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, PoolWindow
from harness.checks.load.figures import counted, main_pool, percent
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.validity import FEWEST_SHARES, Basis, invalid
from harness.findings import Finding, Severity

__all__ = ["CHURN_SHARE", "KIND", "overflow_churn"]

PROBE = "overflow-churn"
KIND = "connection-churn"

CHURN_SHARE = 0.02
"""New connections per checkout: at 14.5 ms for each [measured] two in a hundred add 0.3 ms to every
checkout, as much as a short statement takes."""


def overflow_churn(window: LoadWindow) -> Judged:
    """Whether a steady load keeps connecting."""
    pool = main_pool(window)
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if pool is None or pool.size is None:
        return skipped(PROBE, "no pool that keeps connections was seen")
    if pool.checkouts < FEWEST_SHARES:
        return undecided(PROBE, f"{counted(pool.checkouts, 'checkout')}, {FEWEST_SHARES} needed")
    renewed = _renewed(pool)
    if renewed <= CHURN_SHARE * pool.checkouts:
        return passed(PROBE, f"{pool.creations} connections for {pool.checkouts} checkouts")
    return found(PROBE, [_finding(pool, renewed)], is_explanation=False)


def _renewed(pool: PoolWindow) -> int:
    """New connections beyond those that fill the pool for the first time: it fills lazily."""
    return max(pool.creations - (pool.size or 0), 0)


def _finding(pool: PoolWindow, renewed: int) -> Finding:
    is_overflow = bool(pool.max_overflow) and pool.peak_checked_out > (pool.size or 0)
    fix = (
        f"raise pool_size towards {pool.peak_checked_out} and lower max_overflow by as much"
        if is_overflow
        else "find out who ends them: clients that leave in the middle of a statement, the server, "
        "pool_recycle"
    )
    return Finding(
        kind=KIND,
        label="overflow" if is_overflow else "replaced",
        anchor=EVERYWHERE,
        severity=Severity.WARNING,
        title=f"{renewed} of {pool.checkouts} checkouts made a new connection "
        f"({percent(renewed / pool.checkouts)})",
        fix=fix,
        evidence=(
            ("new connections", str(pool.creations)),
            ("pool_size", str(pool.size)),
            ("max_overflow", str(pool.max_overflow)),
            ("out at once", counted(pool.peak_checked_out, "connection")),
        ),
    )
