"""The server's process behind a connection, by which the server names it.

A module of its own because drivers say it in different words, and whoever lets go of connections
has to tell the server which.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["process_id", "process_ids"]


def process_id(connection: Any) -> int:
    """The server's process behind a driver's own connection."""
    if hasattr(connection, "get_server_pid"):  # asyncpg
        return int(connection.get_server_pid())
    return int(connection.info.backend_pid)


def process_ids(entries: Iterable[ConnectionPoolEntry]) -> set[int]:
    """Those of the connections that pools have, real ones."""
    connections = (entry.driver_connection for entry in entries)
    return {process_id(connection) for connection in connections if connection is not None}
