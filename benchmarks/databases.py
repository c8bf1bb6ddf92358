"""A database for one measurement: made for it, dropped after it on every path."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from harness.database.admin import run_admin
from harness.database.server import PostgresServer

__all__ = ["new_database"]


@contextmanager
def new_database(server: PostgresServer) -> Iterator[str]:
    """The name of an empty database for the block."""
    name = f"benchmark_{secrets.token_hex(4)}"
    try:  # An interrupt may arrive when the server has made it, and not yet said so.
        run_admin(server.address, [f"CREATE DATABASE {name}"])
        yield name
    finally:
        run_admin(server.address, [f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"])
