"""The counts of one route, in constant memory."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from harness.capture.histogram import Histogram
from harness.capture.routing import endpoint_line
from harness.capture.source import SourceMap
from harness.capture.usage import Usage
from harness.findings import SourceLine

__all__ = ["NOTED_AT_FIRST", "RouteCounts", "levels_json", "line_json"]

_MOST_PENDING = 64
NOTED_AT_FIRST = 64
"""Checkouts of a route whose lines are noted before it has shown that they come back."""


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
    busy_seconds: float = 0.0
    statuses: Counter[int | None] = field(default_factory=Counter)
    seconds: Histogram = field(default_factory=Histogram)
    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    lines_wanted: int = NOTED_AT_FIRST
    """Of how many checkouts to come the line is to be noted that asks for them."""
    active: int = 0
    """Requests under way that have asked for a connection, or begun to answer."""
    concurrency: Counter[int] = field(default_factory=Counter)
    """By number of requests under way at once: those that made it so many."""
    held_at_once: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By pool, and connections of it that one request held at most: requests."""
    _entered: list[int] = field(default_factory=list)
    """How many were under way after each request that came and is not in the counts yet."""
    _left: list[tuple[int | None, float, Usage]] = field(default_factory=list)
    """Status, seconds and usage of requests that are over, and not in the counts yet."""
    _waits: list[float] = field(default_factory=list)
    """Of checkouts that are not in the histograms yet."""
    _holds: list[float] = field(default_factory=list)

    def suspect(self) -> None:
        """A connection did not come back in time: from now on all lines are wanted."""
        self.lines_wanted = sys.maxsize

    def enter(self) -> None:
        """One more is under way."""
        self.active = active = self.active + 1
        self._entered.append(active)

    def leave(self, status: int | None, seconds: float, usage: Usage) -> None:
        """One is over, and this is what it has used."""
        self.active -= 1
        self._left.append((status, seconds, usage))
        if len(self._left) > _MOST_PENDING:
            self.count_up()

    def take_back(self, wait_seconds: float, hold_seconds: float) -> None:
        """A connection that was waited for and held so long is back."""
        self.checkouts += 1
        self._waits.append(wait_seconds)
        self._holds.append(hold_seconds)
        if len(self._holds) > _MOST_PENDING:
            self.count_up()

    def go_without(self, waited_seconds: float) -> None:
        """A connection was waited for in vain."""
        self.wait.add(waited_seconds)

    def count_up(self) -> None:
        """Bring the counts up to date.

        Many at once take a tenth of the time: what runs once for a request is not in the
        processor's cache any more.
        """
        # Threads take turns before or after such a line, and before or after an `append`.
        entered, self._entered = self._entered, []
        left, self._left = self._left, []
        waits, self._waits = self._waits, []
        holds, self._holds = self._holds, []
        self.concurrency.update(entered)
        self.statuses.update([status for status, _, _ in left])
        self.seconds.add_all([seconds for _, seconds, _ in left])
        self._add([usage for _, _, usage in left])
        self.wait.add_all(waits)
        self.hold.add_all(holds)

    def _add(self, usages: Sequence[Usage]) -> None:
        self.requests += len(usages)
        for usage in usages:
            self.statements += usage.statements
            self.round_trips += usage.round_trips
            self.busy_seconds += usage.busy_seconds
            self.shared_sessions += usage.shared_sessions
        held = [(usage.pool, usage.held_at_once) for usage in usages if usage.held_at_once]
        self.held_at_once.update(held)

    def as_json(self, source: SourceMap) -> dict[str, Any]:
        """See ``docs/reference/status.md`` for each field."""
        self.count_up()

        def described(code: CodeType) -> SourceLine:
            return source.definition(code)

        return {
            "requests": self.requests,
            "statements": self.statements,
            "round_trips": self.round_trips,
            "statuses": {
                "raised" if status is None else str(status): times
                for status, times in self.statuses.items()
            },
            "seconds": self.seconds.as_json(),
            "active": self.active,
            "concurrency": levels_json(self.concurrency),
            "checkouts": self.checkouts,
            "wait": self.wait.as_json(),
            "hold": self.hold.as_json(),
            "busy_seconds": self.busy_seconds,
            "held_at_once": self._held_json(),
            "shared_sessions": self.shared_sessions,
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
