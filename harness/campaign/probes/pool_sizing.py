"""What limits the application under load, and the pool size to set: baseline, ramp, sweep.

Decides what comes after what. A sweep is not held where its answer would mean nothing: where
connections leak, where requests lock each other out, where none takes a connection.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.sizing.drill import Drill, Suspects, drilled, suspects
from harness.campaign.sizing.form import LONG, SHORT
from harness.campaign.sizing.plan import (
    SweepPlan,
    largest_size,
    other_size,
    planned_sweep,
    server_room,
)
from harness.campaign.sizing.slices import Slices
from harness.campaign.sizing.sweep import swept
from harness.capture.windows import LoadWindow, PoolWindow
from harness.checks.load.bounds import bounds_of
from harness.checks.load.classification import Classification, classified
from harness.checks.load.figures import counted, main_pool, rate
from harness.checks.load.fleet import Fleet, fleet_of
from harness.checks.load.leak import leak
from harness.checks.load.nesting import without_nesting
from harness.checks.load.no_pool_size import unreached
from harness.checks.load.pool_sizing import Recommendation, recommendation, unusable_baseline
from harness.checks.load.sizing_curve import FEWEST_ROUNDS
from harness.checks.load.validity import BAD_SHARE, Basis, invalid
from harness.findings import ProbeVerdict, Severity, Verdict
from harness.report.load_content import Phase

__all__ = ["LIMIT", "SIZE", "pool_sizing"]

LIMIT = "limit"
SIZE = "pool-size"
_SPARE_SLICES = 4
_SEEDS = 10_000
_FEW_USERS = 16


@dataclass(slots=True, eq=False)
class _Course:
    """What was recorded so far, and what is known from it."""

    phases: list[Phase] = field(default_factory=list)
    recommendation: Recommendation | None = None
    why_none: str = ""
    """Why there is no recommendation."""
    refuted: tuple[str, ...] = ()
    """Routes that seemed to nest, and do not."""

    def recorded(self, name: str, windows: Sequence[LoadWindow], note: str) -> None:
        """One phase more."""
        self.phases.append(Phase(name, tuple(windows), note))

    def judged(self, windows: Sequence[LoadWindow]) -> list[LoadWindow]:
        """As verdicts take them."""
        return [without_nesting(window, self.refuted) for window in windows]

    def outcome(self, windows: Sequence[LoadWindow], drill: Drill | None = None) -> Outcome:
        """Put into an answer.

        Args:
            windows: The first one is explained, with the help of the others.
            drill: If one was held.
        """
        judged = self.judged(windows)
        told = classified(judged, drill.locked if drill else None)
        missed = unreached(self.recommendation) if self.recommendation else None
        return Outcome(
            verdicts=(_limit(told), self._size()),
            findings=(*told.findings, *([missed] if missed else [])),
            phases=tuple(self.phases),
            classification=told,
            explained=judged[0],
            recommendation=self.recommendation,
        )

    def _size(self) -> ProbeVerdict:
        if self.recommendation is None:
            return ProbeVerdict(SIZE, Verdict.SKIPPED, self.why_none)
        return ProbeVerdict(SIZE, self.recommendation.verdict, self.recommendation.summary)


def pool_sizing(ground: Ground, scenario: Scenario) -> Outcome:
    """Find out what limits the application, and how many connections each process should have."""
    ground.required_rig("to serve it with pools of other sizes")
    if ground.started is not None and ground.started.why_no_activity:
        return Outcome((ProbeVerdict(SIZE, Verdict.SKIPPED, ground.started.why_no_activity),))
    settings = ground.settings
    form = (SHORT if settings.is_short else LONG).lasting(settings.seconds)
    slices = Slices(ground, scenario, form, spare=len(settings.sizes) or _SPARE_SLICES)
    # What further processes spend on waiting would else be told as CPU of one user's requests, and
    # is a multiple of it where these are few.
    ground.serve(workers=1 if _is_alone(settings) else None)
    return _held(_Course(), slices)


def _is_alone(settings: Settings) -> bool:
    """Whether one user is served by one process, though there will be more of them.

    The short form recommends nothing, and has nothing else that tells how many there are. That a
    process spends 0.5 % of a core on waiting [measured] is nothing to it: of one request's CPU it
    asks only whether users would wait for seconds.
    """
    return settings.workers > 1 and not settings.is_short


def _held(course: _Course, slices: Slices) -> Outcome:
    baseline = slices.baseline()
    course.recorded("baseline", [baseline], "one user")
    if why := _unusable(baseline):
        return Outcome(
            (ProbeVerdict(SIZE, Verdict.INCONCLUSIVE, why),), phases=tuple(course.phases)
        )
    if leak(baseline).is_explanation:
        course.why_none = "connections leak: no size is right before they come back"
        return course.outcome([baseline])
    if nested := suspects(baseline):
        return _drilled(course, slices, baseline, nested)
    if _is_alone(slices.ground.settings):
        slices.ground.serve()
    return _measured(course, slices, baseline)


def _unusable(baseline: LoadWindow) -> str:
    """Why nothing that follows could be judged; empty where it can.

    Leaks are told though: they are why answers are bad.
    """
    if why := invalid(baseline, Basis.COUNTS):
        return why
    bad, whole = baseline.client.requests - baseline.client.ok, baseline.client.requests
    if bad <= BAD_SHARE * whole or leak(baseline).is_explanation:
        return ""
    return f"{bad} of {whole} answers to one user were not good: request other routes (--plan)"


def _drilled(
    course: _Course, slices: Slices, baseline: LoadWindow, nested: Sequence[Suspects]
) -> Outcome:
    """Requests that may lock each other out; if they do, a sweep would only stop at each size."""
    room = server_room(baseline.server, processes=1)
    for found in nested:
        drill = drilled(slices.ground, slices.scenario, found, room=room)
        course.recorded("nesting drill", drill.windows, drill.note)
        if drill.why_not_refuted:
            course.why_none = (
                f"{', '.join(found.names)} holds several connections at once: {drill.clients} such "
                f"requests need {drill.safe_size}, more of them more; pass the session down first"
            )
            return course.outcome([baseline], drill)
        course.refuted = (*course.refuted, *found.names)
    slices.ground.serve()
    return _measured(course, slices, baseline)


def _measured(course: _Course, slices: Slices, baseline: LoadWindow) -> Outcome:
    """Everything else: ramp, own pool, sweep."""
    settings, pool, bounds = slices.ground.settings, main_pool(baseline), bounds_of(baseline)
    if bounds is not None and not settings.is_short and (why := unusable_baseline(baseline)):
        return _undecided(course, slices, why)
    ramp = [] if settings.is_short else slices.ramp()
    if ramp:
        course.recorded("ramp", ramp, "more and more users on the application's own pool")
        if not rate(ramp[-1]):
            return _undecided(course, slices, _unanswered(ramp[-1]))
    users = settings.users or (ramp[-1].client.users if ramp else _FEW_USERS)
    if pool is None or bounds is None or pool.size is None:
        course.why_none = _why_no_sweep(pool)
        return course.outcome(_own(course, slices, users, slices.form.shortest_seconds))
    room = server_room(baseline.server, settings.workers)
    most = largest_size(room, settings.users, settings.workers)
    plan = planned_sweep(
        ramp or [baseline],
        bounds=bounds,
        form=slices.form,
        room=room,
        asked=settings.sizes or (() if ramp else other_size(pool, most)),
        users=settings.users,
    )
    if plan.why_few and not settings.is_short:
        return _undecided(course, slices, plan.why_few)
    if not plan.sizes:
        course.why_none = f"no size to try: at most {most} can be filled in each process"
        return course.outcome(_own(course, slices, users, slices.form.shortest_seconds))
    return _swept(course, slices, baseline, plan)


def _undecided(course: _Course, slices: Slices, why: str) -> Outcome:
    """A sweep of minutes could recommend nothing; the limit is told."""
    course.recommendation = Recommendation(Verdict.INCONCLUSIVE, why)
    users = slices.ground.settings.users or _FEW_USERS
    return course.outcome(_own(course, slices, users, slices.form.shortest_seconds))


def _unanswered(window: LoadWindow) -> str:
    """Why a sweep, with more users than this, would be answered no better."""
    return f"no good answer to {counted(window.client.users, 'user')}: {invalid(window)}"


def _own(course: _Course, slices: Slices, users: int, seconds: float) -> list[LoadWindow]:
    """The application's own pool under many users: the one window to explain."""
    windows = slices.own(users, seconds)
    course.recorded("own pool", windows, counted(users, "user"))
    return windows[-1:]


