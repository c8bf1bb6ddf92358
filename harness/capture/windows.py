"""What one stretch of load looked like from every side: the facts that verdicts on load rest on.

A window is the difference of two readings: of the probe's counts in every process of the
application, of what the clients saw, of what the database server was doing, and of what the machine
had left. Whether that is good or bad is for checks to say; a window recorded once can be judged
again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from harness.capture.traffic import Distribution
from harness.findings import SourceLine

__all__ = [
    "ClientWindow",
    "LoadWindow",
    "LoopWindow",
    "MachineWindow",
    "OutstandingCheckout",
    "PoolWindow",
    "Reading",
    "RouteWindow",
    "ServerWindow",
    "Stall",
    "StallCause",
    "UnreadProcess",
]

_NOTHING = Distribution(0, 0.0, 0.0, 0.0, 0.0, 0.0)


class StallCause(StrEnum):
    """What an event loop did while it served nobody, by the stacks that were seen."""

    POOL_WAIT = "pool-wait"
    """It waited for a connection of a sync pool."""
    SYNC_SQL = "sync-sql"
    """It waited for the answer of a sync driver."""
    OTHER = "other"
    """Code ran, or the process was not scheduled."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Stretches in which an event loop served nobody, from one place."""

    cause: StallCause
    count: int
    seconds: float
    """Of all of them together."""
    longest_seconds: float
    route: str
    """The route on whose behalf it ran; empty where unknown."""
    site: SourceLine | None
    """The innermost line of the user's code; None where none was on the stack."""
    lag_p99_seconds: float | None = None
    """How late its own loop was, all together; None where only one is known."""


@dataclass(frozen=True, slots=True)
class LoopWindow:
    """The event loops of all processes."""

    lag: Distribution = _NOTHING
    """How late a loop was to do what was due: that of the latest one."""
    stalls: tuple[Stall, ...] = ()
    """Of every loop, by place: one place may be there once for each process."""


@dataclass(frozen=True, slots=True)
class OutstandingCheckout:
    """A connection that was out at the end of a window, when no request was being answered."""

    pool: str
    route: str
    """Of the request that took it; empty for none."""
    has_request_ended: bool
    is_owner_running: bool
    """Whether the task that took it still runs."""
    age_seconds: float
    site: SourceLine | None
    """The line that took it."""


@dataclass(frozen=True, slots=True)
class PoolWindow:
    """One connection pool of one process."""

    name: str
    size: int | None
    """None for a pool without a size (NullPool)."""
    max_overflow: int | None
    timeout_seconds: float | None
    checkouts: int
    timeouts: int
    creations: int
    """New connections, to the server."""
    reclaimed: int
    """Connections that the garbage collector gave back: leaked ones."""
    peak_checked_out: int
    peak_waiting: int
    waiting_share: float
    """Share of the time (0 to 1) in which somebody waited."""
    wait: Distribution
    hold: Distribution
    busy_seconds: float
    """Of all hold times together, the part in which SQL ran, as the application saw it."""
    closed: int | None = None
    """Connections that ended, or that the pool gave away; None where nobody counted."""

    @property
    def capacity(self) -> int | None:
        """Connections that can be out at once; None without a bound."""
        if self.size is None or self.max_overflow is None or self.max_overflow < 0:
            return None
        return self.size + self.max_overflow


@dataclass(frozen=True, slots=True)
class RouteWindow:
    """One route, in all processes together."""

    route: str
    requests: int
    statements: int
    errors: int
    """Answers of 5xx but 503, and requests that ended in an exception."""
    shed: int
    """Answers of 503."""
    seconds: Distribution
    wait: Distribution
    """For connections."""
    hold: Distribution
    busy_seconds: float
    held_at_once: int
    """Connections of one pool that one of its requests had out at the same time, at most."""
    peak_concurrency: int
    """Requests to it that were being answered at the same time in one process, at most."""
    shared_sessions: int = 0
    """Times that a session was used by two of its requests, or tasks, at once."""
    pool: str = ""
    """Name of the pool that `held_at_once` is about; empty where nobody noted it."""
    endpoint: SourceLine | None = None


