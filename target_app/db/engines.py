"""The engines and the session factories: one of each kind per process, made in the lifespan.

A module of its own because everything that a connection must know before its first statement
stands here: its name, its timeouts, and what makes SQLite behave.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

from target_app.settings import Settings

APPLICATION_NAME = "target_app"
"""What a database administrator sees in `pg_stat_activity`."""


@dataclass(frozen=True, slots=True)
class Database:
    """What the lifespan keeps in `app.state.database`."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    sync_engine: Engine
    sync_sessions: sessionmaker[SyncSession]


def make_engine(settings: Settings) -> AsyncEngine:
    """Return the engine of everything that awaits; it connects at the first use."""
    engine = create_async_engine(settings.url, **_options(settings, settings.url))
    _behave_like_a_server(engine.sync_engine)
    return engine


def make_sync_engine(settings: Settings) -> Engine:
    """Return the engine of the sync twin, with a pool of its own; it connects at the first use."""
    engine = create_engine(settings.sync_url, **_options(settings, settings.sync_url))
    _behave_like_a_server(engine)
    return engine


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Make engines and session factories; dispose of the pools at the end."""
    engine, sync_engine = make_engine(settings), make_sync_engine(settings)
    try:
        # Without `expire_on_commit=False`, reading an attribute after the commit would be a
        # lazy load, and in an AsyncSession that raises MissingGreenlet.
        yield Database(
            engine,
            async_sessionmaker(engine, expire_on_commit=False),
            sync_engine,
            sessionmaker(sync_engine, expire_on_commit=False),
        )
    finally:
        sync_engine.dispose()
        await engine.dispose()


def _options(settings: Settings, url: URL) -> dict[str, Any]:
    return {
        "echo": settings.echo or settings.debug,
        "pool_size": settings.pool_size,
        "max_overflow": settings.max_overflow,
        "pool_timeout": settings.pool_timeout,
        "pool_pre_ping": settings.pool_pre_ping,
        "connect_args": _CONNECT_ARGUMENTS[url.drivername](_server_settings(settings)),
    }


def _server_settings(settings: Settings) -> dict[str, str]:
    """Return PostgreSQL's settings for every session; a plain number is in milliseconds."""
    idle = settings.idle_in_transaction_timeout
    return {
        "application_name": APPLICATION_NAME,
        "statement_timeout": str(round(settings.statement_timeout * 1000)),
        "idle_in_transaction_session_timeout": str(round(idle * 1000)),
    }


# Sent with the connection's start-up packet: no round trip, and no `SET` that a rollback undoes.
_CONNECT_ARGUMENTS: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "postgresql+asyncpg": lambda values: {"server_settings": values},
    "postgresql+psycopg": lambda values: {
        "options": " ".join(f"-c {name}={value}" for name, value in values.items())
    },
    "sqlite+aiosqlite": lambda _values: {},
    "sqlite": lambda _values: {},
}


def _behave_like_a_server(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "reset", _end_sqlite)


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 - a driver's
    # Python's sqlite3 begins transactions by rules of its own, savepoints not among them.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # SQLite has no row locks. With a plain BEGIN, two transactions that read and then write
    # fail with "database is locked" at once; taking the write lock first makes them take turns.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _end_sqlite(connection: Any, _entry: ConnectionPoolEntry, _state: PoolResetState) -> None:  # noqa: ANN401 - a driver's
    # A COMMIT that a deferred constraint refuses leaves SQLite's transaction open, write lock and
    # all, and SQLAlchemy takes it for ended. Without a transaction this does nothing.
    connection.rollback()
