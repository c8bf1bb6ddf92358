"""The two runs against the served application: a steady load, and a pool run dry on purpose."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from harness.capture.traffic import ExhaustionStory, LoadStory, RequestOutcome
from harness.checkup.locust_run import LocustRun, locust_run
from harness.errors import HarnessError
from harness.load.story import load_story, recovery_seconds
from harness.rig.trouble.locks import block_tables
from harness.served import ServedApplication, serving
from harness.stage import Stage

__all__ = ["POOL", "PoolNotOursError", "exhaust", "steady_load"]

Plan = Sequence[tuple[str, str]]

_STEADY_USERS = 8
_STEADY_SECONDS = 8

POOL = {"pool_size": 2, "max_overflow": 1, "pool_timeout": 1.0}
"""The pool that is run dry: small, and quick to give up."""
_USERS_PER_CONNECTION = 4
_BEFORE_SECONDS = 1.5
_BLOCK_SECONDS = 3.0
_AFTER_SECONDS = 3.5
_KEPT_REQUESTS = 200_000
"""Each is a point of the timeline. In eight seconds a generator sends a tenth of it; 20 MB."""


class PoolNotOursError(HarnessError):
    """The application does not take its pool's size from its database URL."""

    slug = "pool-not-ours"


def steady_load(stage: Stage, plan: Plan) -> LoadStory:
    """Let users browse the application with its own pool."""
    with serving(_options(stage), environment=_environment(stage)) as target:
        with locust_run(
            "browse", target, plan, users=_STEADY_USERS, seconds=_STEADY_SECONDS
        ) as run:
            result = run.result()
        return load_story(result, target.status_at_rest())


def exhaust(stage: Stage, plan: Plan) -> ExhaustionStory:
    """Run a small pool dry while users browse, then let go.

    Raises:
        PoolNotOursError: If the pool of the application cannot be set through its URL.
    """
    capacity = int(POOL["pool_size"] + POOL["max_overflow"])
    users = capacity * _USERS_PER_CONNECTION
    options = [f"--{name.replace('_', '-')}={value}" for name, value in POOL.items()]
    seconds = round(_BEFORE_SECONDS + _BLOCK_SECONDS + _AFTER_SECONDS)
    with serving([*_options(stage), *options], environment=_environment(stage)) as target:
        with locust_run(
            "browse", target, plan, users=users, seconds=seconds, kept_requests=_KEPT_REQUESTS
        ) as run:
            _await_traffic(target, run)
            time.sleep(_BEFORE_SECONDS)
            block = block_tables(stage.url, seconds=_BLOCK_SECONDS)
            result = run.result()
        _require_our_pool(target.status())
    start = result.started_seconds
    return ExhaustionStory(
        users=users,
        pool_capacity=capacity,
        pool_timeout_seconds=float(POOL["pool_timeout"]),
        blocked_from_seconds=block.from_seconds - start,
        blocked_until_seconds=block.until_seconds - start,
        outcomes=tuple(
            RequestOutcome(item.offset_seconds, item.seconds, item.outcome)
            for item in result.samples
        ),
        recovery_seconds=recovery_seconds(
            result.samples, after_seconds=block.until_seconds - start
        ),
    )


def _options(stage: Stage) -> list[str]:
    return ["--database", stage.url.database or ""]


def _environment(stage: Stage) -> dict[str, str]:
    server = stage.postgres.address.url("postgres", driver="asyncpg")
    return {"HARNESS_POSTGRES": server.render_as_string(hide_password=False)}


def _await_traffic(target: ServedApplication, run: LocustRun) -> None:
    while run.is_running and not target.status()["routes"]:
        time.sleep(0.05)


def _require_our_pool(status: dict[str, Any]) -> None:
    sizes = [(pool["size"], pool["max_overflow"]) for pool in status["pools"]]
    if (POOL["pool_size"], POOL["max_overflow"]) not in sizes:
        raise PoolNotOursError(
            f"the application's pools are {sizes}: its engine does not take the pool's size "
            "from the database URL",
            remedy="give it the whole URL ({async_url}) in [tool.harness.env]",
        )
