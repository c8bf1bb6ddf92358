"""The user that scenarios subclass; importing this module registers the harness with Locust."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from locust import FastHttpUser, constant
from locust.env import Environment

from harness.load import listeners
from harness.load.options import DEFAULT_PAGE_SIZE
from harness.load.sending_headers import overruled
from harness.load.target import headers_sent

__all__ = ["HarnessUser"]

listeners.register()


class HarnessUser(FastHttpUser):
    """A user whose requests are grouped by route template, as the application counts them.

    With ``--arrival-rate`` its tasks begin when arrivals are due, and `wait_time` is not asked.
    """

    abstract = True
    probe: ClassVar[str] = "browse"
    """Which one is held with this traffic, where a headless run says neither users nor time."""
    wait_time = constant(0)
    network_timeout = 10.0
    """Seconds; a request that takes longer counts as one without an answer."""
    connection_timeout = 10.0

    def __init__(self, environment: Environment) -> None:
        self.default_headers = overruled(self.default_headers or {}, headers_sent(environment))
        super().__init__(environment)
        self._due_seconds: float | None = None
        options = environment.parsed_options
        if options is not None and options.arrival_rate:
            self.wait_time = self._until_next_arrival  # type: ignore[method-assign] # per user

    def on_start(self) -> None:
        """Wait for the first arrival; a subclass that has one of its own calls this."""
        if self.wait_time == self._until_next_arrival:
            self.wait()

    def context(self) -> dict[str, Any]:
        """How late the task began, for its first request."""
        if self._due_seconds is None:
            return {}
        late_seconds = time.monotonic() - self._due_seconds
        self._due_seconds = None
        return {"harness_late_seconds": max(0.0, late_seconds)}

    @property
    def page_size(self) -> int:
        """How many items to ask for, where the route has pages: what ``--page-size`` says."""
        options = self.environment.parsed_options
        return int(options.page_size) if options is not None else DEFAULT_PAGE_SIZE

    def get(self, template: str, **values: object) -> None:
        """Request a route.

        Args:
            template: Its path, with a query where needed: ``"/posts/{post_id}?limit=20"``.
            values: For the placeholders.
        """
        self.client.get(template.format(**values), name=template.partition("?")[0])

    def _until_next_arrival(self) -> float:
        arrivals = listeners.session_of().run.arrivals
        if arrivals is None:
            return 0.0
        now_seconds = time.monotonic()
        self._due_seconds = arrivals.take(now_seconds)
        return max(0.0, self._due_seconds - now_seconds)
