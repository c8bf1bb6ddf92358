"""A pool that is too small: the reflex answer, and so the one that needs all the evidence.

Callers wait; the wait is what makes requests slow; the connections that are out work; the loop has
time left; and more connections have been seen to serve more. Each of the four look-alikes fails at
least one of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.capture.windows import LoadWindow, PoolWindow
from harness.checks.load.elasticity import Elasticity, elasticity
from harness.checks.load.figures import (
    SPARE_CPU,
    WAITING_SHARE,
    cores,
    counted,
    duty,
    main_pool,
    milliseconds,
    percent,
    waited_most,
)
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, skipped, undecided
from harness.checks.load.validity import invalid
from harness.findings import Finding, Severity

__all__ = ["KIND", "WAIT_SHARE", "WORKING_DUTY", "pool_too_small"]

PROBE = "pool-too-small"
KIND = "pool-too-small"

WAIT_SHARE = 0.25
"""Of a request's 95th percentile, the wait for a connection: below, taking all of it away would
make nobody's request a quarter shorter."""
WORKING_DUTY = 0.5
"""Connections that mostly stand idle are not missing, they are held."""


def pool_too_small(window: LoadWindow, others: Sequence[LoadWindow] = ()) -> Judged:
    """Whether more connections would serve more requests.

    Args:
        window: The load in question.
        others: The same load on pools of other sizes.
    """
    pool = main_pool(window)
    if why := invalid(window):
        return undecided(PROBE, why)
    if pool is None or pool.capacity is None:
        return skipped(PROBE, "no pool with a bound was seen")
    pools = waited_most(window)
    reasons = [next(_reasons_against(window, each), "") for each in pools]
    if all(reasons):
        return passed(PROBE, reasons[0])
    return _judged_by_size(window, pools[reasons.index("")], elasticity(window, others))


def _judged_by_size(window: LoadWindow, pool: PoolWindow, step: Elasticity | None) -> Judged:
    if step is None:
        return undecided(
            PROBE,
            "all points to the pool, but it was measured with one size only: whether more "
            "connections serve more, a second size tells",
        )
    if not step.is_useful:
        return passed(PROBE, f"a larger pool brings hardly more: elasticity {step}")
    return found(PROBE, [_finding(window, pool, step)], is_explanation=True)


def _reasons_against(window: LoadWindow, pool: PoolWindow) -> Iterator[str]:
    waited, whole = pool.wait.p95_seconds, window.client.latency.p95_seconds
    share = duty(window)
    if not pool.timeouts and pool.waiting_share <= WAITING_SHARE:
        yield f"callers waited in {percent(pool.waiting_share)} of the time"
    if waited <= WAIT_SHARE * whole:
        yield f"the wait is {milliseconds(waited)} of {milliseconds(whole)} (p95 of each)"
    if window.process_cpu >= SPARE_CPU:
        yield f"the busiest process used {cores(window.process_cpu)}: it has no time for more"
    if share is None or share < WORKING_DUTY:
        told = "unknown" if share is None else percent(share)
        yield f"connections are held, not missing: duty {told}"


def _finding(window: LoadWindow, pool: PoolWindow, step: Elasticity) -> Finding:
    share, processes = duty(window), len(waited_most(window))
    shown = (("shown", f"one of {processes} processes"),) if processes > 1 else ()
    return Finding(
        kind=KIND,
        label="pool",
        anchor=EVERYWHERE,
        severity=Severity.WARNING,
        title=f"{counted(pool.capacity or 0, 'connection')} are too few: callers wait "
        f"{milliseconds(pool.wait.mean_seconds)} to use one for "
        f"{milliseconds(pool.hold.mean_seconds)}, and more connections serve more (elasticity "
        f"{step})",
        fix="raise pool_size to what the sizing probe recommends",
        evidence=(
            ("wait p95", milliseconds(pool.wait.p95_seconds)),
            ("request p95", milliseconds(window.client.latency.p95_seconds)),
            ("hold", milliseconds(pool.hold.mean_seconds)),
            ("time with waiters", percent(pool.waiting_share)),
            ("timeouts", str(pool.timeouts)),
            ("duty", percent(share) if share is not None else "unknown"),
            ("CPU of the busiest process", cores(window.process_cpu)),
            ("elasticity", str(step)),
            *shown,
        ),
    )
