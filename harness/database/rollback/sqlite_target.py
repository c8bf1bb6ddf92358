"""Which connections are to the file of the tests, and how to lead one to a test's own copy.

What `target` knows for PostgreSQL. A driver of SQLite gets a path, or with
``uri=True`` a ``file:`` address whose path is written as in a URL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from sqlalchemy import URL
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from harness.database.rollback.target import other_postgres

__all__ = ["SqliteTarget"]

_IN_MEMORY = ":memory:"
_ADDRESS = "file:"


@dataclass(frozen=True, slots=True)
class SqliteTarget:
    """One file; satisfies `harness.database.rollback.target.Target`.

    Args:
        file: Where it is, without links in its path.
    """

    file: Path

    @classmethod
    def of(cls, url: URL) -> SqliteTarget:
        """The file that a URL names."""
        return cls(Path(url.database or "").resolve())

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.file)

    def is_meant(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> bool:
        """Whether a driver is about to open it."""
        return dialect.name == "sqlite" and _file(arguments, options) == self.file

    def elsewhere(
        self, dialect: Dialect, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> str | None:
        """Where a driver is about to connect to: a database in memory is nobody else's."""
        if dialect.name == "postgresql":
            return other_postgres(options)
        file = _file(arguments, options) if dialect.name == "sqlite" else None
        return f"the SQLite file {str(file)!r}" if file is not None else None

    def led(
        self, database: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """What the address says besides the path (``mode=ro``, ``cache=shared``) is kept."""
        opened, *others = arguments
        if _is_address(opened, options):
            asked = urlsplit(opened).query
            database = f"{_ADDRESS}{quote(database)}{'?' * bool(asked)}{asked}"
        return [database, *others], options

    def has_uncommitted(self, entry: ConnectionPoolEntry) -> bool:
        """Whether a connection's transaction is open: drivers begin one with the first write."""
        connection: Any = entry.driver_connection
        return bool(connection.in_transaction)


def _file(arguments: Sequence[Any], options: Mapping[str, Any]) -> Path | None:
    """What is opened; None for a database in memory, or one that is temporary and has no name."""
    opened = str(arguments[0]) if arguments else ""
    if not _is_address(opened, options):
        return None if opened in {"", _IN_MEMORY} else Path(opened).resolve()
    address = urlsplit(opened)
    path = unquote(address.path)
    if path in {"", _IN_MEMORY} or parse_qs(address.query).get("mode") == ["memory"]:
        return None
    return Path(path).resolve()


def _is_address(opened: object, options: Mapping[str, Any]) -> bool:
    return bool(options.get("uri")) and str(opened).startswith(_ADDRESS)
