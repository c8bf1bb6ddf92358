"""Finds the keys again that writers have sent, in the application's database.

How is for the application's owner to say (`harness.config.WriteRoute`); what was answered is
compared with what is there in `harness.capture.reckoning`.
"""

from __future__ import annotations

from collections import Counter

import asyncpg
from sqlalchemy import URL

from harness.errors import ConfigurationError
from harness.rig.trouble.line import connected
from harness.rig.trouble.own_loop import run_apart
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["keys_by_select"]


def keys_by_select(url: URL, select: str, *, beginning: str) -> Counter[str]:
    """Read the keys from the database itself.

    Args:
        url: The application's database, with any driver.
        select: As in `WriteRoute.select`.
        beginning: Of the keys that were sent.

    Raises:
        CannotTroubleError: It is no PostgreSQL.
        ConfigurationError: The server does not understand the select.
        UnreachableTargetError: The server does not answer.
    """
    if url.get_backend_name() != "postgresql":
        raise CannotTroubleError(
            "writes are looked up on a PostgreSQL only",
            remedy="give [tool.harness.write] a `get`, to ask the application",
        )

    async def read() -> Counter[str]:
        async with connected(url) as line:
            rows = await line.fetch(select, beginning)
        return Counter(str(row[0]) for row in rows)

    try:
        return run_apart(read)
    except asyncpg.PostgresError as error:
        raise ConfigurationError(f"the keys cannot be read: {error}", where=select) from error
