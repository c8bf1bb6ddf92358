"""Whether an application finds its way back by itself when something has happened to its database.

Errors while it lasts are expected; after it nothing may fail, hang or stay out. What fails is
counted; times that a busy machine stretches only warn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.capture.traffic import Outcome
from harness.capture.trouble import TroubleStory
from harness.checks.load.figures import counted, milliseconds
from harness.checks.load.judged import EVERYWHERE, Judged, found, passed, undecided
from harness.findings import Finding, Severity

__all__ = ["KINDS", "limit_seconds", "recovery"]

_FEWEST_BEFORE = 10
_GOOD_IN_THE_END = 5
_SHOWN_ROUTES = 3
_SLACK_SECONDS = 0.5
"""What two busy cores may take to let everybody run once more."""


@dataclass(frozen=True, slots=True)
class _Case:
    kind: str
    severity: Severity
    fix: str


_GONE = _Case(
    "ended-process",
    Severity.ERROR,
    "let no failure of the database end the process: answer 503, and connect again at the next "
    "request",
)
_HANGING = _Case(
    "hanging-request",
    Severity.ERROR,
    "limit every wait below the client's patience: pool_timeout, statement_timeout, and the "
    "driver's own (asyncpg: timeout, command_timeout; psycopg: connect_timeout, tcp_user_timeout)",
)
_LOST = _Case(
    "no-recovery",
    Severity.ERROR,
    "give connections back when a statement fails or is cancelled (async with), make no engine or "
    "session that outlives its connection, and limit every wait (pool_timeout, connect timeout)",
)
_LATE = _Case(
    "failure-after-trouble",
    Severity.ERROR,
    "keep no failure: neither a connection, nor a session, nor an answer that was made while the "
    "database was away; create_engine(…, pool_pre_ping=True)",
)
_STALE = _Case(
    "stale-connection",
    Severity.WARNING,
    "create_engine(…, pool_pre_ping=True) looks at a connection before it gives it out; or "
    "pool_recycle below what ends idle connections",
)
_SLOW = _Case(
    "slow-recovery",
    Severity.WARNING,
    "shorten pool_timeout and the driver's connect timeout: until they are over, requests wait for "
    "what does not come",
)
_LEAKED = _Case(
    "connection-leak",
    Severity.ERROR,
    "close every session also when its statement fails: async with session_maker() as session",
)
_ORPHANED = _Case(
    "orphaned-connection",
    Severity.WARNING,
    "close what a failed attempt has opened; let the server notice: tcp_keepalives_idle, "
    "client_connection_check_interval",
)

KINDS = frozenset(
    case.kind for case in (_GONE, _HANGING, _LOST, _LATE, _STALE, _SLOW, _LEAKED, _ORPHANED)
)
"""The kinds of findings that troubles make."""


def limit_seconds(story: TroubleStory) -> float:
    """How long after its end an application may take: the waits that have begun meanwhile.

    Those in the pool's queue end after `pool_timeout`, those that hold a connection after as long
    as a request holds one; and as long again as the database was away, for attempts that come
    later each time.
    """
    waits = story.pool_timeout_seconds + story.hold_seconds
    return waits + story.down_seconds + _SLACK_SECONDS


def recovery(story: TroubleStory, *, unless: str = "") -> Judged:
    """Judge the way back from one trouble.

    Args:
        story: What became of it.
        unless: Why that is not known of all processes; see `passed`.
    """
    if story.good_before < _FEWEST_BEFORE:
        return undecided(
            story.probe,
            f"only {counted(story.good_before, 'good answer')} before the trouble, "
            f"{_FEWEST_BEFORE} needed",
        )
    findings = list(_findings(story))
    if findings:
        return found(story.probe, findings, is_explanation=False)
    if not _is_back(story):
        return undecided(
            story.probe,
            f"not back {milliseconds(max(_watched(story), 0.0))} after {story.trouble}, and "
            f"{milliseconds(limit_seconds(story))} are allowed: --time watches longer",
        )
    return passed(story.probe, _summary(story), unless=unless)


def _watched(story: TroubleStory) -> float:
    return story.until_seconds - story.ends_seconds


def _is_back(story: TroubleStory) -> bool:
    """Whether it came back, and failed no more in the end."""
    last = max((item.offset_seconds for item in story.failed_after()), default=0.0)
    good = sum(
        item.outcome is Outcome.OK and item.offset_seconds > max(last, story.ends_seconds)
        for item in story.answers
    )
    return story.recovery_seconds is not None and good >= _GOOD_IN_THE_END


def _summary(story: TroubleStory) -> str:
    during = f"{story.failed_during} of {counted(len(story.met), 'request')} failed meanwhile"
    back = f"back {milliseconds(story.recovery_seconds or 0.0)} after the trouble"
    out = "" if story.checked_out_at_rest is None else ", no connection out"
    return f"{back}; {during}, none after{out}"


def _findings(story: TroubleStory) -> Iterator[Finding]:
    if story.processes_gone:
        gone = counted(story.processes_gone, "process")
        yield _finding(_GONE, story, f"{gone} of the application ended")
    if story.hung:
        yield _finding(_HANGING, story, f"{counted(story.hung, 'request')} had no answer")
    limit = limit_seconds(story)
    if _is_back(story):
        yield from _failures_after(story, limit)
    elif _watched(story) >= limit:
        yield _finding(_LOST, story, f"requests still fail {milliseconds(_watched(story))} later")
    if story.checked_out_at_rest:
        out = counted(story.checked_out_at_rest, "connection")
        yield _finding(_LEAKED, story, f"{out} did not come back")
    yield from _orphans(story)


def _failures_after(story: TroubleStory, limit: float) -> Iterator[Finding]:
    """What failed of the requests that were sent when it was over."""
    failed = list(story.failed_after())
    if failed:
        last = max(item.offset_seconds for item in failed) - story.ends_seconds
        told = (
            f"{counted(len(failed), 'request')} failed that came up to {milliseconds(last)} later"
        )
        most = story.most_connections
        if story.leaves_stale and most is not None and len(failed) <= most:
            yield _finding(_STALE, story, f"{told}: the pool gave out dead connections")
        else:
            yield _finding(_SLOW if last <= limit else _LATE, story, told)
    elif story.recovery_seconds is not None and story.recovery_seconds > limit:
        back = milliseconds(story.recovery_seconds)
        yield _finding(_SLOW, story, f"back after {back}, {milliseconds(limit)} are allowed")


def _orphans(story: TroubleStory) -> Iterator[Finding]:
    there, before, most = story.backends_at_rest, story.backends_before, story.most_connections
    if there is None or before is None or most is None or there <= max(most, before):
        return
    what = f"the server has {counted(there, 'connection')} of it, and its pools {most} at most"
    yield _finding(_ORPHANED, story, what)


def _finding(case: _Case, story: TroubleStory, what: str) -> Finding:
    during = f"{story.failed_during} of {counted(len(story.met), 'request')}"
    limit = milliseconds(limit_seconds(story))
    recovered = story.recovery_seconds
    return Finding(
        kind=case.kind,
        label=story.trouble,
        anchor=EVERYWHERE,
        severity=case.severity,
        title=f"{story.trouble}: {what}",
        fix=case.fix,
        evidence=(
            ("failed meanwhile", during),
            ("failed later", counted(len(list(story.failed_after())), "request")),
            *_routes(story),
            ("recovered after", "never" if recovered is None else milliseconds(recovered)),
            ("allowed", limit),
        ),
    )


def _routes(story: TroubleStory) -> Iterator[tuple[str, str]]:
    for route, count in story.failing[:_SHOWN_ROUTES]:
        yield f"at {route}", str(count)
    if others := len(story.failing[_SHOWN_ROUTES:]):
        yield "at others", counted(others, "route")
