"""The two runs against the served application: a steady load, and a pool run dry on purpose."""

from __future__ import annotations

from harness.campaign.drought.choice import SmallPool
from harness.campaign.drought.run import KEPT_REQUESTS, Beside, Meanwhile, run_dry
from harness.campaign.drought.story import Drought
from harness.campaign.drought.target import PoolNotOursError, require_pool
from harness.campaign.drought.trials import cheapest, tried, without_database
from harness.campaign.scenario import Scenario, packaged
from harness.campaign.traffic import Load, traffic
from harness.capture.traffic import ExhaustionStory, LoadStory
from harness.load.result import LoadResult
from harness.load.routes import Plan
from harness.load.story import load_story
from harness.pool_choice import PoolChoice
from harness.rig.trouble.locks import block_tables
from harness.served import ServedApplication, serving
from harness.stage import Stage

__all__ = ["POOL", "PoolNotOursError", "exhaust", "steady_load"]

_STEADY_USERS = 8
_STEADY_SECONDS = 8

POOL = SmallPool(size=2, overflow=1, timeout_seconds=1.0)
"""The pool that is run dry: small, and quick to give up."""
_USERS_PER_CONNECTION = 4
_BLOCK_SECONDS = 3.0
_AROUND_SECONDS = 4.0
"""Of the users' time, before the block and after it."""
_TRIAL_SECONDS = 4.0


def steady_load(stage: Stage, plan: Plan) -> LoadStory:
    """Let users browse the application with its own pool."""
    load = Load(_STEADY_USERS, _STEADY_SECONDS, plan=plan)
    with serving(_options(stage), environment=_environment(stage)) as target:
        result = _result(_browse(), load, target)
        return load_story(result, target.status_at_rest())


def exhaust(stage: Stage, on_database: Plan, *, others: Plan) -> ExhaustionStory:
    """Run a small pool dry while users browse, then let go.

    Args:
        stage: The prepared database.
        on_database: Routes that users browse, at least one; those that stream are left out, since
            a body that has begun can only be cut off, and which one it is differs from run to run.
        others: Routes that answer, whether they use the database or not.

    Raises:
        PoolNotOursError: If the pool of the application cannot be set through its URL.
    """
    choice = PoolChoice(POOL.size, POOL.overflow, POOL.timeout_seconds)
    options = [*_options(stage), *choice.options()]
    with serving(options, environment=_environment(stage)) as target:
        trials = tried(target, (*on_database[:1], *others), seconds=_TRIAL_SECONDS)
        require_pool(target, POOL)
        cheap = cheapest(trials)
        beside = Beside(without_database(trials)[1], cheap.path if cheap else on_database[0][1])
        streams = {trial.route for trial in trials if trial.is_streamed}
        whole = tuple(each for each in on_database if each[0] not in streams)
        return _dried(stage, target, whole or on_database, beside)


def _dried(stage: Stage, target: ServedApplication, plan: Plan, beside: Beside) -> ExhaustionStory:
    users = POOL.capacity * _USERS_PER_CONNECTION
    drought = Drought(users, POOL.capacity, POOL.timeout_seconds, _BLOCK_SECONDS, is_locked=True)
    load = Load(users, _BLOCK_SECONDS + _AROUND_SECONDS, plan=plan, kept_requests=KEPT_REQUESTS)

    def loaded(meanwhile: Meanwhile) -> LoadResult:
        return _result(_browse(), load, target, meanwhile=meanwhile)

    def locked(seconds: float) -> tuple[float, float]:
        block = block_tables(stage.url, seconds=seconds)
        return block.from_seconds, block.until_seconds

    return run_dry(target, drought, beside=beside, loaded=loaded, lock=locked).story


def _browse() -> Scenario:
    return packaged("browse")


def _result(
    scenario: Scenario,
    load: Load,
    target: ServedApplication,
    *,
    meanwhile: Meanwhile | None = None,
) -> LoadResult:
    with traffic(scenario, load, host=target.url) as running:
        running.await_counting()
        if meanwhile is not None:
            meanwhile(running)
        running.await_end()
        return running.result()


def _options(stage: Stage) -> list[str]:
    return ["--database", stage.url.database or ""]


def _environment(stage: Stage) -> dict[str, str]:
    server = stage.postgres.address.url("postgres", driver="asyncpg")
    return {"HARNESS_POSTGRES": server.render_as_string(hide_password=False)}
