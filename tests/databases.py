"""Databases that tests make beside the run's own, on the server that they share."""

from __future__ import annotations

from harness.database.admin import run_admin
from harness.database.server import ServerAddress

__all__ = ["create_database", "drop_database"]


def create_database(address: ServerAddress, name: str, *, template: str | None = None) -> None:
    """Create a database, as a copy of `template` if one is given."""
    copied = f' TEMPLATE "{template}"' if template is not None else ""
    run_admin(address, [f'CREATE DATABASE "{name}"{copied}'])


def drop_database(address: ServerAddress, name: str) -> None:
    """Drop a database if it exists, ending whatever is still connected to it."""
    run_admin(address, [f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'])
