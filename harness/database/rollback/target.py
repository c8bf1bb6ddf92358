"""Which connections are to the database of the tests, and how to lead one elsewhere.

A module of its own because only here do the words matter in which drivers are told where to
connect: the rest of the sandbox is the same for every kind of database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import URL
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["PostgresTarget", "Target", "other_postgres"]

# Its newer name, `pg_current_xact_id_if_assigned`, came with version 13.
_NUMBER = "SELECT txid_current_if_assigned()"


class Target(Protocol):
    """The database that tests work on."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def is_meant(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> bool:
        """Whether a driver is about to connect to it."""
        ...

    def elsewhere(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> str | None:
        """Where a driver is about to connect to, if rows that a test writes would stay there."""
        ...

    def led(
        self, database: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """A driver's arguments and options, changed to connect to another database there."""
        ...

    def has_uncommitted(self, entry: ConnectionPoolEntry) -> bool:
        """Whether a connection's transaction is open and has written."""
        ...


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    """One database of a PostgreSQL server.

    Args:
        url: Where it is.
    """

    url: URL

    @property
    def name(self) -> str:
        """What it is called."""
        return self.url.database or ""

    def is_meant(
        self,
        dialect: Dialect,  # noqa: ARG002 - the drivers' words tell them apart
        arguments: Sequence[Any],  # noqa: ARG002 - a connection string names no host of ours
        options: Mapping[str, Any],
    ) -> bool:
        """Whether a driver is about to connect to it."""
        port = options.get("port")
        return _database(options) == self.url.database and (
            port is None or int(port) == self.url.port
        )

    def elsewhere(
        self,
        dialect: Dialect,
        arguments: Sequence[Any],  # noqa: ARG002 - as in `is_meant`
        options: Mapping[str, Any],
    ) -> str | None:
        """Where a driver is about to connect to, if that is another PostgreSQL or database."""
        return other_postgres(options) if dialect.name == "postgresql" else None

    def led(
        self, database: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Over both of a driver's own ways to say it: the word wins over a connection string."""
        return arguments, {**options, _word(options): database}

    def has_uncommitted(self, entry: ConnectionPoolEntry) -> bool:
        """Whether a connection's transaction is open and has written: it has a number then."""
        connection: Any = entry.dbapi_connection
        cursor = connection.cursor()
        try:
            cursor.execute(_NUMBER)
            return cursor.fetchone()[0] is not None
        finally:
            cursor.close()


def other_postgres(options: Mapping[str, Any]) -> str:
    """Which database of a PostgreSQL a driver is about to connect to, in words."""
    database = _database(options)
    if not database:
        # In a `dsn` or a service, which only the driver reads.
        return "a database that the engine's URL does not name"
    return f"the database {database!r} on port {options.get('port', 5432)}"


def _database(options: Mapping[str, Any]) -> str | None:
    return options.get("database") or options.get("dbname")


def _word(options: Mapping[str, Any]) -> str:
    """How a driver calls the database: psycopg and psycopg2 as libpq does, asyncpg not."""
    return "dbname" if "dbname" in options else "database"
