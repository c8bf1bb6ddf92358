"""What an application was in the midst of when all its clients had left, and what became of it.

Facts alone, read from the probe's status several times a second. Apart from the windows of load,
which tell sums: here it is the order of things that counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.capture.growth import source_line
from harness.capture.windows import LoadWindow
from harness.findings import SourceLine

__all__ = ["Abandonment", "Glimpse", "HeldNow", "RouteAnswers", "glimpse_of"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeldNow:
    """A connection that is out."""

    route: str
    """Of the request that took it; empty for none."""
    age_seconds: float
    is_executing: bool
    has_request_ended: bool
    site: SourceLine | None
    """The line that took it."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One moment of all processes of an application."""

    at_seconds: float
    """On the machine-wide clock of `time.monotonic`."""
    active_requests: int
    held: tuple[HeldNow, ...]
    ended: Mapping[str, int] = field(default_factory=dict)
    """Requests by route, up to then. Which route one has that goes on, nobody knows who does not
    see it end."""

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is being worked on."""
        return not self.active_requests and not self.held


@dataclass(frozen=True, slots=True)
class RouteAnswers:
    """What one route answered to clients that waited."""

    route: str
    good_before: int
    """While others left."""
    good_after: int
    """When all had left."""
    failed_after: int


@dataclass(frozen=True, slots=True)
class Abandonment:
    """A load whose clients leave, and what came after it."""

    window: LoadWindow
    left: int
    """Requests whose client left before the answer, while others were there."""
    gone_seconds: float
    """When the last clients were told to leave, on the clock of the glimpses."""
    glimpses: tuple[Glimpse, ...]
    """Ascending."""
    answers: tuple[RouteAnswers, ...] = ()
    executing_after: int | None = None
    """Statements that the server still executed when the application was at rest; None: unknown."""

    @property
    def left_in_flight(self) -> int:
        """Requests that were being answered when the last clients left."""
        before = [item for item in self.glimpses if item.at_seconds < self.gone_seconds]
        return before[-1].active_requests if before else 0

    @property
    def left_in_all(self) -> int:
        """Requests whose client left before the answer, whoever was the last to do so."""
        return self.left + self.left_in_flight

    @property
    def aftermath(self) -> tuple[Glimpse, ...]:
        """The glimpses of the time after."""
        return tuple(item for item in self.glimpses if item.at_seconds >= self.gone_seconds)


def glimpse_of(statuses: Iterable[Json], *, at_seconds: float) -> Glimpse:
    """One moment, from the status of each process."""
    told = tuple(statuses)
    ended = Counter[str]()
    for status in told:
        ended.update({name: route["requests"] for name, route in status["routes"].items()})
    return Glimpse(
        at_seconds=at_seconds,
        active_requests=sum(status["active_requests"] for status in told),
        held=tuple(_held(item) for status in told for item in status["outstanding"]),
        ended=ended,
    )


def _held(told: Json) -> HeldNow:
    return HeldNow(
        route=told["route"],
        age_seconds=told["age_seconds"],
        is_executing=told["is_executing"],
        has_request_ended=told["has_request_ended"],
        site=source_line(told["site"]),
    )
