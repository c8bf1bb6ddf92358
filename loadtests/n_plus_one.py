"""Readers ask for larger and larger pages: a page costs as many statements as any other."""

from __future__ import annotations

from locust import constant, task

from harness.load.users import HarnessUser


class NPlusOne(HarnessUser):
    """A reader who takes as many posts, people and todos at a time as the run says."""

    probe = "n_plus_one"
    wait_time = constant(0.01)

    @task
    def posts(self) -> None:
        """Posts with their authors and tags."""
        self.get("/posts?limit={size}", size=self.page_size)

    @task
    def people(self) -> None:
        """The users."""
        self.get("/users?limit={size}", size=self.page_size)

    @task
    def products(self) -> None:
        """What is for sale."""
        self.get("/products?limit={size}", size=self.page_size)
