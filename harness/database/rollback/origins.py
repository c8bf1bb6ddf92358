"""What a pooled connection was made for, kept with it in its pool.

A module of its own because two ask: the sandbox, when a connection leaves its pool, and again when
one that never went back is used in another test.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["Origin", "note_origin", "origin_of"]

_ORIGIN = "harness_origin"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a pooled connection was made for; in any other place the pool must make a new one."""

    sandbox: object
    engine: str
    """Dialect, driver and mode, as in `harness.database.rollback.worlds.engine_name`."""
    database: str
    is_virtual: bool
    generation: int
    """Of virtual ones: ends with a change of the schema, which makes stale what the adapter has
    prepared, and with the loss of the physical connection. Of real ones: ends when the server cuts
    them off, to copy the database or because the test is over that had it for itself."""
    loop: asyncio.AbstractEventLoop | None = None
    """None where the driver is not asynchronous."""


def note_origin(entry: ConnectionPoolEntry, origin: Origin) -> None:
    """Keep it with the connection that is being made."""
    entry.info[_ORIGIN] = origin


def origin_of(entry: ConnectionPoolEntry, sandbox: object) -> Origin | None:
    """What the connection was made for; None where the sandbox has not made it."""
    origin: Origin | None = entry.info.get(_ORIGIN)
    return origin if origin is not None and origin.sandbox is sandbox else None
