"""A connection of asyncpg's kind that shares one physical connection with others of its kind.

SQLAlchemy's own adapter sits on top of it unchanged: it is handed out through the documented
``async_creator_fn`` argument, and speaks asyncpg's public interface only. What the adapter begins,
commits and rolls back becomes savepoints of the test's one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from harness.database.physical import PhysicalConnection
from harness.database.savepoints import Frame, is_read, may_change_schema
from harness.errors import SandboxConflictError

__all__ = ["VirtualConnection"]


@dataclass(slots=True, eq=False)
class VirtualStatement:
    """A prepared statement as the adapter uses it."""

    connection: VirtualConnection
    sql: str
    prepared: Any
    """asyncpg's, which ships no types."""

    async def fetch(self, *arguments: Any) -> list[Any]:  # noqa: ANN401 - bind values
        """All rows."""
        async with self.connection.transaction_for_statement():
            physical = self.connection.noting(self.sql)
            rows: list[Any] = await physical.locked(self.prepared.fetch, *arguments)
            return rows

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever asyncpg has
        return getattr(self.prepared, name)


@dataclass(slots=True, eq=False)
class VirtualTransaction:
    """BEGIN, COMMIT and ROLLBACK as the adapter calls them."""

    connection: VirtualConnection
    physical: PhysicalConnection
    frame: Frame | None = None

    async def start(self) -> None:
        """BEGIN."""
        self.frame = await self.physical.begin()
        self.connection.open_transactions.append(self)

    async def commit(self) -> None:
        """COMMIT."""
        await self._end(is_commit=True)

    async def rollback(self) -> None:
        """ROLLBACK."""
        await self._end(is_commit=False)

    async def _end(self, *, is_commit: bool) -> None:
        if self.frame is None:
            return
        try:
            await self.physical.end(self.frame, is_commit=is_commit)
        finally:
            if not self.physical.is_open(self.frame) or self.frame.is_ended:
                self.frame = None
                self.connection.open_transactions.remove(self)
            # Otherwise the end was cancelled while it waited: closing the connection ends it.

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: object
    ) -> None:
        await self._end(is_commit=kind is None)


@dataclass(slots=True, eq=False)
class VirtualConnection:
    """What SQLAlchemy takes for an asyncpg connection of its own.

    Args:
        physical: Gives the physical connection of the running loop and the current test.
    """

    physical: Callable[[], PhysicalConnection]
    open_transactions: list[VirtualTransaction] = field(default_factory=list)
    """Its open transactions: one, and more where the application nests asyncpg's own."""

    def transaction(self, **_options: object) -> VirtualTransaction:
        """A transaction; isolation levels are the test's, since there is one real transaction."""
        return VirtualTransaction(self, self.physical())

    def transaction_for_statement(self) -> AbstractAsyncContextManager[None]:
        """Around a statement: in autocommit each one is a transaction of its own."""
        return nullcontext() if self.open_transactions else self.transaction()

    async def prepare(self, sql: str, *, name: str | None = None) -> VirtualStatement:  # noqa: ARG002
        """Prepare a statement; names are the harness's own, they would collide."""
        async with self.transaction_for_statement():
            return VirtualStatement(self, sql, await self.noting(sql).prepare(sql))

    async def execute(self, sql: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """Run a statement."""
        return await self._run("execute", sql, *arguments, **options)

    async def executemany(self, sql: str, rows: Sequence[Any], **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """Run a statement for each row."""
        return await self._run("executemany", sql, rows, **options)

    async def fetch(self, sql: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """All rows."""
        return await self._run("fetch", sql, *arguments, **options)

    async def fetchrow(self, sql: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """The first row; used by pre-ping."""
        return await self._run("fetchrow", sql, *arguments, **options)

    async def fetchval(self, sql: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """One value of the first row."""
        return await self._run("fetchval", sql, *arguments, **options)

    async def _run(self, method: str, sql: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        async with self.transaction_for_statement():
            physical = self.noting(sql)
            call = getattr(physical.connection, method)
            return await physical.locked(call, sql, *arguments, **options)

    async def reload_schema_state(self) -> None:
        """Types or tables have changed."""
        await self.physical().forget_statements()

    async def set_type_codec(self, typename: str, **options: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Set a codec on the physical connection."""
        await self.physical().set_type_codec(typename, **options)

    def is_closed(self) -> bool:
        """Never: the physical connection outlives it."""
        return False

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - asyncpg's
        """Roll back what is open."""
        while self.open_transactions:
            await self.open_transactions[-1].rollback()

    def terminate(self) -> None:
        """Roll back what is open, as soon as the loop allows."""
        with suppress(RuntimeError):  # without a loop the physical connection is gone as well
            task = asyncio.get_running_loop().create_task(self.close())
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def noting(self, sql: str) -> PhysicalConnection:
        """The physical connection, told what kind of statement comes."""
        physical = self.physical()
        frame = self.open_transactions[-1].frame if self.open_transactions else None
        if frame is not None and not physical.is_open(frame):
            raise SandboxConflictError(
                "a session that was opened in an earlier test is still in use",
                remedy="close sessions in the test or fixture that opened them",
            )
        physical.has_ddl |= may_change_schema(sql)
        if frame is not None and physical.stack is not None and not is_read(sql):
            physical.stack.wrote(frame)
        return physical

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever asyncpg has
        return getattr(self.physical().connection, name)
