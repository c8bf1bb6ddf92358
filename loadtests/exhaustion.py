"""The evening rush: everybody asks for orders and their totals, and nobody pauses."""

from __future__ import annotations

from locust import constant, task

from harness.load.users import HarnessUser


class Exhaustion(HarnessUser):
    """A clerk who reloads as soon as the page is there."""

    probe = "exhaustion"
    wait_time = constant(0)

    @task(3)
    def orders(self) -> None:
        """The newest orders, with their lines."""
        self.get("/orders?limit=50")

    @task(1)
    def best_sellers(self) -> None:
        """The products that sell best."""
        self.get("/reports/best-sellers")
