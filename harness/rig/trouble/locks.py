"""Block every statement of the application for a while, from outside: a lock on all its tables.

What a migration does when it takes its lock behind a long transaction. The application's requests
hold their connections and wait; those that come later find the pool empty.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from harness.checkup.tables import table_names
from harness.database.schema import run_apart
from harness.errors import UnavailableError
from harness.rig.limits import LONGEST_LOCK_SECONDS

__all__ = ["Block", "CannotBlockError", "block_tables"]

_LOCK_WAIT = "100ms"
_ATTEMPTS = 100


class CannotBlockError(UnavailableError):
    """The application's tables could not be locked."""

    slug = "cannot-block"


@dataclass(frozen=True, slots=True)
class Block:
    """When statements were blocked, on the clock of `time.monotonic`."""

    from_seconds: float
    until_seconds: float


def block_tables(url: URL, *, seconds: float) -> Block:
    """Lock all tables of a database for some time.

    Args:
        url: The database, with the asyncpg driver; one that the harness made.
        seconds: How long; at most `LONGEST_LOCK_SECONDS`.

    Raises:
        CannotBlockError: If the locks were not to be had, or not for so long.
    """
    if seconds > LONGEST_LOCK_SECONDS:
        raise CannotBlockError(
            f"tables are locked for {LONGEST_LOCK_SECONDS:g} s at most, not for {seconds:g} s"
        )
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
    """Take all locks or none, and never wait long for one while holding another.

    Waiting for longer than `deadlock_timeout` (1 s) would make the server end somebody's
    transaction, perhaps the application's: an error that no lock of one table causes.
    """
    tables = await table_names(connection)
    await connection.rollback()
    for _ in range(_ATTEMPTS if tables else 0):
        await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
        try:
            await connection.execute(
                text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            )
        except DBAPIError:
            await connection.rollback()
        else:
            return
    raise CannotBlockError(f"no lock on all of {len(tables)} tables in {_ATTEMPTS} attempts")
