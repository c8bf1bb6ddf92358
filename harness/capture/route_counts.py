"""The counts of one route, in constant memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from harness.capture.histogram import Histogram
from harness.capture.requests import ActiveRequest
from harness.capture.routing import endpoint_line
from harness.capture.source import SourceMap
from harness.capture.usage import Usage
from harness.findings import SourceLine

__all__ = ["RouteCounts", "levels_json", "line_json"]

_MOST_LEFT = 64


@dataclass(slots=True, eq=False)
class RouteCounts:
    """What the requests to one route did; all of it only grows, but `active`."""

    endpoint: object = None
    """The function that answers."""
    requests: int = 0
    statements: int = 0
    round_trips: int = 0
    checkouts: int = 0
    shared_sessions: int = 0
    implicit_rollbacks: int = 0
    busy_seconds: float = 0.0
    statuses: Counter[int | str] = field(default_factory=Counter)
    seconds: Histogram = field(default_factory=Histogram)
    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    active: int = 0
    """Requests under way that have asked for a connection, or begun to answer."""
    concurrency: Counter[int] = field(default_factory=Counter)
    """By number of requests under way at once: those that made it so many."""
    held_at_once: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By pool, and connections of it that one request held at most: requests."""
    _left: list[tuple[int | str, int, int, float, Usage]] = field(default_factory=list)
    """Status, statements, round trips, seconds and usage of requests that are not counted yet."""

    def enter(self) -> None:
        """One more is under way."""
        self.active += 1
        self.concurrency[self.active] += 1

    def leave(self, request: ActiveRequest, seconds: float) -> None:
        """One is over. It is counted with others: code that has just run takes half as long."""
        self.active -= 1
        status, statements = request.status or "raised", request.statements
        self._left.append((status, statements, request.round_trips, seconds, request.usage))
        if len(self._left) > _MOST_LEFT:
            self.count_those_that_left()

    def count_those_that_left(self) -> None:
        """Bring the counts up to date."""
        left, self._left = self._left, []
        for status, statements, round_trips, seconds, usage in left:
            self.requests += 1
            self.statements += statements
            self.round_trips += round_trips
            self.statuses[status] += 1
            self.seconds.add(seconds)
            if usage.held_at_once:
                self.held_at_once[usage.pool, usage.held_at_once] += 1
            self.take(usage)

    def take(self, usage: Usage) -> None:
        """Move what a request has used so far to its route."""
        self.busy_seconds += usage.busy_seconds
        usage.busy_seconds = 0.0
        if usage.shared_sessions or usage.implicit_rollbacks:
            self.shared_sessions += usage.shared_sessions
            self.implicit_rollbacks += usage.implicit_rollbacks
            usage.shared_sessions = usage.implicit_rollbacks = 0
        if usage.holds:
            for wait_seconds, hold_seconds in usage.holds:
                self.checkouts += 1
                self.wait.add(wait_seconds)
                self.hold.add(hold_seconds)
            usage.holds.clear()
        if usage.waits:
            for wait_seconds in usage.waits:
                self.wait.add(wait_seconds)
            usage.waits.clear()

    def as_json(self, source: SourceMap) -> dict[str, Any]:
        """See ``docs/reference/status.md`` for each field."""
        self.count_those_that_left()

        def described(code: CodeType) -> SourceLine:
            return source.definition(code)

        return {
            "requests": self.requests,
            "statements": self.statements,
            "round_trips": self.round_trips,
            "statuses": {str(status): times for status, times in self.statuses.items()},
            "seconds": self.seconds.as_json(),
            "active": self.active,
            "concurrency": levels_json(self.concurrency),
            "checkouts": self.checkouts,
            "wait": self.wait.as_json(),
            "hold": self.hold.as_json(),
            "busy_seconds": self.busy_seconds,
            "held_at_once": self._held_json(),
            "shared_sessions": self.shared_sessions,
            "implicit_rollbacks": self.implicit_rollbacks,
            "endpoint": line_json(endpoint_line(self.endpoint, described)),
        }

    def _held_json(self) -> dict[str, dict[str, int]]:
        by_pool: dict[str, dict[str, int]] = {}
        for (pool, held), requests in sorted(self.held_at_once.items()):
            by_pool.setdefault(pool, {})[str(held)] = requests
        return by_pool


def line_json(line: SourceLine | None) -> dict[str, Any] | None:
    """A line of code by its place; its text stays here: it may have a literal in it."""
    if line is None:
        return None
    return {"path": line.path, "line": line.line, "function": line.function}


def levels_json(levels: Counter[int]) -> dict[str, int]:
    """How often each level was reached; the peak of a stretch is the highest that has grown."""
    return {str(level): times for level, times in sorted(levels.items())}
