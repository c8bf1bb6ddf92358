"""A connection of asyncpg's kind that shares one physical connection with others of its kind.

SQLAlchemy's own adapter sits on top of it unchanged: it is handed out through the documented
``async_creator_fn`` argument, and speaks asyncpg's public interface only. What the adapter begins,
commits and rolls back becomes savepoints of the test's one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg

from harness.database.rollback.advice import Topic, advise
from harness.database.rollback.awaited import AwaitedConnection, AwaitedStatement
from harness.database.rollback.outer import NO_TIMEOUT
from harness.database.rollback.savepoints import Frame

__all__ = ["AsyncpgLink", "VirtualConnection"]

_KEPT_STATEMENTS = 1000
_STRICT_LEVELS = ("repeatable_read", "serializable")
_LISTENS = frozenset({"add_listener", "remove_listener"})


@dataclass(slots=True, eq=False)
class AsyncpgLink:
    """asyncpg's connection, and what was prepared on it: the cache stays warm over tests."""

    connection: Any
    """asyncpg ships no types."""
    _statements: dict[str, Any] = field(default_factory=dict)
    _codecs: dict[tuple[str, str, str], object] = field(default_factory=dict)

    @classmethod
    async def connected(cls, *arguments: Any, **options: Any) -> AsyncpgLink:
        """Connect as the application would have."""
        connection = await asyncpg.connect(*arguments, **options)
        await connection.execute(NO_TIMEOUT)
        return cls(connection)

    async def execute(self, sql: str) -> object:
        """Run several statements in one round trip."""
        return await self.connection.execute(sql)

    async def row(self, sql: str) -> Sequence[object]:
        """The one row of a query."""
        return tuple(await self.connection.fetchrow(sql))

    async def prepare(self, sql: str) -> Any:
        """A prepared statement, shared by all virtual connections."""
        known = self._statements.get(sql)
        if known is None:
            if len(self._statements) >= _KEPT_STATEMENTS:
                self._statements.clear()
            known = self._statements[sql] = await self.connection.prepare(sql)
        return known

    async def set_type_codec(self, typename: str, **options: Any) -> None:
        """Set a codec once: each new SQLAlchemy connection asks for the same ones."""
        key = (typename, options.get("schema", "public"), options.get("format", "text"))
        code = getattr(options.get("encoder"), "__code__", None)
        if self._codecs.get(key) is not code or code is None:
            self._codecs[key] = code
            await self.connection.set_type_codec(typename, **options)

    async def forget_statements(self) -> None:
        """Types or tables have changed: prepare anew."""
        self._statements.clear()
        await self.connection.reload_schema_state()

    async def close(self) -> None:
        """End the connection without waiting for the server."""
        self.connection.terminate()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone."""
        closed: bool = self.connection.is_closed()
        return closed


@dataclass(slots=True, eq=False)
class VirtualStatement:
    """A prepared statement as the adapter uses it."""

    connection: VirtualConnection
    sql: str
    prepared: Any
    """asyncpg's, which ships no types."""

    async def fetch(self, *arguments: Any) -> list[Any]:
        """All rows."""
        async with self.connection.statement(self.sql) as statement:
            call = partial(self.prepared.fetch, *arguments)
            rows: list[Any] = await statement.run_prepared(call, arguments)
            return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.prepared, name)


