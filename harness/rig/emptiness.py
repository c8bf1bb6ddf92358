"""Whether the application's tables have rows: a load of empty ones measures what nobody will run.

Asked when the application is served, because it may make tables and rows itself as it starts.
"""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import SQLAlchemyError

from harness.database.schema import committed

__all__ = ["empty_tables"]

_POSTGRES_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relname <> 'alembic_version'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                AND d.objid = c.oid AND d.deptype = 'e')
"""
_SQLITE_TABLES = """
SELECT '"' || replace(name, '"', '""') || '"' FROM sqlite_master
WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> 'alembic_version'
"""
_PATIENCE = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s'"
"""For tables that the application has locked as it started: nobody waits for a remark."""

# What SQLAlchemy 2.0 meets as it connects it hands on as the driver's own.
_LOST = (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


def empty_tables(url: URL) -> int:
    """How many tables there are, where none has a row; 0 where one has, or nobody can tell.

    What Alembic and extensions keep for themselves are no tables of the application.

    Args:
        url: Of the database, with an async driver.
    """
    try:
        return committed(url, _count)
    except _LOST:  # it answers the application, which is what matters
        return 0


def _count(connection: Connection) -> int:
    is_postgres = connection.dialect.name == "postgresql"
    if is_postgres:
        for setting in _PATIENCE.split("; "):
            connection.execute(text(setting))
    names = connection.scalars(text(_POSTGRES_TABLES if is_postgres else _SQLITE_TABLES)).all()
    return 0 if _has_rows(connection, names) else len(names)


def _has_rows(connection: Connection, names: Iterable[str]) -> bool:
    """Not by `reltuples`, which nobody has counted yet in tables that were just made."""
    return any(
        connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {_escaped(name)})"))  # noqa: S608 - quoted by the server
        for name in names
    )


def _escaped(name: str) -> str:
    """For `text`, which takes a colon for the beginning of a parameter."""
    return name.replace(":", r"\:")
