"""Requests that ask a dry pool again and again, where one refusal would have been an answer.

Every request that times out is one timeout. More of them than failed requests, and failures that
took as much longer, are retries: a peak becomes an outage, whose answers come when the client has
gone. Several timeouts at the same time, of the tasks of one request, make no failure longer.
"""

from __future__ import annotations

from statistics import median

from harness.capture.traffic import ExhaustionStory, Outcome
from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import counted, milliseconds, timeouts
from harness.checks.load.judged import EVERYWHERE
from harness.findings import Finding, Severity

__all__ = ["KIND", "retry_storm"]

KIND = "retry-storm"

_TIMES = 2.0
"""Timeouts per failure, and the length of a failure in time limits of the pool, less the slack:
with four attempts both are 4, without any retry both are 1 [measured: 1.00 to 1.31]."""
_SLACK = 0.75
_FEWEST_FAILURES = 5
_FAILURES = frozenset({Outcome.SHED, Outcome.ERROR, Outcome.HANG})


def retry_storm(window: LoadWindow, story: ExhaustionStory) -> tuple[Finding, ...]:
    """Whether callers that found no connection asked again at once.

    Args:
        window: The load while the pool was dry.
        story: What its clients got.
    """
    failures = [item.seconds for item in story.outcomes if item.outcome in _FAILURES]
    given_up = timeouts(window)
    if len(failures) < _FEWEST_FAILURES or given_up < _TIMES * len(failures):
        return ()
    typical_seconds = median(failures)
    if typical_seconds < _TIMES * _SLACK * story.pool_timeout_seconds:
        return ()
    route = _most_crowded(window)
    return (
        Finding(
            kind=KIND,
            label="pool-timeout",
            anchor=route.route if route is not None else EVERYWHERE,
            severity=Severity.WARNING,
            title=f"{counted(given_up, 'pool timeout')} for {len(failures)} failed requests: "
            "whoever found no connection asked again at once",
            fix="answer 503 with Retry-After after the first timeout, and leave it to the client "
            "to come again; never list sqlalchemy.exc.TimeoutError among errors to retry",
            site=route.endpoint if route is not None else None,
            evidence=(
                ("timeouts per failure", f"{given_up / len(failures):.1f}"),
                ("half of the failures took", f"{milliseconds(typical_seconds)} or more"),
                ("the pool gives up after", milliseconds(story.pool_timeout_seconds)),
            ),
        ),
    )


def _most_crowded(window: LoadWindow) -> RouteWindow | None:
    """Where most requests were at once: those that retry may not have ended yet."""
    crowded = [route for route in window.routes if route.peak_concurrency]
    return max(crowded, key=lambda route: route.peak_concurrency, default=None)
