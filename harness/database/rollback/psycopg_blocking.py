"""A blocking connection of psycopg's kind that shares one physical connection with others.

Cursors are those of the physical connection: its adapters, notices and lock are everybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy.engine.interfaces import Dialect

from harness.database.rollback.advice import Topic, advise
from harness.database.rollback.blocking import (
    BlockingConnection,
    BlockingTransactions,
    VirtualCursor,
)
from harness.database.rollback.outer import NO_TIMEOUT

__all__ = ["PsycopgLink", "VirtualPsycopg"]

_STRICT_LEVELS = (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE)
_ANNOUNCED = frozenset({"execute", "executemany", "stream", "copy"})


@dataclass(slots=True, eq=False)
class PsycopgLink:
    """psycopg's connection."""

    connection: psycopg.Connection[Any]

    @classmethod
    def connected(
        cls,
        _dialect: Dialect,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
    ) -> PsycopgLink:
        """Connect as the application would have, with transactions in our hands."""
        connection = psycopg.connect(*arguments, **{**options, "autocommit": True})
        connection.execute(NO_TIMEOUT)
        return cls(connection)

    def execute(self, sql: str) -> object:
        """Run several statements in one round trip."""
        return self.connection.execute(sql.encode())

    def row(self, sql: str) -> Sequence[object]:
        """The one row of a query."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(sql.encode()).fetchone() or ()

    def forget_statements(self) -> None:
        """Nothing: psycopg forgets what it prepared whenever it sees a ROLLBACK."""

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone."""
        return self.connection.closed


class VirtualPsycopg:
    """What SQLAlchemy takes for a psycopg connection of its own."""

    closed = False
    broken = False

    def __init__(self, physical: Callable[[], BlockingConnection[PsycopgLink]]) -> None:
        self._transactions = BlockingTransactions(physical)
        # One real transaction has one isolation level, that of the test: these have no effect.
        self._isolation_level: object = None
        self._read_only: bool | None = None
        self.deferrable: bool | None = None

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        return self._transactions.is_autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._transactions.is_autocommit = value
        self._transactions.is_read_only = bool(self._read_only) and not value

    @property
    def read_only(self) -> bool | None:
        """Whether transactions begin to be, outside of autocommit."""
        return self._read_only

    @read_only.setter
    def read_only(self, value: bool | None) -> None:
        self._read_only = value
        self._transactions.is_read_only = bool(value) and not self.autocommit

    @property
    def isolation_level(self) -> object:
        """What was asked for."""
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, value: object) -> None:
        self._isolation_level = value
        if value in _STRICT_LEVELS:
            advise(Topic.ISOLATION_LEVEL)

    def cursor(self, *arguments: Any, **options: Any) -> VirtualCursor[PsycopgLink]:
        """A cursor of the physical connection."""
        real = self._physical().link.connection.cursor(*arguments, **options)
        return VirtualCursor(real, self._transactions, announced=_ANNOUNCED)

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        """Run a statement on a new cursor."""
        return self.cursor().execute(query, *arguments, **options)

    def commit(self) -> None:
        """COMMIT."""
        self._transactions.end(is_commit=True)

    def rollback(self) -> None:
        """ROLLBACK."""
        self._transactions.end(is_commit=False)

    close = rollback

    def add_notice_handler(self, handler: Callable[[Any], None]) -> None:
        """Add a handler to the physical connection, once."""
        connection = self._physical().link.connection
        with suppress(ValueError):
            connection.remove_notice_handler(handler)
        connection.add_notice_handler(handler)

    def _physical(self) -> BlockingConnection[PsycopgLink]:
        return self._transactions.physical()

    @property  # type: ignore[misc] # psycopg's TypeInfo asks isinstance()
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        return psycopg.Connection

    def __getattr__(self, name: str) -> Any:
        physical = self._physical()
        physical.outer.has_started = True  # it may write, past our eyes
        return getattr(physical.link.connection, name)
