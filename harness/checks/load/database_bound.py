"""A database that has no more to give: every connection works, and more of them bring nothing.

Told by either of two things. Most connections wait for a lock; or they all execute, callers wait,
and a larger pool serves hardly more. Without a second pool size the latter cannot be told from a
pool that is too small, and is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.capture.windows import LoadWindow
from harness.checks.load.elasticity import Elasticity, elasticity
from harness.checks.load.figures import (
    duty,
    has_waiters,
    milliseconds,
    percent,
    rate,
    server_view,
    waited_most,
)
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["BUSY_DUTY", "KIND", "LOCKED_SHARE", "database_bound"]

PROBE = "database-bound"
KIND = "database-bound"

BUSY_DUTY = 0.7
"""From here on connections wait for the server, not for the application."""
LOCKED_SHARE = 0.5
"""Of the executing connections, those that wait for a lock: 36 % where there were as many
connections as locks, 59 % where there were twice as many [from the rates measured on 8 locks]."""


def database_bound(window: LoadWindow, others: Sequence[LoadWindow] = ()) -> Judged:
    """Whether the database was the limit.

    Args:
        window: The load in question.
        others: The same load on pools of other sizes.
    """
    if why := invalid(window, Basis.SHARES):
        return undecided(PROBE, why)
    share = duty(window)
    if share is None:
        return undecided(PROBE, "nobody can tell for how many connections SQL ran")
    if share < BUSY_DUTY:
        told = f"SQL ran on {percent(share)} of the connections in use"
        return passed(PROBE, told, unless=unread(window))
    if _locked_share(window) >= LOCKED_SHARE:
        return found(PROBE, [_locks(window)], is_explanation=True)
    return _judged_by_size(window, others)


def _judged_by_size(window: LoadWindow, others: Sequence[LoadWindow]) -> Judged:
    pool = next(iter(waited_most(window)), None)
    if pool is None:
        return undecided(PROBE, "no connection pool was seen")
    if not has_waiters(window) or pool.wait.p95_seconds <= pool.hold.mean_seconds:
        return passed(PROBE, "callers hardly waited for a connection", unless=unread(window))
    if why := invalid(window):
        return undecided(PROBE, why)
    step = elasticity(window, others)
    if step is None:
        return undecided(
            PROBE, "measured with one pool size only: with twice as many connections it would show"
        )
    if step.is_useful:
        return passed(PROBE, f"more connections serve more: elasticity {step}")
    return found(PROBE, [_finding(window, step)], is_explanation=True)


def _locked_share(window: LoadWindow) -> float:
    server = server_view(window)
    return server.lock_waiting / server.active if server is not None and server.active else 0.0


def _locks(window: LoadWindow) -> Finding:
    share = _locked_share(window)
    return Finding(
        kind=KIND,
        label="locks",
        anchor=EVERYWHERE,
        severity=Severity.WARNING,
        title=f"{percent(share)} of the executing connections waited for a lock: more connections "
        "only wait with them",
        fix="shorten the transactions that hold the lock, lock rows in one order, or queue them",
        evidence=(*_evidence(window), ("waiting for a lock", percent(share))),
    )


def _finding(window: LoadWindow, step: Elasticity) -> Finding:
    return Finding(
        kind=KIND,
        label="throughput",
        anchor=EVERYWHERE,
        severity=Severity.NOTE,
        title=f"the database was the limit at {rate(window):.0f} requests a second: a larger pool "
        f"brings hardly more (elasticity {step})",
        fix="make the statements cheaper (indexes, fewer of them, locks); leave the pool as it is, "
        "or make it smaller",
        evidence=(*_evidence(window), ("elasticity", str(step))),
    )


def _evidence(window: LoadWindow) -> tuple[tuple[str, str], ...]:
    pool, share = next(iter(waited_most(window)), None), duty(window)
    told = [("duty", percent(share))] if share is not None else []
    if pool is not None:
        told.append(("wait p95", milliseconds(pool.wait.p95_seconds)))
        told.append(("hold", milliseconds(pool.hold.mean_seconds)))
    return tuple(told)
