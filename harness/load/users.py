"""The user that scenarios subclass; importing this module registers the harness with Locust."""

from __future__ import annotations

from locust import FastHttpUser, constant

from harness.load import listeners

__all__ = ["HarnessUser"]

listeners.register()


class HarnessUser(FastHttpUser):
    """A user whose requests are grouped by route template, as the application counts them."""

    abstract = True
    wait_time = constant(0)
    network_timeout = 10.0
    """Seconds; a request that takes longer counts as one without an answer."""
    connection_timeout = 10.0

    def get(self, template: str, **values: object) -> None:
        """Request a route.

        Args:
            template: Its path, with a query where needed: ``"/posts/{post_id}?limit=20"``.
            values: For the placeholders.
        """
        name = f"GET {template.partition('?')[0]}"
        self.client.get(template.format(**values), name=name)
