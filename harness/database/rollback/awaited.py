"""The one connection behind all virtual ones of a driver that is awaited.

Its twin for drivers that block is in `blocking`; what both decide is in `outer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from harness.database.rollback.deferred import CATALOG, DeferredConstraints, undo_checkpoint
from harness.database.rollback.meaning import Meaning
from harness.database.rollback.outer import (
    END_OF_TEST,
    LOOK_AGAIN_SECONDS,
    Ending,
    OuterTransaction,
    has_failed_before,
)
from harness.database.rollback.savepoints import Frame
from harness.database.rollback.scopes import Scope, Scopes

__all__ = ["AwaitedConnection", "AwaitedLink", "AwaitedStatement", "AwaitedTransactions"]


class AwaitedLink(Protocol):
    """What is needed of a driver's connection."""

    async def execute(self, sql: str) -> object:
        """Run several statements in one round trip."""
        ...

    async def row(self, sql: str) -> Sequence[object]:
        """The one row of a query."""
        ...

    async def forget_statements(self) -> None:
        """Types or tables have changed: what was prepared is stale."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone, and with it the transaction."""
        ...


Link = TypeVar("Link", bound=AwaitedLink)


@dataclass(slots=True, eq=False)
class AwaitedConnection(Generic[Link]):
    """The one connection of a test's transactions on one event loop."""

    link: Link
    wait_seconds: float
    scopes: Scopes = field(default_factory=Scopes)
    outer: OuterTransaction = field(default_factory=OuterTransaction)
    _turn: asyncio.Condition = field(default_factory=asyncio.Condition)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> None:
        """Enter the first transaction."""
        await self.run("BEGIN")

    async def run(self, sql: str) -> None:
        """Run transaction control, to its end also where the caller is cancelled meanwhile."""
        if sql:
            await asyncio.shield(self._control(sql))

    async def _control(self, sql: str) -> None:
        if sql:
            await self.locked(self.link.execute, sql)

    async def locked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Await a call of the driver while nobody else uses the connection."""
        async with self._lock, self._noticing_errors():
            return await call(*arguments, **options)

    async def statement(
        self,
        frame: Frame | None,
        meaning: Meaning,
        parameters: object,
        call: Callable[[], Any],
    ) -> Any:
        """Await a statement of a transaction, with the transaction's own settings in effect."""
        before, after = self.outer.around_statement(frame, meaning, parameters)
        async with self._lock, self._noticing_errors():
            if before:
                await self.link.execute(before)
            result = await call()
            if after:
                await self.link.execute(after)
            return result

    @asynccontextmanager
    async def _noticing_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            self.outer.has_raised = True
            raise

    async def begin(self, *, is_read_only: bool = False) -> Frame:
        """Begin a transaction of the application, once it is the caller's turn.

        Raises:
            SandboxConflictError: If the wait does not end, or the transaction around has failed.
        """
        scope = self.scopes.of_task()
        async with self._turn:
            await self._await_turn(scope)
            frame, sql = self.outer.begin(scope, line=self.scopes.line(), is_read_only=is_read_only)
            try:
                await self.run(sql)
            except asyncio.CancelledError:
                await self.run(self.outer.stack.rollback(frame))
                self._turn.notify_all()
                raise
            except Exception as error:
                if has_failed_before(error):
                    raise self.outer.begun_in_failed(frame) from error
                self.outer.abandon(frame)
                raise
            return frame

    async def _await_turn(self, scope: Scope | None) -> None:
        if self.outer.may_begin(scope):
            return
        self.outer.has_waited = True
        try:
            async with asyncio.timeout(self.wait_seconds):
                while not self.outer.may_begin(scope):
                    await self._await_news()
        except TimeoutError as error:
            conflict = self.outer.waited_in_vain(
                scope, line=self.scopes.line(), wait_seconds=self.wait_seconds
            )
            raise conflict from error

    async def _await_news(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                await self._turn.wait()

    async def end(self, frame: Frame, *, is_commit: bool) -> None:
        """Commit or roll back a transaction of the application.

        Raises:
            SandboxConflictError: If that cannot be represented; it counts as committed then.
        """
        if not self.outer.is_open(frame):
            return  # its test is over, and with it everything it did
        await self._turn.acquire()
        # Whoever is cancelled from here on does not stop it half way.
        await asyncio.shield(self._end_and_let_go(frame, is_commit=is_commit))

    async def _end_and_let_go(self, frame: Frame, *, is_commit: bool) -> None:
        try:
            if self.outer.is_open(frame):
                await self._end(frame, is_commit=is_commit)
        finally:
            self._turn.notify_all()
            self._turn.release()

    async def _end(self, frame: Frame, *, is_commit: bool) -> None:
        if self.link.is_closed and not is_commit:
            self.outer.abandon(frame)  # the server has undone it
            return
        has_failed = await self._has_failed()
        if is_commit and not has_failed and self.outer.needs_catalog(frame):
            row = await self.locked(self.link.row, CATALOG)
            self.outer.deferred = DeferredConstraints.from_catalog(row)
        ending = self.outer.end(frame, is_commit=is_commit, has_failed=has_failed)
        try:
            await self._control(ending.sql)
        except Exception as error:
            if ending.if_refused is None or self.link.is_closed:
                raise
            await self._refuse(ending.if_refused(), error)
            raise
        if ending.conflict is not None:
            raise ending.conflict

    async def _refuse(self, ending: Ending, error: Exception) -> None:
        """Undo a transaction whose commit violates a constraint; unless it is another's doing."""
        await self._control(ending.sql)
        if ending.conflict is not None:
            raise ending.conflict from error
        try:
            await self._control(ending.probe)
        except Exception:
            if self.link.is_closed:
                raise
            await self._control(undo_checkpoint())
            raise self.outer.violated_around() from error

    async def _has_failed(self) -> bool:
        """Whether the server takes nothing but a rollback; asked only where something raised."""
        if not self.outer.has_raised:
            return False
        try:
            await self._control("SELECT 1")
        except Exception as error:
            if has_failed_before(error):
                return True
            raise
        self.outer.has_raised = False
        return False

    async def end_test(self) -> None:
        """Undo everything that the test did."""
        if not self.outer.has_started:
            return
        had_ddl = self.outer.finish()
        if self.link.is_closed:
            return  # the server has undone it
        await self.run(END_OF_TEST)
        if had_ddl:
            await self.locked(self.link.forget_statements)


@dataclass(frozen=True, slots=True, eq=False)
class AwaitedStatement(Generic[Link]):
    """A statement that is about to run in its transaction."""

    physical: AwaitedConnection[Link]
    frame: Frame | None
    meaning: Meaning

    async def run(
        self, call: Callable[..., Any], query: Any, *arguments: Any, **options: Any
    ) -> Any:
        """Run it by a method of the driver that takes its text, and its parameters next."""
        bound = partial(call, self.meaning.instead or query, *arguments, **options)
        return await self.run_prepared(bound, arguments[0] if arguments else None)

    async def run_prepared(self, call: Callable[[], Any], parameters: object) -> Any:
        """Run what is prepared already."""
        return await self.physical.statement(self.frame, self.meaning, parameters, call)


@dataclass(slots=True, eq=False)
class AwaitedTransactions(Generic[Link]):
    """The transactions of one virtual connection of a driver that follows the DBAPI.

    Args:
        physical: Gives the physical connection of the running loop and the current test.
    """

    physical: Callable[[], AwaitedConnection[Link]]
    is_autocommit: bool = False
    is_read_only: bool = False
    """Whether transactions begin to be, outside of autocommit."""
    _open: tuple[AwaitedConnection[Link], Frame] | None = None

    @asynccontextmanager
    async def statement(self, sql: str) -> AsyncIterator[AwaitedStatement[Link]]:
        """Around a statement: begins a transaction; in autocommit ends it as well."""
        physical = self.physical()
        if self._open is None:
            is_read_only = self.is_read_only and not self.is_autocommit
            self._open = physical, await physical.begin(is_read_only=is_read_only)
        frame = self._open[1]
        try:
            meaning = physical.outer.note(frame, sql, is_autocommit=self.is_autocommit)
            yield AwaitedStatement(physical, frame, meaning)
        except BaseException:
            if self.is_autocommit:
                await self.end(is_commit=False)
            raise
        if self.is_autocommit:
            await self.end(is_commit=True)

    async def end(self, *, is_commit: bool) -> None:
        """COMMIT or ROLLBACK, if a transaction is open."""
        if self._open is not None:
            physical, frame = self._open
            try:
                await physical.end(frame, is_commit=is_commit)
            finally:
                if not physical.outer.is_open(frame) or frame.is_ended:
                    self._open = None
                # Otherwise the end was cancelled while it waited: closing ends it.
