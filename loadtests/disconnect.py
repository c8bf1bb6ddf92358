"""Readers leave: they close the tab while the front page is still being made."""

from __future__ import annotations

from locust import between, task

from harness.load.leaving import LeavingUser


class Disconnect(LeavingUser):
    """A reader without patience."""

    probe = "disconnect"
    wait_time = between(0.05, 0.15)

    @task(3)
    def front_page(self) -> None:
        """The newest posts, with authors and tags."""
        self.get("/posts?limit=50")

    @task(1)
    def report(self) -> None:
        """The products that sell best."""
        self.get("/reports/best-sellers")

    @task(1)
    def export(self) -> None:
        """All comments, as a stream: leaving cancels it in the middle."""
        self.get("/exports/comments")
