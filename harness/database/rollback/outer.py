"""The one real transaction of a test: whose turn it is in there, and what to tell the server.

Pure bookkeeping, shared by the connections that are awaited and those that block: each takes the
decisions from here, and only waits and talks to the server in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.capture.requests import ActiveRequest
from harness.database.rollback.savepoints import (
    Frame,
    SavepointStack,
    is_read,
    may_change_schema,
)
from harness.errors import SandboxConflictError

__all__ = ["END_OF_TEST", "NO_TIMEOUT", "Ending", "OuterTransaction", "has_failed_before"]

# The connection is in a transaction at all times, so that nothing that slips past us is committed.
# A session's advisory locks outlive its transactions, and this session outlives the test.
END_OF_TEST = "ROLLBACK; SELECT pg_advisory_unlock_all(); BEGIN"
# An application may ask for this time-out; here one transaction spans the test and the pause after
# it. Run outside of any transaction, so that it outlasts them all.
NO_TIMEOUT = "SET idle_in_transaction_session_timeout = 0"
# Begun anew for the first statement of a test: `now()` is the time at which a transaction began.
_START = "ROLLBACK; BEGIN; "
_FAILED_TRANSACTION = "25P02"


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
    conflict: SandboxConflictError | None
    """To be raised afterwards."""


@dataclass(slots=True, eq=False)
class OuterTransaction:
    """What is open inside the real transaction of a test."""

    stack: SavepointStack = field(default_factory=SavepointStack)
    has_started: bool = False
    """Whether the current test has used it."""
    has_ddl: bool = False
    has_raised: bool = False
    """Whether something raised since the transaction was last known to be sound."""
    _requests: dict[Frame, ActiveRequest | None] = field(default_factory=dict)

    def may_begin(self, request: ActiveRequest | None) -> bool:
        """Whether a transaction may open now: inside the test's own, or the same request's."""
        top = self.stack.top
        return top is None or self._requests[top] in {None, request}

    def begin(self, request: ActiveRequest | None) -> tuple[Frame, str]:
        """Open a transaction.

        Returns:
            The frame, and the SQL to run; `abandon` the frame if that fails.
        """
        start = "" if self.has_started else _START
        self.has_started = True
        frame, sql = self.stack.begin(_owner(request))
        self._requests[frame] = request
        return frame, start + sql

    def abandon(self, frame: Frame) -> None:
        """Forget a transaction that the server never opened."""
        self.stack.frames.remove(frame)

    def end(self, frame: Frame, *, is_commit: bool, has_failed: bool) -> Ending:
        """Commit or roll back a transaction that `is_open`.

        Args:
            frame: The transaction.
            is_commit: Whether it was to be committed.
            has_failed: Whether the server would take nothing but a rollback; it makes one of a
                COMMIT then, and says nothing.
        """
        stack = self.stack
        try:
            if is_commit and not has_failed:
                return Ending(stack.commit(frame), None)
            return Ending(stack.rollback(frame, has_failed=has_failed), None)
        except SandboxConflictError as conflict:
            return Ending(stack.give_up(frame, has_failed=has_failed), conflict)

    def is_open(self, frame: Frame) -> bool:
        """Whether a transaction belongs to the current test and has not ended."""
        return frame in self.stack.frames

    def note(self, frame: Frame | None, sql: str) -> None:
        """Note what kind of statement a transaction is about to run.

        Raises:
            SandboxConflictError: The transaction was begun in an earlier test.
        """
        if frame is not None and not self.is_open(frame):
            raise SandboxConflictError(
                "a session that was opened in an earlier test is still in use",
                remedy="close sessions in the test or fixture that opened them",
            )
        self.has_started = True
        self.has_ddl |= may_change_schema(sql)
        if frame is not None and not is_read(sql):
            self.stack.wrote(frame)

    def finish(self) -> bool:
        """Forget the test.

        Returns:
            Whether it changed the schema, so that what is prepared may be stale.
        """
        had_ddl = self.has_ddl
        self.stack, self._requests = SavepointStack(), {}
        self.has_started = self.has_ddl = self.has_raised = False
        return had_ddl

    def waited_in_vain(
        self, request: ActiveRequest | None, *, wait_seconds: float
    ) -> SandboxConflictError:
        """The error of a turn that did not come."""
        holder = self.stack.top.owner if self.stack.top else "the test"
        return SandboxConflictError(
            f"{_owner(request)} waited {wait_seconds:g} s for the transaction of {holder} to "
            "end: one connection serves the whole test",
            remedy="if both must be open at once, the test needs a database of its own",
        )

    def begun_in_failed(self, frame: Frame) -> SandboxConflictError:
        """The error of a transaction that cannot open inside another, and forgets it."""
        self.abandon(frame)
        around = self.stack.top.owner if self.stack.top else "the test"
        return SandboxConflictError(
            f"{frame.owner} began a transaction while that of {around} had failed and was still "
            "open",
            remedy="roll a session back after an error, before others go on",
        )


def _owner(request: ActiveRequest | None) -> str:
    if request is None:
        return "the test"
    scope: Any = request.scope
    return f"{scope['method']} {scope['path']}"
