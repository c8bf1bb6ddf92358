"""A steady mix of whatever a plan lists: each route as often as any other."""

from __future__ import annotations

import json
import random
from pathlib import Path

from locust import between, events, task
from locust.env import Environment

from harness.load.users import HarnessUser


class BrowsePlan(HarnessUser):
    """Requests the routes of ``--plan`` in random order."""

    wait_time = between(0.01, 0.05)
    plan: tuple[tuple[str, str], ...] = ()
    """Route and path, e.g. ``("GET /users/{user_id}", "/users/1")``."""

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=name)


@events.init.add_listener
def read_plan(environment: Environment, **_: object) -> None:
    """Take the plan once the options are known."""
    options = environment.parsed_options
    if options is not None and options.plan:
        rows = json.loads(Path(options.plan).read_text(encoding="utf-8"))
        BrowsePlan.plan = tuple((row[0], row[1]) for row in rows)
