"""Clients that leave before the answer: what they leave behind, and for how long."""

from __future__ import annotations

from harness.campaign.ground import Ground, Slice
from harness.campaign.outcome import Outcome
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.campaign.watch import addresses, watching
from harness.capture.abandonment import Abandonment, RouteAnswers
from harness.checks.load.abandoned import abandoned
from harness.checks.load.figures import counted
from harness.errors import MisuseError, UnreachableTargetError
from harness.load.result import LoadResult
from harness.load.tally import Answer
from harness.report.load_content import Phase

__all__ = ["disconnect"]

_USERS = 5
"""As many as SQLAlchemy's pools keep by default: more would make overflow connections, whose end
looks like one that a cancelled request has brought about."""
_SECONDS, _SHORT_SECONDS = 10.0, 4.0
_REST_SECONDS = 8.0
_AFTER_SECONDS = 1.0
_GOOD = (Answer.OK, Answer.REDIRECT)
_EXECUTING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend' "
    "AND query NOT LIKE '%pg_stat_activity%'"
)


def disconnect(ground: Ground, scenario: Scenario) -> Outcome:
    """Load with clients that leave, look at what goes on without them, and ask again."""
    ground.require_probe()
    settings = ground.settings
    users = settings.users or _USERS
    seconds = settings.seconds or (_SHORT_SECONDS if settings.is_short else _SECONDS)
    serving = ground.serve() if ground.rig is not None else None
    ground.tell(f"{counted(users, 'user')} to leave before the answer, for {seconds:g} s")
    # At the end nobody waits for an answer: whatever goes on then goes on without a client.
    load = Load(users, seconds, stop_seconds=0.0)
    with watching(addresses(ground, serving), ground.token) as watch:
        leaving = ground.measured(scenario, load, rest_seconds=_REST_SECONDS)
        watch.await_rest(_REST_SECONDS / 2)
        executing = _executing(ground)
    ground.tell("one user asks again, and waits")
    staying = Load(1, _AFTER_SECONDS, options=("--share-leaving", "0"))
    after = ground.measured(scenario, staying)
    facts = Abandonment(
        window=leaving.window,
        left=sum(leaving.result.tally.left.values()),
        gone_seconds=leaving.result.started_seconds + leaving.result.seconds,
        glimpses=watch.glimpses,
        answers=_answers(leaving.result, after.result),
        executing_after=executing,
    )
    judged = abandoned(facts)
    phases = _phases(leaving, after, left=facts.left_in_all)
    return Outcome((judged.verdict,), judged.findings, phases)


def _phases(leaving: Slice, after: Slice, *, left: int) -> tuple[Phase, ...]:
    note = f"{counted(left, 'client')} left before the answer"
    return (
        Phase("disconnect", (leaving.window,), note),
        Phase("after disconnect", (after.window,), "one user that waits for its answers"),
    )


def _answers(leaving: LoadResult, after: LoadResult) -> tuple[RouteAnswers, ...]:
    return tuple(
        RouteAnswers(
            route=route,
            good_before=leaving.tally.latency(route, of=_GOOD).count,
            good_after=after.tally.latency(route, of=_GOOD).count,
            failed_after=after.tally.failures_of(route),
        )
        for route in sorted(leaving.tally.routes)
    )


def _executing(ground: Ground) -> int | None:
    """Statements that the server executes; None where it is not ours to ask, or is none."""
    if ground.rig is None or (ground.started is not None and ground.started.why_no_activity):
        return None
    try:
        return ground.rig.rows(_EXECUTING)
    except (MisuseError, UnreachableTargetError):
        return None
