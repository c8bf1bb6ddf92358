"""A pool that is larger than the server: the limit is met in the database instead of the pool.

At the pool's limit a request waits for its turn; at the server's it is refused, and so are the
migration, the cron job and the administrator. The pool is per process: what must fit into
`max_connections`, less what is reserved, is (pool_size + max_overflow) * processes * replicas, and
twice that while one release replaces another.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from target_app.db import Database, Session
from target_app.db.engines import APPLICATION_NAME
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
    sleep_in_database,
)

# What PostgreSQL has by default is 100 for everybody; some of them are reserved.
_POOL_SIZE = 100


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    database: Database = app.state.database
    engine = app.state.oversized_engine = create_async_engine(
        database.engine.url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_SIZE,
        connect_args={"server_settings": {"application_name": APPLICATION_NAME}},
    )
    yield
    await engine.dispose()


router = APIRouter(lifespan=_lifespan)

FLEET = LoadFault(
    family="pool-larger-than-server",
    name="fleet",
    cause="gives each process a pool of 100 + 100 connections on a server that has 100",
    symptom="requests are refused under load, and with them everybody else on this server",
    signal="SQLSTATE 53300 (`too many connections`), and never a wait at the pool",
    fix="pool_size + max_overflow, times processes, below 80 % of what the server has",
)


@router.get(FLEET.path)
async def count_with_the_oversized_pool(
    request: Request, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """An engine whose pool the server cannot fill.

    Where it was met: `pool_size=100, max_overflow=100`, several services (tracecat #1034); settings
    that are meant for all processes and apply to each (mcp-context-forge #4645). It shows as
    refused connections; the pool itself never has a waiter.
    """
    engine: AsyncEngine = request.app.state.oversized_engine
    async with AsyncSession(engine) as session:
        return await _count_slowly(session, milliseconds)


@router.get(FLEET.twin_path)
async def count_with_the_pool_that_fits(
    session: Session, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `count_with_the_oversized_pool`: the application's own pool, of 5 + 5.

    Eight processes of it fit into the default of 100, and whoever comes too early waits.
    """
    return await _count_slowly(session, milliseconds)


async def _count_slowly(session: AsyncSession, milliseconds: int) -> UserCount:
    await sleep_in_database(session, milliseconds)
    return UserCount(users=await count_users(session))


FAULTS = (FLEET,)