@dataclass(frozen=True, slots=True)
class ClientWindow:
    """What the generator of the load saw."""

    users: int
    requests: int
    ok: int
    """Answers of 2xx and 3xx."""
    shed: int
    errors: int
    refused: int
    """4xx, of which 429 is what a rate limit answers."""
    hung: int
    """No answer within the client's own time limit."""
    latency: Distribution
    """Of good answers."""
    target_rate: float | None = None
    """Arrivals a second where they are scheduled (open model); None where users wait (closed)."""
    dropped: int = 0
    """Arrivals that the generator did not get to send in time."""
    rates: tuple[float, ...] = ()
    """Good answers in each whole second."""
    redirects: int = 0
    """Of the good answers those of 3xx."""
    rate_limited: int = 0
    """Of the refused ones those of 429."""
    transport_failures: int = 0
    """Requests that no answer came to for reasons of the network: refused, reset, not resolved."""
    timeout_seconds: float | None = None
    """After which the client, or a proxy in front of the application, gives up; None: unknown."""


@dataclass(frozen=True, slots=True)
class ServerWindow:
    """What the connections of the application did, as sampled from ``pg_stat_activity``."""

    samples: int
    active: float
    """Mean number of connections that executed a statement."""
    idle_in_transaction: float
    """Mean number that had a transaction open and executed nothing."""
    idle: float
    lock_waiting: float
    """Mean number that waited for a lock."""
    others: float
    """Mean number of connections of other programs."""
    max_connections: int
    reserved_connections: int
    longest_idle_in_transaction_seconds: float = 0.0
    statement_timeout_seconds: float | None = None
    """As set for the application's role; 0 for none, None where nobody asked."""

    @property
    def duty(self) -> float | None:
        """Share of the connections in use that executed (0 to 1); None if none was in use."""
        used = self.active + self.idle_in_transaction
        return self.active / used if used else None


@dataclass(frozen=True, slots=True)
class MachineWindow:
    """What ran beside the application; shares of one core."""

    cores: int
    generator_cpu: float
    """Of the busiest process of the generator: above 0.9 it is the limit."""
    foreign_cpu: float
    """Of processes that do not belong to the measurement, and what the hypervisor took."""
    participants_cpu: float | None = None
    """Of all processes of the measurement together: application, generator, bench and server. None
    where nobody added it up."""
    server_cpu: float | None = None
    """Of the PostgreSQL server; None where its processes are not to be seen, as on another
    machine."""


class Reading(StrEnum):
    """One of the moments at which each process is asked for its counts, in their order."""

    BEGINNING = "beginning"
    END = "end"
    REST = "rest"
    """When all clients had left, and connections had had time to come back."""


@dataclass(frozen=True, slots=True)
class UnreadProcess:
    """A process of the application that did not tell its counts at one of these moments."""

    pid: int | None
    """None where nobody knows who should have answered: at a port that several share."""
    reading: Reading
    """The first that is missing. Without the first two nothing that it did is in the figures;
    without the last, what it had out at rest is not."""
    why: str


@dataclass(frozen=True, slots=True)
class LoadWindow:
    """One stretch of load."""

    seconds: float
    processes: int
    """Of the application."""
    process_cpu: float
    """CPU seconds per second of the busiest process of the application."""
    cpu_seconds: float
    """Of all its processes, in the window."""
    client: ClientWindow
    pools: tuple[PoolWindow, ...] = ()
    routes: tuple[RouteWindow, ...] = ()
    loop: LoopWindow = field(default_factory=LoopWindow)
    server: ServerWindow | None = None
    """None where the database is not ours to look into."""
    machine: MachineWindow | None = None
    outstanding: tuple[OutstandingCheckout, ...] = ()
    """Connections that were out after the window, when all clients had left."""
    thread_limit: int | None = None
    """Threads that `def` endpoints share; None where unknown."""
    peak_threads_waiting: int = 0
    """Requests that waited for one of these threads."""
    unread: tuple[UnreadProcess, ...] = ()
    """Processes that all these figures lack, or `outstanding` alone."""
