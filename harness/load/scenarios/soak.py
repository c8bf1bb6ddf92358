"""A constant load for long: what grows with every request shows in the end.

Which routes is for ``--plan`` to say; else those of the application's OpenAPI document that need no
value.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import constant_pacing, task

from harness.load.planned import take_plan
from harness.load.routes import Plan, without_method
from harness.load.users import HarnessUser


class SoakPlan(HarnessUser):
    """Requests the routes of the plan in random order, twenty times a second if they allow it."""

    probe = "soak"
    wait_time = constant_pacing(0.05)
    plan: ClassVar[Plan] = ()

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=without_method(name))


take_plan(SoakPlan)
