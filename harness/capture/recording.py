"""What happened, in order: the frozen records that capture produces and checks read.

Facts only. Whether forty round trips are too many is a check's question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.capture.fingerprint import Fingerprint
from harness.findings import SourceLine

__all__ = [
    "Cause",
    "Checkout",
    "Phase",
    "Recording",
    "RequestRecord",
    "RoundTrip",
    "Transaction",
]


class Cause(StrEnum):
    """Why SQLAlchemy ran a statement."""

    QUERY = "query"
    """An ORM SELECT that the application executed."""
    LAZY = "lazy"
    """A relationship loaded because its attribute was accessed."""
    LOADER = "loader"
    """A relationship loaded eagerly, by a loader strategy of another query."""
    RELOAD = "reload"
    """Columns of one instance loaded again: deferred, expired or refreshed."""
    WRITE = "write"
    """A flush, or an INSERT, UPDATE or DELETE."""
    CORE = "core"
    """A compiled statement without ORM entities."""
    RAW = "raw"
    """Text that the application wrote itself."""


class Phase(StrEnum):
    """What the framework was doing for the request while a statement ran."""

    HANDLER = "handler"
    DEPENDENCY = "dependency"
    SERIALISATION = "serialisation"
    AFTER_RESPONSE = "after-response"
    """Dependency teardown, background tasks, a streaming body."""
    LIFESPAN = "lifespan"
    """Start-up or shutdown of the application: no request's and no test's own work."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One cursor execution.

    Several of one `statement` are the batches that SQLAlchemy split a bulk INSERT into.
    """

    statement: int
    """Number of the logical statement within the process, ascending."""
    batch: int
    """0 for the first round trip of its statement."""
    database: str
    dialect: str
    """``postgresql+asyncpg``."""
    fingerprint: Fingerprint
    cause: Cause
    started_seconds: float
    """On the clock of `time.perf_counter`."""
    seconds: float
    has_failed: bool
    row_count: int
    """Rows returned or affected as the driver tells; -1 where it does not."""
    parameters_key: int
    """Equal for equal bind values within the process; the values themselves are not kept."""
    connection: int
    """Identifies the database connection within the process."""
    entity: str | None = None
    """Class that the statement selects, e.g. ``Post``."""
    relationship: str | None = None
    """Relationship that was loaded, e.g. ``User.posts``."""
    is_scalar_relationship: bool = False
    """Whether the relationship leads to one object."""
    parent_key: int | None = None
    """Identifies the parent object of a lazy load within the process."""
    parent_entity: str | None = None
    """Class at the root of the query that loaded the parent."""
    request: int | None = None
    """Number of the request it ran for; None outside of requests."""
    phase: Phase = Phase.UNKNOWN
    call_site: SourceLine | None = None
    """The innermost line of the user's code, up to the framework."""
    stack_key: int = 0
    """Equal for equal stacks of user code; 0 where no user code is on the stack."""
    transaction: int | None = None
    """Number of the transaction that it is part of; None in autocommit."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One HTTP request that the application answered."""

    number: int
    method: str
    path: str
    route: str
    """Template of the route including the prefix of mounts, e.g. ``/users/{user_id}``; the
    words ``(no route)`` where none matched."""
    status: int | None
    """None where the application raised instead of answering."""
    started_seconds: float
    seconds: float
    """Until the ASGI call returned: includes dependency teardown and background tasks."""
    endpoint: SourceLine | None = None
    """The function that handles the route."""
    answered_seconds: float | None = None
    """When the last part of the response was sent, on the clock of `time.perf_counter`."""

    @property
    def name(self) -> str:
        """``GET /users/{user_id}``."""
        return f"{self.method} {self.route}"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A connection leaving the pool and coming back."""

    pool: str
    wait_seconds: float
    """Asking until getting it, without making a new connection."""
    create_seconds: float
    """Making a new connection for it; 0 for a pooled one."""
    hold_seconds: float
    """Getting it until giving it back."""
    request: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of one connection, from BEGIN to COMMIT or ROLLBACK."""

    number: int
    request: int | None
    """The request that began it; None outside of requests."""
    began_seconds: float
    """On the clock of `time.perf_counter`."""
    ended_seconds: float
    is_committed: bool
    was_held_at_answer: bool = False
    """Whether, when the last part of the response was sent, it had written, or its session held
    changes that were not flushed."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything recorded between two moments."""

    round_trips: tuple[RoundTrip, ...] = ()
    requests: tuple[RequestRecord, ...] = ()
    checkouts: tuple[Checkout, ...] = ()
    transaction_controls: int = 0
    """SAVEPOINT, RELEASE and ROLLBACK TO; counted apart, never as statements."""
    transactions: tuple[Transaction, ...] = ()
    """Those that have ended."""

    @property
    def statements(self) -> Iterator[RoundTrip]:
        """The first round trip of every statement."""
        return (trip for trip in self.round_trips if trip.batch == 0)

    def of_request(self, number: int | None) -> Recording:
        """The part that ran for one request, or (None) outside of requests."""
        return Recording(
            round_trips=tuple(trip for trip in self.round_trips if trip.request == number),
            requests=tuple(item for item in self.requests if item.number == number),
            checkouts=tuple(item for item in self.checkouts if item.request == number),
            transactions=tuple(item for item in self.transactions if item.request == number),
        )
