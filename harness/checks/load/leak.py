"""Connections that are still out when nobody asks for anything any more.

No time decides whether it is a leak: its owner does. A request that has ended cannot give a
connection back; a task that it started still can. Only what has no owner that ended is judged by
age.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.capture.windows import LoadWindow, OutstandingCheckout
from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid
from harness.findings import Finding, Severity

__all__ = ["KINDS", "LONGEST_HOLD_SECONDS", "leak"]

PROBE = "leak"
KIND = "connection-leak"
IN_TASK = "connection-in-task"
OUTSIDE = "connection-outside-request"
UNFINISHED = "connection-after-client"
KINDS = frozenset({KIND, IN_TASK, OUTSIDE, UNFINISHED})

LONGEST_HOLD_SECONDS = 30.0
"""SQLAlchemy's own default of pool_timeout: who holds a connection for longer makes everybody fail
who waits for its place."""


@dataclass(frozen=True, slots=True)
class _Case:
    kind: str
    severity: Severity
    what: str
    fix: str


_LEAK = _Case(
    KIND,
    Severity.ERROR,
    "still out, and the request that took {them} has ended",
    "close every session: async with session_maker() as session, or a dependency that yields; "
    "never next(get_session()) nor `async for session in get_session()`",
)
_TASK = _Case(
    IN_TASK,
    Severity.WARNING,
    "held by a task that outlives its request",
    "give the task a session of its own, opened around each step and not around the whole of it",
)
_OUTSIDE = _Case(
    OUTSIDE,
    Severity.WARNING,
    "held by work outside of requests",
    "open a session for each piece of work, and close it before waiting for the next",
)
_UNFINISHED = _Case(
    UNFINISHED,
    Severity.WARNING,
    "held by a request whose client has left",
    "limit statements (statement_timeout) and end the work when the client disconnects",
)


def leak(window: LoadWindow) -> Judged:
    """Whether every connection came back; counts alone, so no noise makes it inconclusive."""
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if not window.pools:
        return undecided(PROBE, "no connection pool was seen")
    findings = [*_reclaimed(window), *_outstanding(window.outstanding)]
    if findings:
        return found(PROBE, findings, is_explanation=_is_explanation(findings))
    checkouts = sum(pool.checkouts for pool in window.pools)
    if checkouts == 0:
        return undecided(PROBE, "no connection was taken")
    return passed(PROBE, f"all of {counted(checkouts, 'checkout')} came back")


def _is_explanation(findings: Sequence[Finding]) -> bool:
    """A pool that shrinks makes all else that is measured of it meaningless."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def _reclaimed(window: LoadWindow) -> Iterator[Finding]:
    reclaimed = sum(pool.reclaimed for pool in window.pools)
    if reclaimed:
        yield Finding(
            kind=KIND,
            label="reclaimed",
            anchor=EVERYWHERE,
            severity=Severity.ERROR,
            title=f"{counted(reclaimed, 'connection')} came back through the garbage collector, "
            "not by being closed",
            fix=_LEAK.fix,
            evidence=(
                ("reclaimed", counted(reclaimed, "connection")),
                ("checkouts", str(sum(pool.checkouts for pool in window.pools))),
            ),
        )


def _outstanding(checkouts: Sequence[OutstandingCheckout]) -> Iterator[Finding]:
    groups: dict[tuple[str, str, str], list[tuple[_Case, OutstandingCheckout]]] = {}
    for checkout in checkouts:
        case = _case(checkout)
        if case is not None:
            place = checkout.route or _place(checkout)
            groups.setdefault((case.kind, place, _label(checkout)), []).append((case, checkout))
    for members in groups.values():
        yield _finding(members[0][0], [checkout for _, checkout in members])


def _case(checkout: OutstandingCheckout) -> _Case | None:
    """What is wrong with it; None for what has not been out for long and may well come back."""
    if checkout.route and checkout.has_request_ended:
        return _TASK if checkout.is_owner_running else _LEAK
    if checkout.age_seconds <= LONGEST_HOLD_SECONDS:
        return None
    return _UNFINISHED if checkout.route else _OUTSIDE


def _finding(case: _Case, checkouts: Sequence[OutstandingCheckout]) -> Finding:
    first = checkouts[0]
    oldest = max(checkout.age_seconds for checkout in checkouts)
    is_long = oldest > LONGEST_HOLD_SECONDS and case is _TASK
    them = "it" if len(checkouts) == 1 else "them"
    return Finding(
        kind=case.kind,
        label=_label(first),
        anchor=first.route or _place(first),
        severity=Severity.ERROR if is_long else case.severity,
        title=f"{counted(len(checkouts), 'connection')} {case.what.format(them=them)}",
        fix=case.fix,
        site=first.site,
        evidence=(("oldest", milliseconds(oldest)), ("pool", first.pool)),
    )


def _label(checkout: OutstandingCheckout) -> str:
    return checkout.site.function if checkout.site is not None else "unknown line"


def _place(checkout: OutstandingCheckout) -> str:
    site = checkout.site
    return f"{site.path}::{site.function}" if site is not None else EVERYWHERE