@dataclass(slots=True, eq=False)
class VirtualTransaction:
    """BEGIN, COMMIT and ROLLBACK as the adapter calls them."""

    connection: VirtualConnection
    physical: AwaitedConnection[AsyncpgLink]
    is_for_statement: bool = False
    """In autocommit, where each statement is a transaction of its own."""
    is_read_only: bool = False
    frame: Frame | None = None

    async def start(self) -> None:
        """BEGIN."""
        self.frame = await self.physical.begin(is_read_only=self.is_read_only)
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
            if not self.physical.outer.is_open(self.frame) or self.frame.is_ended:
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

    physical: Callable[[], AwaitedConnection[AsyncpgLink]]
    open_transactions: list[VirtualTransaction] = field(default_factory=list)
    """Its open transactions: one, and more where the application nests asyncpg's own."""

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, **_options: object
    ) -> VirtualTransaction:
        """A transaction; isolation levels are the test's, since there is one real transaction."""
        if isolation in _STRICT_LEVELS:
            advise(Topic.ISOLATION_LEVEL)
        return VirtualTransaction(self, self.physical(), is_read_only=readonly)

    @asynccontextmanager
    async def statement(self, sql: str) -> AsyncIterator[AwaitedStatement[AsyncpgLink]]:
        """Around a statement: in autocommit each one is a transaction of its own."""
        physical = self.physical()
        if self.open_transactions:
            yield self._noted(sql, physical, self.open_transactions[-1])
        else:
            own = VirtualTransaction(self, physical, is_for_statement=True)
            async with own:
                yield self._noted(sql, physical, own)

    def _noted(
        self,
        sql: str,
        physical: AwaitedConnection[AsyncpgLink],
        transaction: VirtualTransaction,
    ) -> AwaitedStatement[AsyncpgLink]:
        frame, is_autocommit = transaction.frame, transaction.is_for_statement
        meaning = physical.outer.note(frame, sql, is_autocommit=is_autocommit)
        return AwaitedStatement(physical, frame, meaning)

    async def prepare(self, sql: str, *, name: str | None = None) -> VirtualStatement:  # noqa: ARG002
        """Prepare a statement; names are the harness's own, they would collide."""
        async with self.statement(sql) as statement:
            physical, text = statement.physical, statement.meaning.instead or sql
            return VirtualStatement(self, sql, await physical.locked(physical.link.prepare, text))

    async def execute(self, sql: str, *arguments: Any, **options: Any) -> Any:
        """Run a statement."""
        return await self._run("execute", sql, arguments, *arguments, **options)

    async def executemany(self, sql: str, rows: Sequence[Any], **options: Any) -> Any:
        """Run a statement for each row."""
        return await self._run("executemany", sql, (), rows, **options)

    async def fetch(self, sql: str, *arguments: Any, **options: Any) -> Any:
        """All rows."""
        return await self._run("fetch", sql, arguments, *arguments, **options)

    async def fetchrow(self, sql: str, *arguments: Any, **options: Any) -> Any:
        """The first row; used by pre-ping."""
        return await self._run("fetchrow", sql, arguments, *arguments, **options)

    async def fetchval(self, sql: str, *arguments: Any, **options: Any) -> Any:
        """One value of the first row."""
        return await self._run("fetchval", sql, arguments, *arguments, **options)

    async def copy_to_table(self, table_name: str, **options: Any) -> Any:
        """COPY from a file."""
        return await self._copy("copy_to_table", table_name, **options)

    async def copy_records_to_table(self, table_name: str, **options: Any) -> Any:
        """COPY from tuples."""
        return await self._copy("copy_records_to_table", table_name, **options)

    async def _copy(self, method: str, table_name: str, **options: Any) -> Any:
        async with self.statement("COPY") as statement:
            call = getattr(statement.physical.link.connection, method)
            return await statement.run_prepared(partial(call, table_name, **options), None)

    async def _run(
        self, method: str, sql: str, parameters: Sequence[Any], *arguments: Any, **options: Any
    ) -> Any:
        async with self.statement(sql) as statement:
            call = getattr(statement.physical.link.connection, method)
            text = statement.meaning.instead or sql
            return await statement.run_prepared(
                partial(call, text, *arguments, **options), parameters
            )

    async def reload_schema_state(self) -> None:
        """Types or tables have changed."""
        physical = self.physical()
        await physical.locked(physical.link.forget_statements)

    async def set_type_codec(self, typename: str, **options: Any) -> None:
        """Set a codec on the physical connection."""
        physical = self.physical()
        await physical.locked(physical.link.set_type_codec, typename, **options)

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

    def __getattr__(self, name: str) -> Any:
        physical = self.physical()
        physical.outer.has_started = True  # it may write, past our eyes
        if name in _LISTENS:
            advise(Topic.NOTIFICATION)
        return getattr(physical.link.connection, name)
