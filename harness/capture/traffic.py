"""What clients and pools saw under load: the frozen facts that verdicts and reports rest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Distribution",
    "ExhaustionStory",
    "LoadStory",
    "Outcome",
    "PoolRow",
    "RequestOutcome",
    "RouteRow",
]


class Outcome(StrEnum):
    """How a request ended, as its client sees it."""

    OK = "ok"
    SHED = "shed"
    """503: the application said that it is full."""
    ERROR = "error"
    """Another 5xx; or a connection that was refused or closed before anybody gave up, as uvicorn
    closes those that it kept after an exception that nobody caught."""
    REFUSED = "refused"
    """4xx."""
    HANG = "hang"
    """No answer before the client gave up."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram of durations: cumulative questions are answered by whoever measured."""

    count: int
    mean_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    max_seconds: float
    bounds_seconds: tuple[float, ...] = ()
    """Upper bounds of the buckets, ascending."""
    counts: tuple[int, ...] = ()
    """As many as `bounds_seconds`."""


@dataclass(frozen=True, slots=True)
class RouteRow:
    """What the clients saw of one route under load."""

    route: str
    requests: int
    failures: int
    latency: Distribution
    statements_per_request: float | None
    """As counted in the application; None where the probe did not see the route."""
    failed: tuple[tuple[str, int], ...] = ()
    """What came in place of a good answer, ``"404"`` or in words, and how often."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A connection pool of the application under load."""

    name: str
    """``class(size+overflow)@database``."""
    size: int
    max_overflow: int
    checkouts: int
    timeouts: int
    peak_checked_out: int
    peak_waiting: int
    checked_out_at_rest: int
    """Connections still out after the load had ended: leaked ones."""
    wait: Distribution
    hold: Distribution


@dataclass(frozen=True, slots=True)
class LoadStory:
    """The steady load and what it did to routes and pools."""

    users: int
    seconds: float
    requests: int
    failures: int
    requests_per_second: float
    routes: tuple[RouteRow, ...]
    pools: tuple[PoolRow, ...]


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """One request of the exhaustion step."""

    offset_seconds: float
    """Start of the request after the start of the load."""
    seconds: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ExhaustionStory:
    """A pool run dry on purpose: what the clients saw, and the way back."""

    users: int
    pool_capacity: int
    """pool_size + max_overflow."""
    pool_timeout_seconds: float
    blocked_from_seconds: float
    """Offset at which every statement began to block."""
    blocked_until_seconds: float
    outcomes: tuple[RequestOutcome, ...]
    recovery_seconds: float | None
    """From the end of the block until five answers in a row were good; None: not while watched."""
    without_database: Distribution | None = None
    """Latency of a route that uses no database, while the pool was dry; None where none was
    asked."""
    hold_seconds: float | None = None
    """Mean hold time per request without load."""
    served_wait: Distribution | None = None
    """Wait for a connection of the requests that were served while the pool was dry."""
    log_bytes: int | None = None
    """Of what the application wrote to its log since the users came, the part that is laid to these
    requests: their share of all failures."""
    checked_out_at_rest: int | None = None
    """Connections still out when all clients had left; None where nobody looked."""
    has_served_while_dry: bool = False
    """Whether statements still ran while the pool was dry: too many users, not blocked tables."""
