"""Users who never pause, for a sweep over pool sizes: the load that shows what a pool is worth.

Which routes is for ``--plan`` to say; else those of the application's OpenAPI document that need no
value.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import constant, task

from harness.load.planned import take_plan
from harness.load.routes import Plan, without_method
from harness.load.users import HarnessUser


class PoolSizingPlan(HarnessUser):
    """Requests the routes of the plan in random order, the next as soon as one is answered."""

    probe = "pool_sizing"
    wait_time = constant(0)
    plan: ClassVar[Plan] = ()

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=without_method(name))


take_plan(PoolSizingPlan)
