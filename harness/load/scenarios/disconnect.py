"""Clients that leave before the answer, on any GET route.

Which ones is for ``--plan`` to say; else those of the application's OpenAPI document that need no
value.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import between, task

from harness.load.leaving import LeavingUser
from harness.load.planned import take_plan
from harness.load.routes import Plan


class LeavePlan(LeavingUser):
    """Requests the routes of the plan in random order, and mostly leaves."""

    probe = "disconnect"
    wait_time = between(0.05, 0.15)
    plan: ClassVar[Plan] = ()

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.visit(name, path)


take_plan(LeavePlan)
