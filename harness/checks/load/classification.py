"""The one cause of slow requests, and all else that was found.

The order is the argument. What is counted comes first: while connections leak, or are kept by a
session that all requests share, or a loop stands still, nothing that is measured of the pool means
anything. Then the limits, from the innermost:
CPU, the connection's holder, the database, and only then the pool, which is full in all of these
cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.capture.windows import LoadWindow
from harness.checks.load.blocked_loop import blocked_loop
from harness.checks.load.database_bound import database_bound
from harness.checks.load.figures import (
    busy_share,
    cores,
    counted,
    duty,
    has_waiters,
    main_pool,
    milliseconds,
    percent,
    timeouts,
)
from harness.checks.load.held_idle import held_idle
from harness.checks.load.judged import Judged
from harness.checks.load.leak import leak
from harness.checks.load.nesting import nesting
from harness.checks.load.over_provisioned import over_provisioned
from harness.checks.load.overflow_churn import overflow_churn
from harness.checks.load.oversized_pool import oversized_pool
from harness.checks.load.pool_too_small import pool_too_small
from harness.checks.load.saturated_loop import saturated_loop
from harness.checks.load.shared_session import shared_session
from harness.checks.load.starved_threads import starved_threads
from harness.checks.load.timeouts_order import timeouts_order
from harness.checks.load.validity import NO_PROBE, invalid, unread
from harness.findings import Finding, ProbeVerdict, Verdict

__all__ = ["Classification", "Outcome", "classified"]

PROBE = "slow-requests"


class Outcome(StrEnum):
    """Whether slow requests have an explanation."""

    EXPLAINED = "explained"
    NOTHING_IS_SLOW = "nothing is slow"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    """Nobody looked into the application."""


_VERDICTS: Mapping[Outcome, Verdict] = {
    Outcome.NOTHING_IS_SLOW: Verdict.PASS,
    Outcome.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    Outcome.SKIPPED: Verdict.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Classification:
    """Why requests are slow."""

    outcome: Outcome
    cause: str
    """The check that explains it, e.g. ``"held-idle"``; empty unless explained."""
    reason: str
    """One line with the numbers."""
    answers: tuple[Judged, ...]
    """Of all checks, in their order."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, the cause's first."""
        ranked = sorted(self.answers, key=lambda answer: answer.verdict.probe != self.cause)
        return tuple(finding for answer in ranked for finding in answer.findings)

    @property
    def verdict(self) -> ProbeVerdict:
        """As a probe's answer: the cause's own verdict."""
        if self.outcome is Outcome.EXPLAINED:
            found = next(item for item in self.answers if item.verdict.probe == self.cause)
            return ProbeVerdict(PROBE, found.verdict.verdict, f"{self.cause}: {self.reason}")
        return ProbeVerdict(PROBE, _VERDICTS[self.outcome], self.reason)


def classified(windows: Sequence[LoadWindow], drill: LoadWindow | None = None) -> Classification:
    """Name the cause of slow requests, or say why nobody can.

    Args:
        windows: The first is the one to explain; the others are the same load on other pool sizes.
        drill: A load of as many clients as the pool has connections; see `nesting`.
    """
    if not windows:
        return Classification(Outcome.INCONCLUSIVE, "", "no load was recorded", ())
    window, answers = windows[0], _answers(windows, drill)
    for answer in answers:
        if answer.is_explanation:
            told = answer.verdict
            return Classification(Outcome.EXPLAINED, told.probe, told.summary, answers)
    if why := invalid(window):
        outcome = Outcome.SKIPPED if why == NO_PROBE else Outcome.INCONCLUSIVE
        return Classification(outcome, "", why + _given_up(window), answers)
    if has_waiters(window):
        return Classification(Outcome.INCONCLUSIVE, "", _unexplained(window, answers), answers)
    if why := _not_seen(window):
        return Classification(Outcome.INCONCLUSIVE, "", why, answers)
    return Classification(Outcome.NOTHING_IS_SLOW, "", _calm(window), answers)


def _answers(windows: Sequence[LoadWindow], drill: LoadWindow | None) -> tuple[Judged, ...]:
    window, others = windows[0], windows[1:]
    return (
        leak(window, is_sharing_told=True),
        shared_session(window),
        blocked_loop(window),
        saturated_loop(window),
        nesting(window, drill),
        held_idle(window),
        database_bound(window, others),
        pool_too_small(window, others),
        starved_threads(window),
        over_provisioned(window),
        overflow_churn(window),
        oversized_pool(window),
        timeouts_order(window),
    )


def _given_up(window: LoadWindow) -> str:
    """Callers that timed out at a pool: counted, so true of an invalid window too."""
    number = timeouts(window)
    return f"; {counted(number, 'caller')} gave up waiting for a connection" if number else ""


def _unexplained(window: LoadWindow, answers: Sequence[Judged]) -> str:
    """What a check of the limits needs to know; else the figures that none of them recognises."""
    for answer in answers:
        is_limit = answer.verdict.probe in {"held-idle", "database-bound", "pool-too-small"}
        if is_limit and answer.verdict.verdict is Verdict.INCONCLUSIVE:
            return f"callers waited for connections; {answer.verdict.summary}"
    share = duty(window)
    told = percent(share) if share is not None else "unknown"
    return (
        f"callers waited for connections and no rule says why: duty {told}, "
        f"{cores(window.process_cpu)}"
    )


def _not_seen(window: LoadWindow) -> str:
    """Why nobody can say that nothing is slow: not all that was sent was looked at."""
    if why := unread(window, at_rest=True):
        return why
    sent = counted(window.client.requests, "request")
    return "" if window.routes else f"the application saw none of {sent}"


def _calm(window: LoadWindow) -> str:
    """Where a request's time goes when nobody waits."""
    latency, pool = window.client.latency, main_pool(window)
    line = f"nobody waited: p50 {milliseconds(latency.p50_seconds)}"
    line += f", p95 {milliseconds(latency.p95_seconds)}"
    share = busy_share(pool) if pool is not None else None
    if pool is None or share is None or not window.client.requests:
        return line
    held = pool.hold.mean_seconds
    return (
        f"{line}; a connection is held for {milliseconds(held)}, "
        f"SQL runs for {percent(share)} of it"
    )
