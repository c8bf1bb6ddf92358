"""What happened, in order: the frozen records that capture produces and checks read.

Facts only. Whether forty round trips are too many is a check's question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.capture.round_trip import Cause, Phase, RoundTrip
from harness.errors import BlindRecorderError
from harness.findings import SourceLine

__all__ = [
    "Cause",
    "Checkout",
    "Phase",
    "Recording",
    "Refusal",
    "RefusalReason",
    "RequestRecord",
    "RoundTrip",
    "Tally",
    "Transaction",
]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One HTTP request that the application answered, or one exchange on a WebSocket."""

    number: int
    method: str
    path: str
    route: str
    """Template of the route including the prefix of mounts, e.g. ``/users/{user_id}``; the
    words ``(no route)`` where none matched."""
    status: int | None
    """None where the application raised instead of answering; 101 on a socket that was accepted."""
    started_seconds: float
    seconds: float
    """Until the ASGI call returned: includes dependency teardown and background tasks."""
    endpoint: SourceLine | None = None
    """The function that handles the route."""
    answered_seconds: float | None = None
    """When the last part of the response was sent, on the clock of `time.perf_counter`."""
    socket: int | None = None
    """Number of the first exchange on the same WebSocket connection; None of HTTP."""

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
    held_at_once: int = 1
    """Connections that its request held when it got this one, this one included."""


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


class RefusalReason(StrEnum):
    """Why the ORM could not load what was accessed."""

    MISSING_GREENLET = "missing-greenlet"
    """The load would have waited for the database where nothing awaits."""
    DETACHED = "detached"
    """The object belongs to no session any more."""
    FORBIDDEN = "forbidden"
    """The mapping or the query says ``lazy="raise"``, or ``raiseload``."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attribute whose load was refused: no SQL ran, and the application got an exception."""

    reason: RefusalReason
    at_seconds: float
    """On the clock of `time.perf_counter`."""
    entity: str | None
    """Class of the object, e.g. ``User``; None where it is not an object's attribute."""
    attribute: str | None
    """The relationship or column, e.g. ``User.posts``; None where all of an object expired."""
    is_relationship: bool = False
    is_scalar: bool = False
    """Whether the relationship leads to one object."""
    parent_key: int | None = None
    """Identifies the object."""
    parent_entity: str | None = None
    """Class at the root of the query that loaded the object."""
    relationship_path: tuple[str, ...] = ()
    """From `parent_entity` to the attribute."""
    parent_statements: tuple[int, ...] = ()
    """Statements that can have loaded the object, newest first."""
    request: int | None = None
    phase: Phase = Phase.UNKNOWN
    call_site: SourceLine | None = None
    stack_key: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """Exact counts of one request, or (None) of what ran outside of requests."""

    request: int | None
    statements: int = 0
    round_trips: int = 0
    transaction_controls: int = 0
    """SAVEPOINT, RELEASE and ROLLBACK TO; never counted as statements."""
    kept: int = 0
    """Round trips that are described; fewer than `round_trips` where there were too many."""


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
    refusals: tuple[Refusal, ...] = ()
    tallies: tuple[Tally, ...] = ()
    """Exact where `round_trips` had to be cut short."""
    notices: tuple[str, ...] = ()
    """What could not be told apart, and why: an unknown version of SQLAlchemy, too many records."""
    failure: str = ""
    """The recorder's own first error. What came after it is counted, but not described: whoever
    judges such a recording must say so."""

    @property
    def statements(self) -> Iterator[RoundTrip]:
        """The first round trip of every statement."""
        return (trip for trip in self.round_trips if trip.batch == 0)

    @property
    def statement_count(self) -> int:
        """How many statements ran, described or not."""
        if self.tallies:
            return sum(tally.statements for tally in self.tallies)
        return sum(1 for _ in self.statements)

    @property
    def round_trip_count(self) -> int:
        """How many cursor executions there were, described or not."""
        if self.tallies:
            return sum(tally.round_trips for tally in self.tallies)
        return len(self.round_trips)

    @property
    def unattributed(self) -> Iterator[RoundTrip]:
        """What ran outside of any request, e.g. in threads that copied no context."""
        return (trip for trip in self.round_trips if trip.request is None)

    def complete(self) -> Recording:
        """Itself, for whoever lets a build pass or fail by it.

        Raises:
            BlindRecorderError: If the recorder failed: a gate that cannot see must not pass.
        """
        if self.failure:
            raise BlindRecorderError(
                f"the recorder failed; {self.statement_count} statements were counted, and of "
                f"{len(self.round_trips)} it is known what they were",
                where=self.failure,
                remedy="this is a fault of the harness, not of the application: please report it",
            )
        return self

    def of_request(self, number: int | None) -> Recording:
        """The part that ran for one request, or (None) outside of requests."""
        tallies = tuple(tally for tally in self.tallies if tally.request == number)
        return Recording(
            round_trips=tuple(trip for trip in self.round_trips if trip.request == number),
            requests=tuple(item for item in self.requests if item.number == number),
            checkouts=tuple(item for item in self.checkouts if item.request == number),
            transaction_controls=sum(tally.transaction_controls for tally in tallies),
            transactions=tuple(item for item in self.transactions if item.request == number),
            refusals=tuple(item for item in self.refusals if item.request == number),
            tallies=tallies,
            notices=self.notices,
            failure=self.failure,
        )
