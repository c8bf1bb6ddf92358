"""How a migration finds its database; Alembic runs this file for every command.

In this order: the sync `Connection` that a caller put into `config.attributes["connection"]`
(works inside a running event loop, the caller commits), `sqlalchemy.url` of the Alembic
configuration, the application's settings. Without a connection an engine of its own is made.
"""

import asyncio
from contextlib import aclosing
from logging.config import fileConfig
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy import JSON, URL, Connection, DefaultClause, make_url, pool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql import functions
from sqlalchemy.sql.elements import False_

from target_app.db.startup import DatabaseNotReadyError, reaching
from target_app.models import Base
from target_app.models.types import MomentType
from target_app.settings import explain, get_settings


def _database_url() -> URL:
    configured = context.config.get_main_option("sqlalchemy.url")
    if configured:
        return make_url(configured)
    try:
        return get_settings().url
    except ValidationError as error:
        # Of all exceptions, Alembic prints this one in a line instead of a stack trace.
        raise CommandError(explain(error)) from error


def _render(kind: str, item: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write a migration that runs on both databases, and in a year: without the application."""
    match kind, item:
        case "type", MomentType():
            return "sa.DateTime(timezone=True)"
        case "type", JSON():
            # By itself Alembic writes `JSONB(astext_type=Text())` and forgets to import Text.
            autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
            return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
        # By itself in the words of the database it was written on, `now()` or `0`.
        case "server_default", DefaultClause(arg=functions.now()):
            return "sa.func.now()"
        case "server_default", DefaultClause(arg=False_()):
            return "sa.false()"
        case _:
            return False


def _write_sql() -> None:
    url = _database_url()
    if url.get_backend_name() == "sqlite":
        # A table is changed by copying it, and what to copy is read from the database.
        raise CommandError("SQLite has no --sql mode; run the same command without it")
    context.configure(
        url=url,
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
    # No pragma, so SQLite does not enforce foreign keys here: dropping the old copy of a table
    # would otherwise delete, by cascade, the rows of the tables that refer to it.
    engine = create_async_engine(_database_url(), poolclass=pool.NullPool)
    try:
        async with aclosing(await _connect(engine)) as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    try:
        with reaching(engine.url):
            return await engine.connect()
    except DatabaseNotReadyError as error:
        raise CommandError(str(error)) from error


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
