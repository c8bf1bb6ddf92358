"""Pages and rows grow: does a request run more statements the more it returns?

The routes of ``--plan`` in turn, so that each is requested equally often; else those of the
application's OpenAPI document that need no value.
"""

from __future__ import annotations

from itertools import count
from typing import ClassVar

from locust import constant, task
from locust.env import Environment

from harness.load.planned import take_plan
from harness.load.routes import Plan, without_method
from harness.load.users import HarnessUser


class NPlusOnePlan(HarnessUser):
    """Requests one route of the plan after the other."""

    probe = "n_plus_one"
    wait_time = constant(0.01)
    plan: ClassVar[Plan] = ()

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        # Not all users begin with the same route.
        self._turn = count(environment.runner.user_count if environment.runner is not None else 0)

    @task
    def next_route(self) -> None:
        """The next of the routes."""
        name, path = self.plan[next(self._turn) % len(self.plan)]
        self.client.get(path, name=without_method(name))


take_plan(NPlusOnePlan)
