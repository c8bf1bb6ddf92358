"""Readers, and a writer where the project says how, while the database goes through troubles.

What is read is for ``--plan`` to say; else those routes of the application's OpenAPI document that
need no value. What is written is for ``--write`` to say, which is `[tool.harness.write]`.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import between, task

from harness.load.planned import take_plan
from harness.load.routes import Plan, without_method
from harness.load.writers import HarnessWriter


class RecoverPlan(HarnessWriter):
    """Reads the routes of the plan in random order, and writes every third time."""

    probe = "recovery"
    wait_time = between(0.01, 0.05)
    plan: ClassVar[Plan] = ()

    @task(2)
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=without_method(name))

    @task(1)
    def a_row(self) -> None:
        """Something new."""
        self.write()


take_plan(RecoverPlan)
