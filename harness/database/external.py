"""A PostgreSQL that was there before us and stays when we go: the user's own, named by a URL."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from harness.database.admin import MAINTENANCE_DATABASE, server_version
from harness.database.server import ServerAddress
from harness.errors import ConfigurationError, NoPostgresError, UnreachableTargetError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["ExternalServer"]

BACKENDS = frozenset({"postgres", "postgresql"})
DEFAULT_PORT = 5432


class ExternalServer:
    """The user's server; satisfies `harness.database.server.PostgresServer`."""

    def __init__(self, address: ServerAddress, *, origin: str) -> None:
        self._address = address
        self._origin = origin

    @classmethod
    def at(cls, text: str) -> ExternalServer:
        """The server that a URL names, once it has answered.

        The database in the URL is only connected to for the check; the harness makes its own.

        Raises:
            ConfigurationError: Not a URL of a PostgreSQL, or one with options that would get lost.
            NoPostgresError: The server does not answer within five seconds.
        """
        url = _parsed(text)
        address = ServerAddress(
            host=url.host or "localhost",
            port=url.port or DEFAULT_PORT,
            user=url.username or getpass.getuser(),
            password=url.password,
        )
        try:
            version = server_version(address, database=url.database or MAINTENANCE_DATABASE)
        except UnreachableTargetError as error:
            remedy = (
                "Start that server or correct HARNESS_POSTGRES (or `postgres` in [tool.harness]);"
                '\n"embedded" needs no server of your own.'
            )
            raise NoPostgresError(error.what, where=_shown(url), remedy=remedy) from error
        return cls(address, origin=f"PostgreSQL {version} at {address.host}:{address.port}")

    @property
    def address(self) -> ServerAddress:
        """Where it listens."""
        return self._address

    @property
    def origin(self) -> str:
        """Where it comes from: ``"PostgreSQL 17.2 at db:5432"``."""
        return self._origin

    def close(self) -> None:
        """Nothing: the server is not ours."""


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, so it is not repeated.
        what = "The configured PostgreSQL URL cannot be read."
        remedy = "Write postgresql://user:password@host:5432/database, special characters as %XX."
        raise ConfigurationError(what, remedy=remedy) from error
    if url.drivername.partition("+")[0] not in BACKENDS:
        what = f"{_shown(url)} is not the URL of a PostgreSQL."
        remedy = "Write postgresql://user:password@host:5432/database"
        if url.drivername.partition("+")[0] == "sqlite":
            remedy += ', or "sqlite" alone: every test gets a file of its own'
        raise ConfigurationError(what, remedy=remedy)
    if url.query:
        # Dropping one silently could turn an encrypted connection into a plain one.
        what = f"Options in the PostgreSQL URL are not supported: {', '.join(sorted(url.query))}."
        remedy = "Take them out of the URL; libpq's variables, such as PGSSLMODE, work instead."
        raise ConfigurationError(what, where=_shown(url), remedy=remedy)
    return url


def _shown(url: URL) -> str:
    """The URL without its password and its options."""
    return url.set(query={}).render_as_string(hide_password=True)
