"""The engine, the session factory and the session of one request.

A module of its own because the life time of each is the first thing to get right: one engine
per process, made in the lifespan; one session per request, made by `get_session`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from starlette.requests import HTTPConnection

from target_app.settings import Settings


@dataclass(frozen=True, slots=True)
class Database:
    """What the lifespan keeps in `app.state.database`."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]


def make_engine(settings: Settings) -> AsyncEngine:
    """Return an engine; it opens no connection before the first use.

    `application_name` is what a database administrator sees in `pg_stat_activity`.
    """
    return create_async_engine(
        settings.database_url,
        echo=settings.echo,
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout,
        connect_args={"server_settings": {"application_name": "target_app"}},
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Make the engine and the session factory; dispose of the pool at the end."""
    engine = make_engine(settings)
    try:
        # Without `expire_on_commit=False`, reading an attribute after the commit would be a
        # lazy load, and in an AsyncSession that raises MissingGreenlet.
        yield Database(engine, async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()


async def get_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yield the session of one request: the unit of work.

    Commits when the endpoint returns, rolls back on any exception (cancellation too), closes
    in both cases. Endpoints, services and repositories flush and never commit.
    """
    database: Database = connection.app.state.database
    async with database.sessions() as session:
        try:
            yield session
        except BaseException:
            await session.rollback()
            raise
        await session.commit()


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
"""The session, as endpoints and repositories ask for it.

The scope decides when the code after the `yield` runs. `"function"` ends the unit of work
before the response is sent: a client that has its 201 finds the row on any connection, a failed
commit still becomes an error answer, and a slow client holds no connection. FastAPI's default,
`"request"`, ends it after the response: needed only where a streamed body still reads from the
session.
"""
