"""Counts by the probe in the application, as its status tells them: by route, under any load."""

from __future__ import annotations

from collections.abc import Mapping

from harness.campaign.counting.counted import RouteCount
from harness.campaign.ground import Slice
from harness.campaign.traffic import Traffic
from harness.checks.load.validity import unread

__all__ = ["EventCounter"]


class EventCounter:
    """SQLAlchemy's events."""

    name = "SQLAlchemy's events in the application"
    users: int | None = None
    options: tuple[str, ...] = ()
    seconds_per_route = 0.03

    def __init__(self) -> None:
        self._gap = ""

    def watch(self, running: Traffic) -> None:
        """Nothing to do: the application counts."""

    def counted(self, measured: Slice) -> Mapping[str, RouteCount]:
        """The differences of its routes."""
        self._gap = self._gap or unread(measured.window)
        return {
            route.route: RouteCount(route.requests, route.statements)
            for route in measured.window.routes
        }

    def doubt(self) -> str:
        """None: it was asked for before (`Ground.require_probe`); what is missing is a `gap`."""
        return ""

    def gap(self) -> str:
        """A process whose counts are missing; the first one."""
        return self._gap
