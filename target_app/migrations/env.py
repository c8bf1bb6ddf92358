"""How a migration finds its database; Alembic runs this file for every command.

In this order: the sync `Connection` that a caller put into `config.attributes["connection"]`
(works inside a running event loop, the caller commits), `sqlalchemy.url` of the Alembic
configuration, the application's settings. Without a connection an engine of its own is made.
"""

import asyncio
from logging.config import fileConfig
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from target_app.models import Base
from target_app.models.types import MomentType
from target_app.settings import get_settings


def _database_url() -> str:
    return context.config.get_main_option("sqlalchemy.url") or get_settings().database_url


def _render(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write a migration that does not import the application: it must still run in a year."""
    if kind == "type" and isinstance(item, MomentType):
        return "sa.DateTime(timezone=True)"
    return False


def _write_sql() -> None:
    context.configure(
        url=_database_url(),
        target_metadata=Base.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # what SQLite needs for most changes of a table
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _migrate_on_own_engine() -> None:
    engine = create_async_engine(_database_url(), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def _run() -> None:
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    if context.config.cmd_opts is not None and context.config.config_file_name is not None:
        # Only for the command line: a program that calls Alembic has logging of its own. By
        # default this would silence every existing logger, SQLAlchemy's echo among them.
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode():
        _write_sql()
    else:
        asyncio.run(_migrate_on_own_engine())


_run()
