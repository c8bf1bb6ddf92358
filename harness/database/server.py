"""A PostgreSQL to work on: what it offers, whatever place it comes from.

The words that every place speaks: `embedded`, `container`, `system`, `external`. `find_server` in
`search` decides between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import URL

__all__ = ["PostgresServer", "ServerAddress"]


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a PostgreSQL listens and who may enter."""

    host: str
    port: int
    user: str
    password: str | None = field(default=None, repr=False)

    def url(self, database: str, *, driver: str = "asyncpg") -> URL:
        """The SQLAlchemy URL of one of the server's databases."""
        return URL.create(
            f"postgresql+{driver}",
            username=self.user,
            password=self.password,
            host=self.host,
            port=self.port,
            database=database,
        )


class PostgresServer(Protocol):
    """A running PostgreSQL that the caller may create databases on."""

    @property
    def address(self) -> ServerAddress:
        """Where it listens."""
        ...

    @property
    def origin(self) -> str:
        """Where it comes from, in a few words: ``"PostgreSQL 18.4, embedded"``."""
        ...

    def close(self) -> None:
        """Let go of it: stops it if it was started for us. May be called twice."""
