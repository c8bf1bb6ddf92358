"""What a steady load says about routes and pools, by counts alone.

How many requests a second a machine serves depends on the machine; whether answers failed, callers
timed out at the pool or connections stayed out after the last client had left does not.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.capture.traffic import LoadStory, PoolRow
from harness.checks.load.figures import counted
from harness.findings import ProbeVerdict, Verdict

__all__ = ["connections_returned", "pool_timeouts", "steady_answers"]

_SHOWN = 3


def steady_answers(story: LoadStory) -> ProbeVerdict:
    """Whether all requests were answered well."""
    if story.requests == 0:
        return ProbeVerdict("load", Verdict.INCONCLUSIVE, "no request was sent")
    summary = (
        f"{counted(story.requests, 'request')} by {counted(story.users, 'user')} "
        f"in {story.seconds:.0f} s, "
        f"{story.failures} failed"
    )
    if not story.failures:
        return ProbeVerdict("load", Verdict.PASS, summary)
    return ProbeVerdict("load", Verdict.FAIL, ": ".join([summary, *_failed(story)]))


def _failed(story: LoadStory) -> Iterator[str]:
    """The worst routes and kinds of answers, in a line; nothing where nobody noted any."""
    kinds = [(count, row.route, kind) for row in story.routes for kind, count in row.failed]
    worst = sorted(kinds, key=lambda kind: (-kind[0], *kind[1:]))
    if worst:
        shown = [f"{route}: {kind} × {count}" for count, route, kind in worst[:_SHOWN]]  # noqa: RUF001 - so many times
        more = [f"and {len(worst) - _SHOWN} more"] if len(worst) > _SHOWN else []
        yield ", ".join([*shown, *more])


def pool_timeouts(story: LoadStory) -> ProbeVerdict:
    """Whether anybody gave up waiting for a connection."""
    if not story.pools:
        return ProbeVerdict("pool", Verdict.INCONCLUSIVE, "no connection pool was seen")
    timeouts = sum(pool.timeouts for pool in story.pools)
    peaks = ", ".join(map(_peak, story.pools))
    verdict = Verdict.FAIL if timeouts else Verdict.PASS
    return ProbeVerdict("pool", verdict, f"{peaks}, {timeouts} timeouts")


def _peak(pool: PoolRow) -> str:
    is_bounded = pool.size > 0 and pool.max_overflow >= 0
    most = f" of {pool.size + pool.max_overflow}" if is_bounded else ""
    return f"{pool.name}: peak {pool.peak_checked_out}{most} out, {pool.peak_waiting} waiting"


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
