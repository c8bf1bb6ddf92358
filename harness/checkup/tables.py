"""The application's own tables, by name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["table_names"]

_NAMES = text(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') "
    "AND tablename <> 'alembic_version' ORDER BY 1"
)


async def table_names(connection: AsyncConnection) -> Sequence[str]:
    """Qualified names, quoted by the server: they may be put into SQL as they are."""
    names: Sequence[str] = (await connection.execute(_NAMES)).scalars().all()
    return names
