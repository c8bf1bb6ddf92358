"""Readers and writers go on while the database is restarted, cut off, full: nothing gets lost."""

from __future__ import annotations

from locust import between, task

from harness.load.writers import HarnessWriter


class Recovery(HarnessWriter):
    """Somebody who looks at posts and todos, and notes what to do."""

    probe = "recovery"
    wait_time = between(0.01, 0.05)

    @task(2)
    def front_page(self) -> None:
        """The newest posts, with authors and tags."""
        self.get("/posts?limit=10")

    @task(1)
    def todos(self) -> None:
        """What there is to do."""
        self.get("/todos?limit=10")

    @task(2)
    def note(self) -> None:
        """Something to do, under a title of its own."""
        self.write("/todos", '{"owner_id": 1, "title": "{key}"}')
