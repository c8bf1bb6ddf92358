"""What every way of counting gives, and how the probe uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.campaign.ground import Slice
from harness.campaign.traffic import Traffic

__all__ = ["RouteCount", "StatementCounter"]


@dataclass(slots=True)
class RouteCount:
    """What requests to one route ran."""

    requests: int = 0
    statements: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    """Executions by statement, where they are known."""

    def add(self, ran: Mapping[str, int]) -> None:
        """Count one request.

        Args:
            ran: Its executions by statement.
        """
        self.requests += 1
        self.statements += sum(ran.values())
        self.shapes.update(ran)


class StatementCounter(Protocol):
    """One way of counting."""

    name: str
    """For the report: who counted."""
    users: int | None
    """How many it can tell apart; None for any number."""
    options: tuple[str, ...]
    """For Locust."""
    seconds_per_route: float
    """What a stretch of load needs for each route."""

    def watch(self, running: Traffic) -> None:
        """Called while a stretch of load goes on; returns at its end, or earlier."""
        ...

    def counted(self, measured: Slice) -> Mapping[str, RouteCount]:
        """By route what its requests ran in a stretch of load that has ended."""
        ...

    def doubt(self) -> str:
        """Why nothing can be said by these counts; empty if something can."""
        ...

    def gap(self) -> str:
        """What they lack, so that what they do not show may have been; empty for nothing."""
        ...
