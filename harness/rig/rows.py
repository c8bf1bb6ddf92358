"""Asks the application's database for one number, as a scenario words it: ``SELECT count(*) …``.

For "nothing lost": the scenario knows its tables, and its own process must not run a driver.
Nothing can be changed through it.
"""

from __future__ import annotations

import asyncio

import asyncpg
from sqlalchemy import URL

from harness.database.activity import OWN_NAME
from harness.database.admin import CONNECT_SECONDS
from harness.errors import MisuseError, UnreachableTargetError

__all__ = ["counted_rows"]

_ANSWER_SECONDS = 20.0


def counted_rows(url: URL, select: str) -> int:
    """The number that a statement gives.

    Args:
        url: Of the database.
        select: One that has one row with one whole number.

    Raises:
        MisuseError: The server refuses it, or it gives something else.
        UnreachableTargetError: The server does not answer.
    """
    if url.get_backend_name() != "postgresql":
        raise MisuseError("rows can be counted on a PostgreSQL only")
    return asyncio.run(_counted(url, select))


async def _counted(url: URL, select: str) -> int:
    try:
        connection = await asyncpg.connect(
            host=url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            database=url.database,
            timeout=CONNECT_SECONDS,
            command_timeout=_ANSWER_SECONDS,
            server_settings={
                "application_name": f"{OWN_NAME} rows",
                "default_transaction_read_only": "on",
            },
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise UnreachableTargetError(f"the rows cannot be counted: {error}") from error
    try:
        value = await connection.fetchval(select)
    except asyncpg.PostgresError as error:
        raise MisuseError(f"the rows cannot be counted: {error}", where=select) from error
    except (OSError, asyncpg.InterfaceError) as error:
        raise UnreachableTargetError(f"the rows cannot be counted: {error!r}") from error
    finally:
        connection.terminate()
    if not isinstance(value, int):
        raise MisuseError(f"not a number of rows: {value!r}", where=select)
    return value
