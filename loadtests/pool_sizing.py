"""Everybody reads the front page at once, and again: how many connections is that worth?"""

from __future__ import annotations

from locust import constant, task

from harness.load.users import HarnessUser


class PoolSizing(HarnessUser):
    """A reader who never pauses, so that a sweep over pool sizes sees what each of them gives."""

    probe = "pool_sizing"
    wait_time = constant(0)

    @task
    def front_page(self) -> None:
        """The newest posts, with authors and tags."""
        self.get("/posts?limit=10")
