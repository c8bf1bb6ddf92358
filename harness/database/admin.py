"""Server-level statements and questions from synchronous code.

They are often asked while the caller's own event loop is busy (inside a fixture, a Locust listener,
a Jupyter cell), so every call gets a thread with a loop of its own.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

import asyncpg

from harness.errors import UnreachableTargetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from harness.database.server import ServerAddress

__all__ = [
    "available_extensions",
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
