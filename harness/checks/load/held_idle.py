"""Connections that are held while no SQL runs: during a call to another service, a stream, a task.

The look-alike that is most often answered with a larger pool. What tells it apart is the duty: how
many of the connections in use execute anything. That alone accuses every short statement, around
which Python takes longer than the server; so a route is named only where the idle part is longer
than what its own CPU time explains.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import (
    SPARE_CPU,
    busy_share,
    cores,
    cpu_per_request,
    duty,
    has_waiters,
    idle_seconds,
    milliseconds,
    percent,
)
from harness.checks.load.judged import Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["IDLE_DUTY", "IDLE_SECONDS", "KIND", "held_idle"]

PROBE = "held-idle"
KIND = "held-connection"

IDLE_DUTY = 0.3
"""Below, connections mostly wait for the application: 0.62 where SQL was the work, and 0.05 and
less where it was not [measured]."""
IDLE_SECONDS = 0.02
"""Of one hold time, without SQL: above what hopping between a few statements takes on a loop that
has time left; below any call to another machine that is worth a thought."""
_TIMES_OWN_CPU = 3


def held_idle(window: LoadWindow) -> Judged:
    """Whether routes hold connections while they do something else."""
    if why := invalid(window, Basis.SHARES):
        return undecided(PROBE, why)
    if window.process_cpu >= SPARE_CPU:
        return undecided(
            PROBE,
            f"the busiest process used {cores(window.process_cpu)}: hold times have its own queue "
            "in them",
        )
    share = duty(window)
    if share is None:
        return undecided(PROBE, "no connection was in use")
    is_explanation = share < IDLE_DUTY and has_waiters(window)
    findings = list(_findings(window, is_explanation=is_explanation))
    if findings:
        return found(PROBE, findings, is_explanation=is_explanation)
    told = f"SQL ran on {percent(share)} of the connections in use"
    return passed(PROBE, told, unless=unread(window))


def _findings(window: LoadWindow, *, is_explanation: bool) -> Iterator[Finding]:
    least = max(IDLE_SECONDS, _TIMES_OWN_CPU * cpu_per_request(window))
    for route in sorted(window.routes, key=lambda route: -idle_seconds(route) * route.hold.count):
        share = busy_share(route)
        if share is not None and share < IDLE_DUTY and idle_seconds(route) > least:
            yield _finding(window, route, is_explanation=is_explanation)


def _finding(window: LoadWindow, route: RouteWindow, *, is_explanation: bool) -> Finding:
    idle, held = idle_seconds(route), route.hold.mean_seconds
    share = duty(window)
    return Finding(
        kind=KIND,
        label="idle",
        anchor=route.route,
        severity=Severity.ERROR if is_explanation else Severity.WARNING,
        title=f"a connection is held for {milliseconds(held)} and executes for "
        f"{milliseconds(held - idle)} of it",
        fix="commit or close the session before calls to other services and before streaming; "
        'Depends(…, scope="function") gives it back before the response is sent; a background '
        "task opens its own",
        site=route.endpoint,
        evidence=(
            ("held", milliseconds(held)),
            ("without SQL", milliseconds(idle)),
            ("checkouts", str(route.hold.count)),
            ("duty of all connections", percent(share) if share is not None else "unknown"),
            ("CPU for one request", milliseconds(cpu_per_request(window))),
        ),
    )
