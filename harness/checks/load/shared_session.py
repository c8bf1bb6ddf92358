"""A session that two requests use at once: fine with one client, errors with forty.

A thread-local ``scoped_session`` under asyncio is one session for everybody, since all requests run
in one thread. Counted, so it is true on any machine; under a single client it cannot be seen.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import counted
from harness.checks.load.judged import Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid
from harness.findings import Finding, Severity

__all__ = ["KIND", "shared_session"]

PROBE = "shared-session"
KIND = "shared-session"


def shared_session(window: LoadWindow) -> Judged:
    """Whether a session was used by two requests, or tasks, at once."""
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    findings = [_finding(route) for route in window.routes if route.shared_sessions]
    if findings:
        return found(PROBE, findings, is_explanation=False)
    if not any(route.statements for route in window.routes):
        return undecided(PROBE, "no statement of a request was seen")
    if window.client.users < 2:  # noqa: PLR2004 - one alone shares with nobody
        return undecided(PROBE, "one client alone shares a session with nobody")
    return passed(PROBE, "every session was used by one request at a time")


def _finding(route: RouteWindow) -> Finding:
    return Finding(
        kind=KIND,
        label="session",
        anchor=route.route,
        severity=Severity.ERROR,
        title=f"a session was used by two requests or tasks at once, "
        f"{counted(route.shared_sessions, 'time')}",
        fix="give each request a session of its own (a dependency that yields it), each task one "
        "too; never a global session, nor a thread-local scoped_session under asyncio",
        site=route.endpoint,
        evidence=(
            ("seen", counted(route.shared_sessions, "time")),
            ("requests", str(route.requests)),
            ("at the same time", counted(route.peak_concurrency, "request")),
            ("answers of 5xx", str(route.errors)),
        ),
    )
