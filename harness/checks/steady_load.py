"""What a steady load says about routes and pools, by counts alone.

How many requests a second a machine serves depends on the machine; whether answers failed, callers
timed out at the pool or connections stayed out after the last client had left does not.
"""

from __future__ import annotations

from harness.capture.traffic import LoadStory, PoolRow
from harness.findings import ProbeVerdict, Verdict

__all__ = ["connections_returned", "pool_timeouts", "steady_answers"]


def steady_answers(story: LoadStory) -> ProbeVerdict:
    """Whether all requests were answered well."""
    if story.requests == 0:
        return ProbeVerdict("load", Verdict.INCONCLUSIVE, "no request was sent")
    summary = (
        f"{story.requests} requests by {story.users} users in {story.seconds:.0f} s, "
        f"{story.failures} failed"
    )
    return ProbeVerdict("load", Verdict.FAIL if story.failures else Verdict.PASS, summary)


def pool_timeouts(story: LoadStory) -> ProbeVerdict:
    """Whether anybody gave up waiting for a connection."""
    if not story.pools:
        return ProbeVerdict("pool", Verdict.INCONCLUSIVE, "no connection pool was seen")
    timeouts = sum(pool.timeouts for pool in story.pools)
    peaks = ", ".join(
        f"{pool.name}: peak {pool.peak_checked_out} of {pool.size + pool.max_overflow} out, "
        f"{pool.peak_waiting} waiting"
        for pool in story.pools
    )
    verdict = Verdict.FAIL if timeouts else Verdict.PASS
    return ProbeVerdict("pool", verdict, f"{peaks}, {timeouts} timeouts")


def connections_returned(story: LoadStory) -> ProbeVerdict:
    """Whether every connection came back after the load had ended."""
    if not story.pools:
        return ProbeVerdict("leak", Verdict.INCONCLUSIVE, "no connection pool was seen")
    leaked = [pool for pool in story.pools if pool.checked_out_at_rest]
    if not leaked:
        checkouts = sum(pool.checkouts for pool in story.pools)
        return ProbeVerdict("leak", Verdict.PASS, f"all of {checkouts} checkouts came back")
    return ProbeVerdict("leak", Verdict.FAIL, "; ".join(_leak(pool) for pool in leaked))


def _leak(pool: PoolRow) -> str:
    return f"{pool.checked_out_at_rest} connections of {pool.name} still out after the load"
