"""Connections that are made and thrown away under a steady load.

SQLAlchemy closes an overflow connection when it comes back to a full pool. With 5 + 10 and twelve
users a quarter of the checkouts connected anew, which cost two and a half times the CPU and took
the 99th percentile from 26 to 68 ms [measured]. Without overflow they were replaced for another
reason.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, PoolWindow
from harness.checks.load.figures import counted, main_pool, main_pools, percent
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.validity import FEWEST_SHARES, Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["CHURN_SHARE", "KIND", "overflow_churn"]

PROBE = "overflow-churn"
KIND = "connection-churn"

CHURN_SHARE = 0.02
"""New connections per checkout: at 14.5 ms for each [measured] two in a hundred add 0.3 ms to every
checkout, as much as a short statement takes."""
_UNCOUNTED = "the probe of the application is older and does not count connections that ended"


def overflow_churn(window: LoadWindow) -> Judged:
    """Whether a steady load keeps connecting."""
    pool = main_pool(window)
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if pool is None or pool.size is None:
        return skipped(PROBE, "no pool that keeps connections was seen", unless=unread(window))
    pools = main_pools(window)
    checkouts = sum(each.checkouts for each in pools)
    if checkouts < FEWEST_SHARES:
        return undecided(PROBE, f"{counted(checkouts, 'checkout')}, {FEWEST_SHARES} needed")
    known = [number for each in pools if (number := _renewed(each)) is not None]
    renewed = sum(known)
    if renewed <= CHURN_SHARE * checkouts:
        if len(known) < len(pools):
            return undecided(PROBE, unread(window) or _UNCOUNTED)
        told = f"{renewed} of {checkouts} checkouts made a connection in place of another"
        return passed(PROBE, told, unless=unread(window))
    worst = max(pools, key=lambda each: _renewed(each) or 0)
    return found(PROBE, [_finding(worst, renewed, checkouts)], is_explanation=False)


def _renewed(pool: PoolWindow) -> int | None:
    """New connections that took the place of others; None where nobody counted those that ended.

    What a pool has more of at the end is its filling: it fills lazily, in this window or earlier.
    """
    return None if pool.closed is None else min(pool.creations, pool.closed)


def _finding(pool: PoolWindow, renewed: int, checkouts: int) -> Finding:
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
        title=f"{renewed} of {checkouts} checkouts made a new connection "
        f"({percent(renewed / checkouts)})",
        fix=fix,
        evidence=(
            ("new connections", str(pool.creations)),
            ("ended", str(pool.closed)),
            ("pool_size", str(pool.size)),
            ("max_overflow", str(pool.max_overflow)),
            ("out at once", counted(pool.peak_checked_out, "connection")),
        ),
    )