def _swept(course: _Course, slices: Slices, baseline: LoadWindow, plan: SweepPlan) -> Outcome:
    """The application's own pool, and others, under the same load."""
    settings = slices.ground.settings
    own = _own(course, slices, plan.users, max(plan.seconds))
    sweep = swept(slices, plan, seed=random.randrange(_SEEDS))  # noqa: S311 - an order
    course.recorded("sweep", sweep.windows, sweep.note)
    if sweep.refusal:
        course.why_none = sweep.refusal
        return course.outcome(own)
    if sweep.rounds < FEWEST_ROUNDS:
        course.why_none = (
            f"the short form compares {counted(len(sweep.plan.sizes), 'other size')} with the "
            "application's own; without --short it finds the size to set"
        )
    else:
        course.recommendation = recommendation(
            course.judged(sweep.windows),
            baseline,
            settings.target_rate,
            _fleet(baseline, settings),
        )
    return course.outcome([*own, *sweep.windows])


def _why_no_sweep(pool: PoolWindow | None) -> str:
    if pool is None or not pool.checkouts:
        return "no request took a connection: no pool size changes anything"
    return "the application's pool takes no size (NullPool, or one connection for everybody)"


def _fleet(window: LoadWindow, settings: Settings) -> Fleet | None:
    """Whatever else connects to the server; None where nobody could look."""
    if window.server is None:
        return None
    return fleet_of(
        window.server,
        processes=settings.workers,
        replicas=settings.replicas,
        surge=settings.surge,
    )


def _limit(told: Classification) -> ProbeVerdict:
    """What limited the load; a limit that nothing is wrong with is what it was made to reach."""
    verdict = told.verdict
    causes = [answer for answer in told.answers if answer.verdict.probe == told.cause]
    severities = {finding.severity for answer in causes for finding in answer.findings}
    is_healthy = severities == {Severity.NOTE}
    return ProbeVerdict(LIMIT, Verdict.PASS if is_healthy else verdict.verdict, verdict.summary)
