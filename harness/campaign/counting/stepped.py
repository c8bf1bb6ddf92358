"""Counts of what does not know routes: looked at after each request of the only user."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from harness.campaign.counting.counted import RouteCount
from harness.campaign.ground import Slice
from harness.campaign.steps import STEPPED, steps
from harness.campaign.traffic import Traffic

__all__ = ["Source", "SteppedCounter"]

_LISTEN_SECONDS = 0.3


class Source(Protocol):
    """What tells no routes."""

    name: str
    """For the report."""

    def take(self) -> Mapping[str, int]:
        """Executions by statement since the last time, once no more of them come."""
        ...

    def doubt(self, requests: int) -> str:
        """Why nothing can be said after so many requests; empty if something can."""
        ...


class SteppedCounter:
    """One request at a time; what the source has got meanwhile is that request's.

    Args:
        source: Where to look.
    """

    users: int | None = 1
    options: tuple[str, ...] = (STEPPED,)
    seconds_per_route = 0.2

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._counts: dict[str, RouteCount] = {}
        self._requests = 0
        self._others = 0

    def watch(self, running: Traffic) -> None:
        """Look after each request but the first, before which nobody has looked."""
        self._counts = {}
        for number, step in enumerate(steps(running)):
            ran = self._source.take()
            self._requests += 1
            if number:
                self._counts.setdefault(step.route, RouteCount()).add(ran)
                continue
            # The user waits for us: whatever comes now is somebody else's.
            time.sleep(_LISTEN_SECONDS)
            self._others += sum(self._source.take().values())

    def counted(self, measured: Slice) -> Mapping[str, RouteCount]:  # noqa: ARG002 - as the protocol has it
        """By route, as the user has named them."""
        return self._counts

    def doubt(self) -> str:
        """What the source says; or that somebody else was there."""
        if self._others:
            return f"{self._others} statements ran while nothing was requested: somebody else's"
        return self._source.doubt(self._requests)

    def gap(self) -> str:
        """A server and a log have what all processes ran."""
        return ""
