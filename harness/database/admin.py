"""Server-level statements from synchronous code: databases are made and dropped here.

``CREATE DATABASE`` runs outside any transaction and often while the caller's own event loop is
busy (inside a fixture, a Locust listener, a Jupyter cell), so every call gets a thread with a loop
of its own.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from harness.errors import UnreachableTargetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.sql.compiler import IdentifierPreparer

    from harness.database.server import ServerAddress

__all__ = [
    "available_extensions",
    "create_database",
    "drop_database",
    "run_admin",
    "server_version",
]

MAINTENANCE_DATABASE = "postgres"
CONNECT_SECONDS = 5

T = TypeVar("T")


class _Connection(Protocol):
    """The part of asyncpg's connection that is used here."""

    async def execute(self, query: str) -> str: ...

    async def fetchval(self, query: str) -> object: ...

    async def close(self) -> None: ...


def run_admin(
    address: ServerAddress, statements: Sequence[str], *, database: str = MAINTENANCE_DATABASE
) -> None:
    """Run statements one by one, each committed by itself, on one connection.

    Raises:
        UnreachableTargetError: No connection within five seconds.
        asyncpg.PostgresError: The server refuses a statement; the ones before it stay done.
    """

    async def run(connection: _Connection) -> None:
        for statement in statements:
            await connection.execute(statement)

    _with_connection(address, database, run)


def create_database(address: ServerAddress, name: str, *, template: str | None = None) -> None:
    """Create a database, as a copy of `template` if one is given.

    Raises:
        UnreachableTargetError: No connection within five seconds.
        asyncpg.PostgresError: The name is taken, or somebody is connected to the template.
    """
    statement = f"CREATE DATABASE {_quoted(name)}"
    if template is not None:
        statement += f" TEMPLATE {_quoted(template)}"
    run_admin(address, [statement])


def drop_database(address: ServerAddress, name: str) -> None:
    """Drop a database if it exists, ending whatever is still connected to it.

    Raises:
        UnreachableTargetError: No connection within five seconds.
        asyncpg.PostgresError: The database may not be dropped.
    """
    run_admin(address, [f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)"])


def server_version(address: ServerAddress, *, database: str = MAINTENANCE_DATABASE) -> str:
    """The version as the server tells it: ``"18.4"``, without the packager's addition.

    Raises:
        UnreachableTargetError: No connection within five seconds.
    """

    async def ask(connection: _Connection) -> str:
        return str(await connection.fetchval("SHOW server_version")).split()[0]

    return _with_connection(address, database, ask)


def available_extensions(address: ServerAddress) -> frozenset[str]:
    """What ``CREATE EXTENSION`` can create on the server.

    Raises:
        UnreachableTargetError: No connection within five seconds.
    """

    async def ask(connection: _Connection) -> frozenset[str]:
        names = await connection.fetchval("SELECT array_agg(name) FROM pg_available_extensions")
        return frozenset(map(str, names)) if isinstance(names, list) else frozenset()

    return _with_connection(address, MAINTENANCE_DATABASE, ask)


def _quoted(name: str) -> str:
    # The driver's own dialect: the base one doubles percent signs for drivers that format.
    dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it open
    preparer: IdentifierPreparer = dialect.identifier_preparer
    return preparer.quote_identifier(name)


def _with_connection(
    address: ServerAddress, database: str, use: Callable[[_Connection], Awaitable[T]]
) -> T:
    async def connect_and_use() -> T:
        connection = await _connect(address, database)
        try:
            return await use(connection)
        finally:
            await connection.close()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="harness-admin") as executor:
        return executor.submit(lambda: asyncio.run(connect_and_use())).result()


async def _connect(address: ServerAddress, database: str) -> _Connection:
    try:
        connection: _Connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=database,
            timeout=CONNECT_SECONDS,
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # A TimeoutError is an OSError, and has no text of its own.
        reason = str(error) or f"no answer within {CONNECT_SECONDS} s"
        what = f"No connection to the PostgreSQL at {address.host}:{address.port}: {reason}"
        where = f"database {database!r}, user {address.user!r}"
        raise UnreachableTargetError(what, where=where) from error
    return connection
