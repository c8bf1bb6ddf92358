"""The same readers and writers for hours: what grows with every request shows in the end."""

from __future__ import annotations

from locust import constant_pacing, task

from harness.load.users import HarnessUser


class Soak(HarnessUser):
    """A reader that comes back again and again."""

    probe = "soak"
    wait_time = constant_pacing(0.05)

    @task(4)
    def front_page(self) -> None:
        """The newest posts, with authors and tags."""
        self.get("/posts?limit=10")

    @task(2)
    def products(self) -> None:
        """The products."""
        self.get("/products?limit=10")

    @task(1)
    def tags(self) -> None:
        """The tags."""
        self.get("/tags")
