"""A steady mix of GET routes: each route as often as any other.

Which ones is for ``--plan`` to say; else those of the application's OpenAPI document that need no
value.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import between, task

from harness.load.planned import take_plan
from harness.load.routes import Plan, without_method
from harness.load.users import HarnessUser


class BrowsePlan(HarnessUser):
    """Requests the routes of the plan in random order."""

    wait_time = between(0.01, 0.05)
    plan: ClassVar[Plan] = ()

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=without_method(name))


take_plan(BrowsePlan)
