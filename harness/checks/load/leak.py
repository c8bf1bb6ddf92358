"""Connections that are still out when nobody asks for anything any more.

No time decides whether it is a leak: its owner does. A request that has ended cannot give a
connection back; a task that it started still can. Only what has no owner that ended is judged by
age.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from harness.capture.windows import LoadWindow, OutstandingCheckout
from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, undecided
from harness.checks.load.validity import Basis, invalid, unread
from harness.findings import Finding, Severity

__all__ = ["KINDS", "LONGEST_HOLD_SECONDS", "UNFINISHED", "kept_by_shared", "leak"]

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
_SHARED = _Case(
    KIND,
    Severity.ERROR,
    "still out, kept by a session that several requests share",
    "give each request a session of its own, which the dependency that yields it closes",
)
_UNKNOWN = "unknown line"
_UNFINISHED = _Case(
    UNFINISHED,
    Severity.WARNING,
    "held by a request whose client has left",
    "limit statements (statement_timeout) and end the work when the client disconnects",
)


def leak(
    window: LoadWindow, *, is_sharing_told: bool = False, may_be_unused: bool = False
) -> Judged:
    """Whether every connection came back; counts alone, so no noise makes it inconclusive.

    Args:
        window: Any load.
        is_sharing_told: Whether somebody tells of shared sessions, and of what these keep: one
            problem is one finding.
        may_be_unused: Whether a load that took no connection is as good as any.
    """
    if why := invalid(window, Basis.COUNTS):
        return undecided(PROBE, why)
    if not window.pools:
        return undecided(PROBE, unread(window) or "no connection pool was seen")
    kept = kept_by_shared(window)
    findings = [*_reclaimed(window), *_outstanding(window.outstanding, kept)]
    if findings:
        is_explanation = _is_explanation(findings) and not kept
        judged = found(PROBE, findings, is_explanation=is_explanation)
        is_told = is_sharing_told and bool(kept)
        rest = tuple(each for each in judged.findings if each.fix != _SHARED.fix or not is_told)
        return replace(judged, findings=rest)
    checkouts = sum(pool.checkouts for pool in window.pools)
    if checkouts == 0 and not may_be_unused:
        return undecided(PROBE, unread(window) or "no connection was taken")
    told = f"all of {counted(checkouts, 'checkout')} came back"
    if in_use := len(window.outstanding):
        told = f"{counted(checkouts, 'checkout')}, {counted(in_use, 'connection')} still in use"
    return passed(PROBE, told, unless=unread(window, at_rest=True))


def kept_by_shared(window: LoadWindow) -> tuple[OutstandingCheckout, ...]:
    """Connections that are out because requests share a session, which nobody closes.

    One session has one connection, so there is at most one in a process, taken on a route that was
    seen to share; what is more than that leaks, whoever shares sessions beside.
    """
    lost = tuple(each for each in window.outstanding if _case(each) is _LEAK)
    sharing = {route.route for route in window.routes if route.shared_sessions}
    is_kept = len(lost) <= window.processes and sharing.issuperset(each.route for each in lost)
    has_reclaimed = any(pool.reclaimed for pool in window.pools)
    return lost if is_kept and not has_reclaimed else ()


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


def _outstanding(
    checkouts: Sequence[OutstandingCheckout], kept: Sequence[OutstandingCheckout]
) -> Iterator[Finding]:
    groups: dict[tuple[str, str], dict[str, list[tuple[_Case, OutstandingCheckout]]]] = {}
    # The line of the first that a route leaks is not always noted: it goes with those that are.
    for checkout in sorted(checkouts, key=lambda checkout: checkout.site is None):
        case = _SHARED if checkout in kept else _case(checkout)
        if case is not None:
            lines = groups.setdefault((case.kind, checkout.route or _place(checkout)), {})
            label = next(iter(lines), _UNKNOWN) if checkout.site is None else _label(checkout)
            lines.setdefault(label, []).append((case, checkout))
    for members in chain.from_iterable(lines.values() for lines in groups.values()):
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
        evidence=(("oldest", milliseconds(oldest)), ("connection of", first.pool)),
    )


def _label(checkout: OutstandingCheckout) -> str:
    return checkout.site.function if checkout.site is not None else _UNKNOWN


def _place(checkout: OutstandingCheckout) -> str:
    site = checkout.site
    return f"{site.path}::{site.function}" if site is not None else EVERYWHERE
