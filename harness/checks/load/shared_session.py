"""A session that two requests use at once: fine with one client, errors with forty.

A thread-local ``scoped_session`` under asyncio is one session for everybody, since all requests run
in one thread. Counted, so it is true on any machine; under a single client it cannot be seen.

Where the shared session is never closed, its connection is out for ever, like one that leaked. That
is then the cause, and no leak: nothing is to be closed but what should not be shared.
"""

from __future__ import annotations

from harness.capture.windows import LoadWindow, RouteWindow
from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import Judged, found, passed, undecided
from harness.checks.load.leak import kept_by_shared
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KIND", "shared_session"]

PROBE = "shared-session"
KIND = "shared-session"


def shared_session(window: LoadWindow) -> Judged:
    """Whether a session was used by two requests, or tasks, at once."""
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    findings = [
        _finding(window, route)
        for route in sorted(window.routes, key=lambda route: -route.shared_sessions)
        if route.shared_sessions
    ]
    if findings:
        return found(PROBE, findings, is_explanation=bool(kept_by_shared(window)))
    if not any(route.statements for route in window.routes):
        return undecided(PROBE, unread(window) or "no statement of a request was seen")
    if window.client.users < 2:  # noqa: PLR2004 - one alone shares with nobody
        return undecided(PROBE, "one client alone shares a session with nobody")
    told = "every session was used by one request at a time"
    return passed(PROBE, told, unless=unread(window))


def _finding(window: LoadWindow, route: RouteWindow) -> Finding:
    kept = [each for each in kept_by_shared(window) if each.route == route.route]
    still_out = f"; {counted(len(kept), 'connection')} still out" if kept else ""
    return Finding(
        kind=KIND,
        label="session",
        anchor=route.route,
        severity=Severity.ERROR,
        title=f"a session was used by two requests or tasks at once, "
        f"{counted(route.shared_sessions, 'time')}{still_out}",
        fix="give each request a session of its own (a dependency that yields it), each task one "
        "too; never a global session, nor a thread-local scoped_session under asyncio",
        site=route.endpoint,
        evidence=(
            ("seen", counted(route.shared_sessions, "time")),
            ("requests", str(route.requests)),
            # Not the route's concurrency: who finds a session with a connection asks for none.
            ("clients", str(window.client.users)),
            ("answers of 5xx", str(route.errors)),
            *(("still out", f"since {milliseconds(each.age_seconds)}") for each in kept),
        ),
    )
