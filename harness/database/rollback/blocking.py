"""The one connection behind all virtual ones of a driver that blocks, shared by threads.

Its twin for drivers that are awaited is in `awaited`; what both decide is in `outer`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, Generic, Protocol, Self, TypeVar

from harness.database.rollback.deferred import CATALOG, DeferredConstraints, undo_checkpoint
from harness.database.rollback.meaning import Meaning, text_of
from harness.database.rollback.outer import (
    END_OF_TEST,
    LOOK_AGAIN_SECONDS,
    Ending,
    OuterTransaction,
    has_failed_before,
)
from harness.database.rollback.savepoints import Frame
from harness.database.rollback.scopes import Scope, Scopes

__all__ = [
    "BlockingConnection",
    "BlockingLink",
    "BlockingStatement",
    "BlockingTransactions",
    "VirtualCursor",
]


class BlockingLink(Protocol):
    """What is needed of a driver's connection."""

    def execute(self, sql: str) -> object:
        """Run several statements in one round trip."""
        ...

    def row(self, sql: str) -> Sequence[object]:
        """The one row of a query."""
        ...

    def forget_statements(self) -> None:
        """Types or tables have changed: what was prepared is stale."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone, and with it the transaction."""
        ...


Link = TypeVar("Link", bound=BlockingLink)


@dataclass(slots=True, eq=False)
class BlockingConnection(Generic[Link]):
    """The one connection of a test's transactions in all threads."""

    link: Link
    wait_seconds: float
    scopes: Scopes = field(default_factory=Scopes)
    outer: OuterTransaction = field(default_factory=OuterTransaction)
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def open(self) -> None:
        """Enter the first transaction."""
        self.run("BEGIN")

    def run(self, sql: str) -> None:
        """Run transaction control."""
        if sql:
            self.locked(self.link.execute, sql)

    def locked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Make a call of the driver while nobody else uses the connection."""
        with self._lock:
            try:
                return call(*arguments, **options)
            except BaseException:
                self.outer.has_raised = True
                raise

    def statement(
        self,
        frame: Frame,
        meaning: Meaning,
        parameters: object,
        call: Callable[[], Any],
    ) -> Any:
        """Make a statement of a transaction, with the transaction's own settings in effect."""
        before, after = self.outer.around_statement(frame, meaning, parameters)
        with self._lock:
            self.run(before)
            result = self.locked(call)
            self.run(after)
            return result

    def begin(self, *, is_read_only: bool = False) -> Frame:
        """Begin a transaction of the application, once it is the caller's turn.

        Raises:
            SandboxConflictError: If the wait does not end, or the transaction around has failed.
        """
        scope = self.scopes.of_thread()
        with self._turn:
            self._await_turn(scope)
            frame, sql = self.outer.begin(scope, line=self.scopes.line(), is_read_only=is_read_only)
            try:
                self.run(sql)
            except Exception as error:
                if has_failed_before(error):
                    raise self.outer.begun_in_failed(frame) from error
                self.outer.abandon(frame)
                raise
            return frame

    def _await_turn(self, scope: Scope | None) -> None:
        if self.outer.may_begin(scope):
            return
        self.outer.has_waited = True
        until = perf_counter() + self.wait_seconds
        while not self.outer.may_begin(scope):
            left = until - perf_counter()
            if left <= 0:
                raise self.outer.waited_in_vain(
                    scope, line=self.scopes.line(), wait_seconds=self.wait_seconds
                )
            self._turn.wait(min(left, LOOK_AGAIN_SECONDS))

    def end(self, frame: Frame, *, is_commit: bool) -> None:
        """Commit or roll back a transaction of the application.

        Raises:
            SandboxConflictError: If that cannot be represented; it counts as committed then.
        """
        with self._turn:
            if not self.outer.is_open(frame):
                return  # its test is over, and with it everything it did
            try:
                self._end(frame, is_commit=is_commit)
            finally:
                self._turn.notify_all()

    def _end(self, frame: Frame, *, is_commit: bool) -> None:
        if self.link.is_closed and not is_commit:
            self.outer.abandon(frame)  # the server has undone it
            return
        has_failed = self._has_failed()
        if is_commit and not has_failed and self.outer.needs_catalog(frame):
            row = self.locked(self.link.row, CATALOG)
            self.outer.deferred = DeferredConstraints.from_catalog(row)
        ending = self.outer.end(frame, is_commit=is_commit, has_failed=has_failed)
        try:
            self.run(ending.sql)
        except Exception as error:
            if ending.if_refused is None or self.link.is_closed:
                raise
            self._refuse(ending.if_refused(), error)
            raise
        if ending.conflict is not None:
            raise ending.conflict

    def _refuse(self, ending: Ending, error: Exception) -> None:
        """Undo a transaction whose commit violates a constraint; unless it is another's doing."""
        self.run(ending.sql)
        if ending.conflict is not None:
            raise ending.conflict from error
        try:
            self.run(ending.probe)
        except Exception:
            if self.link.is_closed:
                raise
            self.run(undo_checkpoint())
            raise self.outer.violated_around() from error

    def _has_failed(self) -> bool:
        """Whether the server takes nothing but a rollback; asked only where something raised."""
        if not self.outer.has_raised:
            return False
        try:
            self.run("SELECT 1")
        except Exception as error:
            if has_failed_before(error):
                return True
            raise
        self.outer.has_raised = False
        return False

    def end_test(self) -> None:
        """Undo everything that the test did."""
        if not self.outer.has_started:
            return
        had_ddl = self.outer.finish()
        if self.link.is_closed:
            return  # the server has undone it
        self.run(END_OF_TEST)
        if had_ddl:
            self.locked(self.link.forget_statements)


