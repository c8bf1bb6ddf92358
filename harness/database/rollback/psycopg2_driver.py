"""A connection of psycopg2's kind that shares one physical connection with others.

psycopg2's own C code asks for its connection type (`register_uuid` and the like, which SQLAlchemy
calls on every new connection), so this one inherits from it, and is never connected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import (
    ISOLATION_LEVEL_AUTOCOMMIT,
    ISOLATION_LEVEL_REPEATABLE_READ,
    ISOLATION_LEVEL_SERIALIZABLE,
    connection,
    cursor,
)
from sqlalchemy.engine.interfaces import Dialect

from harness.database.rollback.advice import Topic, advise
from harness.database.rollback.blocking import (
    BlockingConnection,
    BlockingTransactions,
    VirtualCursor,
)
from harness.database.rollback.outer import NO_TIMEOUT

__all__ = ["Psycopg2Link", "VirtualPsycopg2"]

_ANNOUNCED = frozenset(
    {"execute", "executemany", "callproc", "copy_expert", "copy_from", "copy_to"}
)
# Fails at once without asking anybody: a port outside of the range.
_NOWHERE = "host=127.0.0.1 port=0"


@dataclass(slots=True, eq=False)
class Psycopg2Link:
    """psycopg2's connection."""

    connection: Any
    """psycopg2 ships no types."""

    @classmethod
    def connected(
        cls, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> Psycopg2Link:
        """Connect as the application would have, types registered for its cursors."""
        opened = psycopg2.connect(*arguments, **options)
        opened.autocommit = True
        with opened.cursor() as settings:
            settings.execute(NO_TIMEOUT)
        opened.autocommit = False  # cursors with a name are refused in autocommit
        register_types = dialect.on_connect()
        if register_types is not None:
            register_types(opened)
        return cls(opened)

    def execute(self, sql: str) -> object:
        """Run several statements in one round trip."""
        with self.connection.cursor() as plain:
            plain.execute(sql)
        return None

    def row(self, sql: str) -> Sequence[object]:
        """The one row of a query."""
        with self.connection.cursor(cursor_factory=cursor) as plain:
            plain.execute(sql)
            return plain.fetchone() or ()

    def forget_statements(self) -> None:
        """Nothing: psycopg2 prepares none."""

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone."""
        return bool(self.connection.closed)


_Connection: Any = connection  # psycopg2 ships no types, and others' differ from what it does


class VirtualPsycopg2(_Connection):  # type: ignore[misc] # see above
    """What SQLAlchemy takes for a psycopg2 connection of its own."""

    closed = 0
    isolation_level: int | None = None
    """Has no effect: one real transaction has one level, that of the test."""
    deferrable: bool | None = None
    """Has no effect, as for real without SERIALIZABLE."""

    def __init__(self, physical: Callable[[], BlockingConnection[Psycopg2Link]]) -> None:
        with suppress(psycopg2.OperationalError):
            super().__init__(_NOWHERE)  # what C code keeps is allocated before it connects
        self._transactions = BlockingTransactions(physical)

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        return self._transactions.is_autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._transactions.is_autocommit = value

    @property
    def readonly(self) -> bool:
        """Whether transactions begin to be; in autocommit, each statement."""
        return self._transactions.is_read_only

    @readonly.setter
    def readonly(self, value: bool | None) -> None:
        self._transactions.is_read_only = bool(value)

    def set_isolation_level(self, level: int | None) -> None:
        """Only autocommit has an effect."""
        self.isolation_level = level
        self._transactions.is_autocommit = level == ISOLATION_LEVEL_AUTOCOMMIT
        if level in {ISOLATION_LEVEL_REPEATABLE_READ, ISOLATION_LEVEL_SERIALIZABLE}:
            advise(Topic.ISOLATION_LEVEL)

    def cursor(self, *arguments: Any, **options: Any) -> VirtualCursor[Psycopg2Link]:
        """A cursor of the physical connection."""
        real = self._physical().link.connection.cursor(*arguments, **options)
        return VirtualCursor(real, self._transactions, announced=_ANNOUNCED)

    def commit(self) -> None:
        """COMMIT."""
        self._transactions.end(is_commit=True)

    def rollback(self) -> None:
        """ROLLBACK."""
        self._transactions.end(is_commit=False)

    close = rollback

    @property
    def notices(self) -> list[str]:
        """What the server said."""
        notices: list[str] = self._physical().link.connection.notices
        return notices

    @property
    def info(self) -> Any:
        """About the physical connection."""
        return self._physical().link.connection.info

    @property
    def encoding(self) -> str:
        """The client encoding."""
        encoding: str = self._physical().link.connection.encoding
        return encoding

    def set_client_encoding(self, encoding: str) -> None:
        """Of the physical connection, where it is another one."""
        if self.encoding.lower() != encoding.lower():
            self._physical().link.connection.set_client_encoding(encoding)

    def _physical(self) -> BlockingConnection[Psycopg2Link]:
        return self._transactions.physical()
