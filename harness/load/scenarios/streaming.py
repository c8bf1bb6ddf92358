"""Slow readers of streams, more of them than there are connections.

Which streams is for ``--plan`` to say; else the routes of the application's OpenAPI document that
need no value and answer with something else than JSON.
"""

from __future__ import annotations

import random
from typing import ClassVar

from locust import task

from harness.load.planned import take_plan
from harness.load.routes import Plan
from harness.load.slow_reader import SlowReader
from harness.load.streams import streams_of


class ReadPlan(SlowReader):
    """Reads the streams of the plan slowly, in random order."""

    probe = "streaming"
    plan: ClassVar[Plan] = ()

    @task
    def any_stream(self) -> None:
        """One of the streams."""
        name, path = random.choice(self.plan)  # noqa: S311 - no secret
        self.visit(name, path)


take_plan(ReadPlan, choose=streams_of)
