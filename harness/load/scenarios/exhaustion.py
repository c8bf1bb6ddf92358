"""Users who never pause, on the route that holds connections longest: what runs a pool dry.

Which one is for ``--plan`` to say, as the probe does after it has tried them all; without it, all
routes of the application's OpenAPI document that need no value, in random order.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import constant, task

from harness.load.planned import take_plan
from harness.load.routes import Plan, without_method
from harness.load.users import HarnessUser


class ExhaustionPlan(HarnessUser):
    """Requests the routes of the plan, the next as soon as one is answered."""

    probe = "exhaustion"
    wait_time = constant(0)
    plan: ClassVar[Plan] = ()

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=without_method(name))


take_plan(ExhaustionPlan)