@dataclass(frozen=True, slots=True, eq=False)
class BlockingStatement(Generic[Link]):
    """A statement that is about to run in its transaction."""

    physical: BlockingConnection[Link]
    frame: Frame
    meaning: Meaning

    def run(self, call: Callable[..., Any], query: Any, *arguments: Any, **options: Any) -> Any:
        """Run it by a method of the driver that takes its text, and its parameters next."""
        bound = partial(call, self.meaning.instead or query, *arguments, **options)
        parameters = arguments[0] if arguments else None
        return self.physical.statement(self.frame, self.meaning, parameters, bound)


@dataclass(slots=True, eq=False)
class BlockingTransactions(Generic[Link]):
    """The transactions of one virtual connection, which begin with the first statement.

    Args:
        physical: Gives the physical connection of the current test.
    """

    physical: Callable[[], BlockingConnection[Link]]
    is_autocommit: bool = False
    is_read_only: bool = False
    """Whether transactions begin to be."""
    _open: tuple[BlockingConnection[Link], Frame] | None = None

    @contextmanager
    def statement(self, sql: str) -> Iterator[BlockingStatement[Link]]:
        """Around a statement: begins a transaction; in autocommit ends it as well."""
        physical = self.physical()
        if self._open is None:
            self._open = physical, physical.begin(is_read_only=self.is_read_only)
        frame = self._open[1]
        try:
            meaning = physical.outer.note(frame, sql, is_autocommit=self.is_autocommit)
            yield BlockingStatement(physical, frame, meaning)
        except BaseException:
            if self.is_autocommit:
                self.end(is_commit=False)
            raise
        if self.is_autocommit:
            self.end(is_commit=True)

    def end(self, *, is_commit: bool) -> None:
        """COMMIT or ROLLBACK, if a transaction is open."""
        if self._open is not None:
            (physical, frame), self._open = self._open, None
            physical.end(frame, is_commit=is_commit)


class VirtualCursor(Generic[Link]):
    """A cursor of the physical connection that runs in the transaction of a virtual one."""

    __slots__ = ("_announced", "_real", "_transactions")

    def __init__(
        self,
        real: Any,
        transactions: BlockingTransactions[Link],
        *,
        announced: frozenset[str],
    ) -> None:
        self._real = real
        self._transactions = transactions
        self._announced = announced

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return partial(self._run, found) if name in self._announced else found

    def __setattr__(self, name: str, value: object) -> None:
        if name in VirtualCursor.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._real, name, value)

    def _run(self, method: Callable[..., Any], query: Any, *arguments: Any, **options: Any) -> Any:
        with self._transactions.statement(text_of(query, self._real)) as statement:
            result = statement.run(method, query, *arguments, **options)
        return self if result is self._real else result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._real.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._real)
