"""One cursor execution: all that is known of it, as a frozen record.

Apart from `recording`, which has what happened around it and puts all of it together: this is what
grows with every question that a check asks of a statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.capture.fingerprint import Fingerprint
from harness.findings import SourceLine

__all__ = ["Cause", "Phase", "RoundTrip"]


class Cause(StrEnum):
    """Why SQLAlchemy ran a statement."""

    QUERY = "query"
    """An ORM SELECT that the application executed."""
    GET = "get"
    """One object by its primary key: `Session.get` and its kin."""
    LAZY = "lazy"
    """A relationship loaded because its attribute was accessed."""
    LOADER = "loader"
    """A relationship loaded eagerly, by a loader strategy of another query."""
    DEFERRED = "deferred"
    """Columns of one instance that its query had left out."""
    EXPIRED = "expired"
    """Columns of one instance that a commit or the application had expired."""
    REFRESH = "refresh"
    """`Session.refresh`, whatever it was asked for."""
    FLUSH = "flush"
    """A write by which a session brought its objects to the database."""
    BULK = "bulk"
    """An INSERT, UPDATE or DELETE of a mapped class that the application executed."""
    CORE = "core"
    """A compiled statement without ORM entities."""
    RAW = "raw"
    """Text that the application wrote itself."""
    REFLECTION = "reflection"
    """A question about the schema, to the database's own catalogue."""


class Phase(StrEnum):
    """What the framework was doing for the request while a statement ran."""

    MIDDLEWARE = "middleware"
    """A middleware, before the response."""
    HANDLER = "handler"
    DEPENDENCY = "dependency"
    """A dependency, before the handler."""
    SERIALISATION = "serialisation"
    TEARDOWN = "teardown"
    """What a dependency does behind its `yield`."""
    BACKGROUND = "background"
    """A background task, after the response."""
    AFTER_RESPONSE = "after-response"
    """Anything else once the response was started: a streaming body."""
    LIFESPAN = "lifespan"
    """Start-up or shutdown of the application: no request's and no test's own work."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One cursor execution.

    Several of one `statement` are the batches that SQLAlchemy split a bulk INSERT into. Bind values
    are not kept: what is called a key is a hash with a secret of the process.
    """

    statement: int
    """Number of the logical statement within the recording, ascending as they ended."""
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
    """Rows returned or affected as the driver tells; -1 where it does not (SQLite)."""
    parameters_key: int
    """Equal for equal bind values, and literals of raw SQL, within the process."""
    connection: int
    """Number of the database connection within the process; never used again."""
    entity: str | None = None
    """Class that the statement selects or changes, e.g. ``Post``."""
    relationship: str | None = None
    """Relationship that was loaded, e.g. ``User.posts``."""
    is_scalar_relationship: bool = False
    """Whether the relationship leads to one object."""
    parent_key: int | None = None
    """Identifies the one object that it was run for, of a lazy load, an immediate load, a reload
    of columns or a refresh."""
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
    entities: tuple[str, ...] = ()
    """All classes that the SELECT returns."""
    relationship_path: tuple[str, ...] = ()
    """From `parent_entity` to `relationship`: ``("User.posts", "Post.comments")``; what an eager
    loader of the parents' query has to name."""
    parent_statements: tuple[int, ...] = ()
    """Statements of the same session that can have loaded the parent, newest first."""
    loaded_for: Cause | None = None
    """What the query was that an eager loader worked for: a refresh, or an ordinary query."""
    session: int | None = None
    """Number of the ORM session within the recording."""
    flush: int | None = None
    """Number of the flush that it is part of."""
    task: int | None = None
    """Number of the asyncio task within the recording; None in plain threads."""
    thread: str = ""
    """Name of the thread."""
    parameter_sets: int = 1
    """Rows of values that were sent with it: of an executemany, a batch or a VALUES list."""
    in_size: int = 0
    """Values of its longest IN list; 0 without one."""
    in_keys: tuple[int, ...] = ()
    """Keys of some values of that list: two lists that have keys in common overlap."""
    limit: int | None = None
    offset: int | None = None
    range_keys: tuple[int, ...] = ()
    """Stand for the values of ``<`` and ``>``, in the order of the statement, and compare as the
    values do: so a walk by key shows."""
    tenant_key: int = 0
    """Equal for equal schema translation and search path; 0 for neither."""
    is_streamed: bool = False
    """Whether its rows were fetched as they were asked for."""

    @property
    def is_limited(self) -> bool:
        """Whether the statement itself bounds how many rows it returns."""
        is_none = self.limit is not None and self.limit < 0  # SQLite's way to an OFFSET alone
        return self.fingerprint.is_limited and not is_none
