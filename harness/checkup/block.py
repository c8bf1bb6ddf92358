"""Block every statement of the application for a while, from outside: a lock on all its tables.

What a migration does when it takes its lock behind a long transaction. The application's requests
hold their connections and wait; those that come later find the pool empty.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from harness.database.schema import run_apart

__all__ = ["Block", "block_tables"]

_TABLES = text(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
)


@dataclass(frozen=True, slots=True)
class Block:
    """When statements were blocked, on the clock of `time.monotonic`."""

    from_seconds: float
    until_seconds: float


def block_tables(url: URL, *, seconds: float) -> Block:
    """Lock all tables of a database for some time.

    Args:
        url: The database, with the asyncpg driver; one that the harness made.
        seconds: How long.
    """
    moments: list[float] = []

    async def hold() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            await _lock(connection)
            moments.append(time.monotonic())
            await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
            await connection.rollback()
            moments.append(time.monotonic())

    run_apart(hold())
    return Block(*moments)


async def _lock(connection: AsyncConnection) -> None:
    tables = (await connection.execute(_TABLES)).scalars().all()
    if tables:
        # The names come quoted from the server; LOCK takes no bind parameters.
        await connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
