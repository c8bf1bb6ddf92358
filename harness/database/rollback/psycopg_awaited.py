"""An awaited connection of psycopg's kind that shares one physical connection with others.

SQLAlchemy's own adapter sits on top of it unchanged: it is handed out through the documented
``async_creator_fn`` argument.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg.rows import tuple_row

from harness.database.rollback.advice import Topic, advise
from harness.database.rollback.awaited import AwaitedConnection, AwaitedTransactions
from harness.database.rollback.meaning import text_of
from harness.database.rollback.outer import NO_TIMEOUT

__all__ = ["AsyncPsycopgLink", "VirtualAsyncPsycopg"]

_STRICT_LEVELS = (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE)


@dataclass(slots=True, eq=False)
class AsyncPsycopgLink:
    """psycopg's connection."""

    connection: psycopg.AsyncConnection[Any]

    @classmethod
    async def connected(cls, *arguments: Any, **options: Any) -> AsyncPsycopgLink:
        """Connect as the application would have, with transactions in our hands."""
        in_our_hands = {**options, "autocommit": True}
        connection = await psycopg.AsyncConnection.connect(*arguments, **in_our_hands)
        await connection.execute(NO_TIMEOUT)
        return cls(connection)

    async def execute(self, sql: str) -> object:
        """Run several statements in one round trip."""
        return await self.connection.execute(sql.encode())

    async def row(self, sql: str) -> Sequence[object]:
        """The one row of a query."""
        async with self.connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(sql.encode())
            return await cursor.fetchone() or ()

    async def forget_statements(self) -> None:
        """Nothing: psycopg forgets what it prepared whenever it sees a ROLLBACK."""

    async def close(self) -> None:
        """End the connection."""
        await self.connection.close()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone."""
        return self.connection.closed


class VirtualAsyncCursor:
    """A cursor of the physical connection that runs in the transaction of a virtual one."""

    def __init__(self, real: Any, transactions: AwaitedTransactions[AsyncPsycopgLink]) -> None:
        self._real = real
        self._transactions = transactions

    async def execute(self, query: Any, *arguments: Any, **options: Any) -> VirtualAsyncCursor:
        """Run a statement."""
        await self._run(self._real.execute, query, *arguments, **options)
        return self

    async def executemany(self, query: Any, *arguments: Any, **options: Any) -> None:
        """Run a statement for each set of parameters."""
        await self._run(self._real.executemany, query, *arguments, **options)

    async def _run(
        self,
        method: Callable[..., Any],
        query: Any,
        *arguments: Any,
        **options: Any,
    ) -> None:
        async with self._transactions.statement(text_of(query, self._real)) as statement:
            await statement.run(method, query, *arguments, **options)

    async def stream(self, query: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        """Rows as they come."""
        async with self._transactions.statement(text_of(query, self._real)):
            async for row in self._real.stream(query, *arguments, **options):
                yield row

    @asynccontextmanager
    async def copy(self, query: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        """COPY, in either direction."""
        async with (
            self._transactions.statement(text_of(query, self._real)),
            self._real.copy(query, *arguments, **options) as data,
        ):
            yield data

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._real.close()

    def __aiter__(self) -> AsyncIterator[Any]:
        return aiter(self._real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class VirtualAsyncPsycopg:
    """What SQLAlchemy takes for a psycopg connection of its own."""

    closed = False
    broken = False

    def __init__(self, physical: Callable[[], AwaitedConnection[AsyncPsycopgLink]]) -> None:
        self._transactions = AwaitedTransactions(physical)
        # One real transaction has one isolation level, that of the test: these have no effect.
        self.isolation_level: object = None
        self.deferrable: bool | None = None

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        return self._transactions.is_autocommit

    async def set_autocommit(self, value: bool) -> None:  # noqa: FBT001 - psycopg's signature
        """Make each statement a transaction of its own, or not."""
        self._transactions.is_autocommit = value

    async def set_isolation_level(self, value: object) -> None:
        """Keep it in mind."""
        self.isolation_level = value
        if value in _STRICT_LEVELS:
            advise(Topic.ISOLATION_LEVEL)

    @property
    def read_only(self) -> bool:
        """Whether transactions begin to be."""
        return self._transactions.is_read_only

    async def set_read_only(self, value: bool | None) -> None:  # noqa: FBT001 - psycopg's signature
        """Of the transactions that begin from now on; the server's default is that they write."""
        self._transactions.is_read_only = bool(value)

    async def set_deferrable(self, value: bool | None) -> None:  # noqa: FBT001 - psycopg's signature
        """Keep it in mind."""
        self.deferrable = value

    def cursor(self, *arguments: Any, **options: Any) -> VirtualAsyncCursor:
        """A cursor of the physical connection."""
        real = self._physical().link.connection.cursor(*arguments, **options)
        return VirtualAsyncCursor(real, self._transactions)

    async def execute(self, query: Any, *arguments: Any, **options: Any) -> VirtualAsyncCursor:
        """Run a statement on a new cursor."""
        return await self.cursor().execute(query, *arguments, **options)

    async def commit(self) -> None:
        """COMMIT."""
        await self._transactions.end(is_commit=True)

    async def rollback(self) -> None:
        """ROLLBACK."""
        await self._transactions.end(is_commit=False)

    close = rollback

    def add_notice_handler(self, handler: Callable[[Any], None]) -> None:
        """Add a handler to the physical connection, once."""
        connection = self._physical().link.connection
        with suppress(ValueError):
            connection.remove_notice_handler(handler)
        connection.add_notice_handler(handler)

    def _physical(self) -> AwaitedConnection[AsyncPsycopgLink]:
        return self._transactions.physical()

    @property  # type: ignore[misc] # psycopg's TypeInfo asks isinstance()
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        return psycopg.AsyncConnection

    def __getattr__(self, name: str) -> Any:
        physical = self._physical()
        physical.outer.has_started = True  # it may write, past our eyes
        return getattr(physical.link.connection, name)
