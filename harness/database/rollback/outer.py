"""The one real transaction of a test: whose turn it is in there, and what to tell the server.

Pure bookkeeping, shared by the connections that are awaited and those that block: each takes the
decisions from here, and only waits and talks to the server in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from harness.database.rollback import conflicts
from harness.database.rollback.advice import Topic, advise
from harness.database.rollback.deferred import DeferredConstraints, undo_checkpoint
from harness.database.rollback.meaning import Meaning, Meanings
from harness.database.rollback.savepoints import Frame, SavepointStack
from harness.database.rollback.scopes import Scope
from harness.errors import SandboxConflictError
from harness.findings import SourceLine

__all__ = [
    "END_OF_TEST",
    "LOOK_AGAIN_SECONDS",
    "NO_TIMEOUT",
    "Ending",
    "OuterTransaction",
    "has_failed_before",
]

# The connection is in a transaction at all times, so that nothing that slips past us is committed.
# A session's advisory locks outlive its transactions, and this session outlives the test.
END_OF_TEST = "ROLLBACK; SELECT pg_advisory_unlock_all(); BEGIN"
# An application may ask for this time-out; here one transaction spans the test and the pause after
# it. Run outside of any transaction, so that it outlasts them all.
NO_TIMEOUT = "SET idle_in_transaction_session_timeout = 0"
LOOK_AGAIN_SECONDS = 0.05
"""A task or a thread that ends without ending its transaction tells nobody who waits for that."""
# Begun anew for the first statement of a test: `now()` is the time at which a transaction began.
_START = "ROLLBACK; BEGIN; "
_FAILED_TRANSACTION = "25P02"
_READ_ONLY = "harness_read_only"


def has_failed_before(error: BaseException) -> bool:
    """Whether the server refused a statement because of an earlier one's error."""
    # `sqlstate` in asyncpg and psycopg, `pgcode` in psycopg2.
    states = (getattr(error, name, None) for name in ("sqlstate", "pgcode"))
    return _FAILED_TRANSACTION in states


@dataclass(frozen=True, slots=True)
class Ending:
    """How a transaction of the application ends."""

    sql: str
    """To be run first; may be empty."""
    conflict: SandboxConflictError | None = None
    """To be raised afterwards."""
    if_refused: Callable[[], Ending] | None = None
    """What to do instead where the server raises: only a check of constraints can."""
    probe: str = ""
    """SQL that raises where the violation is not this transaction's own."""


