"""A small pool, run dry on purpose: what clients get, what others feel, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.campaign.backends import backends_of
from harness.campaign.drought.choice import SmallPool, drought_for, hold_per_request
from harness.campaign.drought.ending import ended
from harness.campaign.drought.run import KEPT_REQUESTS, Beside, Dried, Meanwhile, run_dry
from harness.campaign.drought.story import Drought
from harness.campaign.drought.target import PoolNotOursError, kept_connections, require_pool
from harness.campaign.drought.telling import setting
from harness.campaign.drought.trials import Trial, cheapest, longest_holder, tried, without_database
from harness.campaign.ground import Ground, Slice
from harness.campaign.outcome import Outcome, without_measurement
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.capture.windows import LoadWindow
from harness.checks.exhaustion_limits import Backends
from harness.errors import MisuseError
from harness.findings import Verdict
from harness.load.result import LoadResult
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig
from harness.rig.trouble.locks import CannotBlockError
from harness.served import ServedApplication

__all__ = ["exhaustion"]

_PROBE = "exhaustion"
_SIZE = 2
_TIMEOUT_SECONDS, _SHORT_TIMEOUT_SECONDS = 2.0, 1.0
_DRY_SECONDS, _SHORT_DRY_SECONDS = 8.0, 3.0
_TRIAL_SECONDS = 2.0
_BEFORE_SECONDS = 2.0
_AFTER_LOCK_SECONDS = 2.0
_NO_ROUTE = "no route that GET reaches without a value takes a connection: name one with --plan"
_NO_HOLDER = "the traffic takes no connection, so it cannot run a pool dry"


class _UndecidedError(Exception):
    """Nothing can be said, and why."""


def exhaustion(ground: Ground, scenario: Scenario) -> Outcome:
    """Serve with a small pool, send more users than it can serve, and watch the way back."""
    rig = ground.required_rig("to serve it with a small pool")
    if ground.started is not None and ground.started.why_no_activity:
        return without_measurement(_PROBE, Verdict.SKIPPED, ground.started.why_no_activity)
    is_short = ground.settings.is_short
    timeout_seconds = _SHORT_TIMEOUT_SECONDS if is_short else _TIMEOUT_SECONDS
    pool = SmallPool(_SIZE, timeout_seconds, ground.settings.workers)
    ground.tell(f"serving with a pool of {_SIZE}, which gives up after {timeout_seconds:g} s")
    serving = ground.serve(PoolChoice(_SIZE, 0, timeout_seconds))
    target = ServedApplication(
        serving.url,
        serving.token,
        serving.workers,
        Path(serving.log),
        headers=ground.settings.headers,
    )
    try:
        return _Attempt(ground, scenario, rig, target, pool).outcome()
    except PoolNotOursError as error:
        return without_measurement(_PROBE, Verdict.SKIPPED, error.what)
    except (_UndecidedError, CannotBlockError) as error:
        return without_measurement(_PROBE, Verdict.INCONCLUSIVE, str(error.args[0]))


@dataclass(slots=True, eq=False)
class _Attempt:
    """One drought, with what it is made of."""

    ground: Ground
    scenario: Scenario
    rig: Rig
    target: ServedApplication
    pool: SmallPool

    def outcome(self) -> Outcome:
        """Try the routes, measure one user, run the pool dry, judge.

        Raises:
            _UndecidedError: The traffic, or the routes, do not allow it.
        """
        self.ground.tell("looking for the route that holds connections longest")
        trials = tried(self.target, self._plan(), seconds=_TRIAL_SECONDS)
        load = self._traffic(trials)
        self.ground.tell(f"one user, {_BEFORE_SECONDS:g} s")
        before = self.ground.measured(self.scenario, load).window
        if not any(pool.checkouts or pool.timeouts for pool in before.pools):
            raise _UndecidedError(_NO_HOLDER)
        require_pool(self.target, self.pool)
        free, cheap = self._beside(trials, before, load)
        drought = replace(self._drought(before), route=load.plan[0][0] if load.plan else "")
        self.ground.tell(setting(drought))
        exhausted, dried = self._dried(drought, load, Beside(free[1], cheap.path))
        kept = kept_connections(before, exhausted.window)
        return ended(
            drought,
            dried,
            before=before,
            meanwhile=exhausted.window,
            names=(free[0], cheap.route),
            backends=Backends(backends_of(self.rig), allowed=kept),
        )

    def _plan(self) -> Plan:
        """Traffic of the user's own can do without."""
        try:
            return self.ground.plan()
        except MisuseError:
            if self.scenario.is_planned:
                raise
            return ()

    def _traffic(self, trials: tuple[Trial, ...]) -> Load:
        """Planned traffic gets the route that holds longest; other traffic decides for itself."""
        holder = longest_holder(trials)
        if not self.scenario.is_planned:
            return Load(1, _BEFORE_SECONDS)
        if holder is None:
            raise _UndecidedError(_NO_ROUTE)
        return Load(1, _BEFORE_SECONDS, plan=((holder.route, holder.path),))

    def _beside(
        self, trials: tuple[Trial, ...], before: LoadWindow, load: Load
    ) -> tuple[tuple[str, str], Trial]:
        """A route that needs no connection, and one that needs one for a moment."""
        loaded = load.plan[0][0] if load.plan else ""
        pools = {pool.name for pool in before.pools if pool.checkouts or pool.timeouts}
        cheap = cheapest(trials, beside=loaded, pools=pools)
        if cheap is None:
            others = tried(self.target, _requested(before), seconds=_TRIAL_SECONDS)
            cheap = cheapest(others, pools=pools)
        if cheap is None:
            raise _UndecidedError(_NO_ROUTE)
        return without_database(trials), cheap

    def _drought(self, before: LoadWindow) -> Drought:
        settings = self.ground.settings
        seconds = _SHORT_DRY_SECONDS if settings.is_short else _DRY_SECONDS
        return drought_for(
            self.pool,
            hold_seconds=hold_per_request(before),
            users=settings.users,
            seconds=settings.seconds or seconds,
        )

    def _dried(self, drought: Drought, load: Load, beside: Beside) -> tuple[Slice, Dried]:
        seconds = drought.seconds + (_AFTER_LOCK_SECONDS if drought.is_locked else 0.0)
        full = replace(load, users=drought.users, seconds=seconds, kept_requests=KEPT_REQUESTS)
        slices: list[Slice] = []

        def loaded(meanwhile: Meanwhile) -> LoadResult:
            slices.append(self.ground.measured(self.scenario, full, meanwhile=meanwhile))
            return slices[0].result

        dried = run_dry(self.target, drought, beside=beside, loaded=loaded, lock=self._lock)
        return slices[0], dried

    def _lock(self, seconds: float) -> tuple[float, float]:
        with self.rig.trouble("tables-locked", seconds=seconds) as facts:
            return facts["from_seconds"], facts["until_seconds"]


def _requested(window: LoadWindow) -> Plan:
    """What the traffic itself has requested, as far as its paths need no value."""
    names = [route.route for route in window.routes if route.route.startswith("GET /")]
    return tuple((name, name.removeprefix("GET ")) for name in names if "{" not in name)
