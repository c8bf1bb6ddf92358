"""Readers browse: mostly the front page of posts, now and then one post, the people, the tags."""

from __future__ import annotations

import random

from locust import between, task

from harness.load.users import HarnessUser


class Browse(HarnessUser):
    """A reader who looks at a page for a moment before the next."""

    wait_time = between(0.01, 0.05)

    @task(6)
    def front_page(self) -> None:
        """The newest posts, with authors and tags."""
        self.get("/posts?limit=10")

    @task(3)
    def one_post(self) -> None:
        """A post with its comments."""
        self.get("/posts/{post_id}", post_id=random.randint(1, 10))  # noqa: S311 - no secret

    @task(1)
    def people(self) -> None:
        """The users."""
        self.get("/users?limit=10")

    @task(1)
    def tags(self) -> None:
        """The tags."""
        self.get("/tags")
