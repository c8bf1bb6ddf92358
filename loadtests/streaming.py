"""Somebody exports everything over a bad line, several times at once."""

from __future__ import annotations

from locust import task

from harness.load.slow_reader import SlowReader


class Streaming(SlowReader):
    """Reads an export as slowly as it comes."""

    probe = "streaming"

    @task
    def comments(self) -> None:
        """All comments."""
        self.get("/exports/comments")
