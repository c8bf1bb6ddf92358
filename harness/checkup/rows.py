"""Whether there is anything to load: on empty tables every endpoint looks clean."""

from __future__ import annotations

from sqlalchemy import URL, create_engine, exists, inspect, select, table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from harness.checkup.tables import table_names
from harness.database.schema import run_apart
from harness.findings import ProbeVerdict, Verdict

__all__ = ["rows_probe"]


def rows_probe(url: URL) -> ProbeVerdict:
    """Count the tables that have rows.

    Args:
        url: The prepared database, with a driver that awaits.

    Returns:
        A warning if all tables are empty: what is found then says little.
    """
    has_rows = _on_sqlite(url) if url.get_backend_name() == "sqlite" else _on_postgres(url)
    filled = sum(has_rows)
    if not has_rows:
        why = "the database has no tables: set alembic or metadata in [tool.harness]"
        return ProbeVerdict("rows", Verdict.WARN, why)
    if not filled:
        why = f"all {len(has_rows)} tables are empty, and an N+1 shows with rows only: set populate"
        return ProbeVerdict("rows", Verdict.WARN, why)
    return ProbeVerdict("rows", Verdict.PASS, f"{filled} of {len(has_rows)} tables have rows")


def _on_postgres(url: URL) -> list[bool]:
    has_rows: list[bool] = []

    async def look() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            for table in await table_names(connection):
                query = text(f"SELECT EXISTS (SELECT 1 FROM {table})")  # noqa: S608 - quoted
                has_rows.append(bool((await connection.execute(query)).scalar_one()))

    run_apart(look())
    return has_rows


def _on_sqlite(url: URL) -> list[bool]:
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
        queries = [select(exists().select_from(table(name))) for name in names]
        return [bool(connection.scalar(query)) for query in queries]