@dataclass(slots=True, eq=False)
class OuterTransaction:
    """What is open inside the real transaction of a test."""

    stack: SavepointStack = field(default_factory=SavepointStack)
    has_started: bool = False
    """Whether the current test has used it."""
    has_ddl: bool = False
    has_session_settings: bool = False
    """Whether a connection was set up by statements, which ends with the test."""
    has_waited: bool = False
    """Whether a transaction of the current test had to wait for another to end."""
    deferred: DeferredConstraints | None = None
    """None until they are needed."""
    has_raised: bool = False
    """Whether something raised since the transaction was last known to be sound."""
    _conflicts: list[SandboxConflictError] = field(default_factory=list)
    _has_settings: bool = False
    _meanings: Meanings = field(default_factory=Meanings)
    _scopes: dict[Frame, Scope | None] = field(default_factory=dict)

    def may_begin(self, scope: Scope | None) -> bool:
        """Whether a transaction may open now: inside the test's own, or the same scope's."""
        holder = self._scopes[self.stack.top] if self.stack.top is not None else None
        return holder is None or not holder.keeps_out(scope)

    def begin(
        self,
        scope: Scope | None,
        *,
        line: SourceLine | None = None,
        is_read_only: bool = False,
    ) -> tuple[Frame, str]:
        """Open a transaction.

        Args:
            scope: Whose it is.
            line: Of the user's code that begins it, for messages.
            is_read_only: Whether it refuses writes.

        Returns:
            The frame, and the SQL to run; `abandon` the frame if that fails.
        """
        start = "" if self.has_started else _START
        self.has_started = True
        frame, sql = self.stack.begin(_owner(scope, line))
        self._scopes[frame], frame.is_read_only = scope, is_read_only
        return frame, start + sql

    def abandon(self, frame: Frame) -> None:
        """Forget a transaction that the server never opened."""
        self.stack.frames.remove(frame)

    def end(self, frame: Frame, *, is_commit: bool, has_failed: bool) -> Ending:
        """Commit or roll back a transaction that `is_open`.

        Args:
            frame: The transaction.
            is_commit: Whether it was to be committed.
            has_failed: Whether the server would take nothing but a rollback of the newest one: it
                makes one of that one's COMMIT then, and says nothing.
        """
        stack, must_undo = self.stack, has_failed and frame is self.stack.top
        try:
            if is_commit and not must_undo:
                return self._commit(frame, can_check=not has_failed)
            return Ending(stack.rollback(frame, has_failed=must_undo))
        except SandboxConflictError as conflict:
            sql = stack.give_up(frame, has_failed=must_undo)
            return Ending(sql, self._remembered(conflict))

    @property
    def is_outdated(self) -> bool:
        """Whether the next test needs new virtual connections.

        What is prepared may be stale, or a listener of the pool has to set them up anew.
        """
        return self.has_ddl or self.has_session_settings

    def needs_catalog(self, frame: Frame) -> bool:
        """Whether the constraints have to be asked for before a commit.

        Once per connection, and always where the test changes the schema: rolling that back to a
        savepoint of the application's own goes unseen.
        """
        return self._is_checked(frame) and (self.deferred is None or self.has_ddl)

    def _is_checked(self, frame: Frame) -> bool:
        return frame.has_written or frame.sets_constraints

    def _commit(self, frame: Frame, *, can_check: bool) -> Ending:
        deferred = self.deferred or DeferredConstraints()
        is_needed = self._is_checked(frame) and (deferred or frame.sets_constraints)
        if not (can_check and is_needed):
            return Ending(self.stack.commit(frame))
        undo, is_buried = self.stack.undoing(), frame is not self.stack.top
        released = self.stack.commit(frame)
        if is_buried:
            return Ending("; ".join(deferred.check_of_buried()), if_refused=self._refused_buried)
        # A role that was set may not be allowed to name the constraints, the connection's own is.
        again = deferred.defer_again()
        middle = [*frame.restoring(), *again] if again else []
        return Ending(
            "; ".join([*deferred.check(), *middle, released]),
            if_refused=lambda: self._refused(frame, undo),
        )

    def _refused(self, frame: Frame, undo: Callable[[], None]) -> Ending:
        undo()
        is_within = any(around.has_written for around in self.stack.frames if around is not frame)
        ending = self.end(frame, is_commit=False, has_failed=True)
        checks = (self.deferred or DeferredConstraints()).check_of_buried()
        return replace(ending, probe="; ".join(checks) if is_within else "")

    def _refused_buried(self) -> Ending:
        return Ending(undo_checkpoint(), self._remembered(conflicts.violated_inside()))

    def violated_around(self) -> SandboxConflictError:
        """The error of a commit that is refused for what a transaction around it has done."""
        return self._remembered(conflicts.violated_around(self._holder))

    def is_open(self, frame: Frame) -> bool:
        """Whether a transaction belongs to the current test and has not ended."""
        return frame in self.stack.frames

    def note(self, frame: Frame | None, sql: str, *, is_autocommit: bool = False) -> Meaning:
        """Note what kind of statement a transaction is about to run.

        Raises:
            SandboxConflictError: The transaction was begun in an earlier test.
            RefusedStatementError: It can run outside of transactions only, as it would have.
        """
        if frame is not None and not self.is_open(frame):
            raise self._remembered(conflicts.of_an_earlier_test(frame.owner))
        self.has_started = True
        meaning = self._meanings.of(sql)
        if is_autocommit and meaning.not_in_a_block:
            raise conflicts.not_in_a_block(meaning.not_in_a_block)
        self.has_ddl |= meaning.may_change_schema
        self.has_session_settings |= meaning.sets_session
        if frame is not None:
            self._note_in(frame, meaning)
        if meaning.topic is not None:
            advise(meaning.topic)
        return meaning

    def _note_in(self, frame: Frame, meaning: Meaning) -> None:
        if not meaning.is_read:
            self.stack.wrote(frame)
        if meaning.sets_constraints:
            frame.sets_constraints = True
        if meaning.locks_rows:
            others = (other.has_locked_rows for other in self.stack.frames if other is not frame)
            if any(others) or (self.has_waited and meaning.skips_locked):
                advise(Topic.ROW_LOCK)
            frame.has_locked_rows = True

    def around_statement(
        self, frame: Frame | None, meaning: Meaning, parameters: object
    ) -> tuple[str, str]:
        """What to run before a statement and after it, so that settings end with transactions."""
        if frame is None:
            return "", ""
        around = self._settings_around(frame, meaning, parameters)
        is_within = frame.is_read_only and not meaning.is_control
        return _read_only_within(*around) if is_within else around

    def _settings_around(
        self, frame: Frame, meaning: Meaning, parameters: object
    ) -> tuple[str, str]:
        if not (meaning.settings or self._has_settings):
            return "", ""
        before, after = self.stack.around_statement(frame)
        names = (mention.resolved(parameters) for mention in meaning.settings)
        kept = [frame.keeping(name) for name in names if name is not None]
        self._has_settings |= bool(kept)
        return "; ".join([*kept, *filter(None, [before])]), after

    def finish(self) -> bool:
        """Forget the test.

        Returns:
            Whether it changed the schema, so that what is prepared may be stale.
        """
        had_ddl = self.has_ddl
        self.stack, self._scopes = SavepointStack(), {}
        self.has_started = self.has_ddl = self.has_raised = self.has_waited = False
        self._has_settings = self.has_session_settings = False
        if had_ddl:
            self.deferred = None
        return had_ddl

    def take_conflicts(self) -> list[SandboxConflictError]:
        """The conflicts since the last call: an application may have swallowed them."""
        taken, self._conflicts = self._conflicts, []
        return taken

    def _remembered(self, conflict: SandboxConflictError) -> SandboxConflictError:
        self._conflicts.append(conflict)
        return conflict

    def waited_in_vain(
        self, scope: Scope | None, *, line: SourceLine | None, wait_seconds: float
    ) -> SandboxConflictError:
        """The error of a turn that did not come."""
        who = _owner(scope, line)
        return self._remembered(
            conflicts.waited_in_vain(who, holder=self._holder, wait_seconds=wait_seconds)
        )

    def begun_in_failed(self, frame: Frame) -> SandboxConflictError:
        """The error of a transaction that cannot open inside another, and forgets it."""
        self.abandon(frame)
        return self._remembered(conflicts.begun_in_failed(frame.owner, around=self._holder))

    @property
    def _holder(self) -> str:
        return self.stack.top.owner if self.stack.top else "the test"


def _read_only_within(before: str, after: str) -> tuple[str, str]:
    """Read only for the length of one statement: a transaction inside may write, and could not.

    PostgreSQL has no way back from READ ONLY but the end of the savepoint that it was set in.
    """
    begin = [f"SAVEPOINT {_READ_ONLY}", "SET TRANSACTION READ ONLY"]
    end = [f"RELEASE {_READ_ONLY}"]
    return "; ".join([*filter(None, [before]), *begin]), "; ".join([*end, *filter(None, [after])])


def _owner(scope: Scope | None, line: SourceLine | None) -> str:
    who = "the test" if scope is None else scope.who
    return who if line is None else f"{who} (begun at {line})"
