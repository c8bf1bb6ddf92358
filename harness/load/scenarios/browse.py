"""A steady mix of GET routes: each route as often as any other.

Which ones is for ``--plan`` to say; else those of the application's OpenAPI document that need no
value.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from locust import between, events, task
from locust.env import Environment
from locust.exception import StopTest

from harness.load.routes import Plan, plan_of
from harness.load.users import HarnessUser


class BrowsePlan(HarnessUser):
    """Requests the routes of the plan in random order."""

    wait_time = between(0.01, 0.05)
    plan: Plan = ()
    planned_host: str = "unknown"
    """Whose routes they are."""

    @task
    def any_route(self) -> None:
        """One of the routes."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.client.get(path, name=name)


@events.init.add_listener
def read_plan_early(environment: Environment, **_: object) -> None:
    """Take the plan before the clock of a run begins; whoever knows no host yet cannot."""
    with suppress(StopTest):
        read_plan(environment)


@events.test_start.add_listener
def read_plan(environment: Environment, **_: object) -> None:
    """Take the plan of the host that is loaded, if it is not the one that is there."""
    options, host = environment.parsed_options, environment.host or ""
    if options is not None and options.plan:
        rows = json.loads(Path(options.plan).read_text(encoding="utf-8"))
        BrowsePlan.plan = tuple((row[0], row[1]) for row in rows)
    elif host != BrowsePlan.planned_host:
        BrowsePlan.plan = _plan_from(host)
        BrowsePlan.planned_host = host


def _plan_from(host: str) -> Plan:
    url = f"{host.rstrip('/')}/openapi.json"
    try:
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - the target, which is loaded anyway
            plan = plan_of(json.load(answer))
    except (URLError, OSError, ValueError) as error:
        raise StopTest(
            f"no routes to request: {url} cannot be read ({error}); give --plan"
        ) from error
    if not plan:
        raise StopTest(f"no routes to request: {url} has no GET without a value; give --plan")
    return plan
