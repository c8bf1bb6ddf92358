"""The session of one request: who makes it, who commits it, and when it ends.

A module of its own because these dependencies are all that endpoints, services and repositories
know of the database. Three of them:

    Session         the unit of work; ends before the answer is sent. The one to use.
    ReadingSession  ends after the answer is sent; reads for a streamed body, never commits.
    BlockingSession the unit of work of `def` endpoints, which run in threads.

What differs is FastAPI's exit scope, the moment at which the code after the `yield` runs.
`"function"` runs it when the endpoint has returned, before the answer is sent: a client that has
its 201 finds the row on any connection, a failed commit still becomes an error answer, and a slow
client holds no connection. `"request"`, FastAPI's default, runs it after the last byte: a commit
there comes too late for the client that reads at once, and its failure is told to nobody. It is
needed only where the body itself still reads from the session.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as SyncSession
from starlette.requests import HTTPConnection

from target_app.db.engines import Database


async def get_database(connection: HTTPConnection) -> Database:
    """Return what the lifespan opened, for work that outlives its request.

    `async def`, like every dependency here that only makes an object: FastAPI calls a plain
    function or a class in the thread pool, which costs a switch of threads in every request, and
    a wait when blocking endpoints have all 40 threads.
    """
    database: Database = connection.app.state.database
    return database


DatabaseOfApp = Annotated[Database, Depends(get_database)]
"""The engines and session factories, as background tasks and exports ask for them."""


async def get_session(
    connection: HTTPConnection, database: DatabaseOfApp
) -> AsyncIterator[AsyncSession]:
    """Yield the session of one request: the unit of work.

    Commits when the endpoint returns, rolls back on any exception (cancellation too), closes
    in both cases. Endpoints, services and repositories flush and never commit. Where the
    transaction middleware has a session for this request, that one is yielded and left alone.

    Closing is what rolls back: SQLAlchemy finishes it in a task of its own, where an
    `await session.rollback()` in an `except` could be cancelled in its turn.
    """
    of_middleware: AsyncSession | None = getattr(connection.state, "session", None)
    if of_middleware is not None:
        yield of_middleware
        return
    async with database.sessions() as session:
        yield session
        await session.commit()


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
"""The session of the unit of work, as endpoints and repositories ask for it."""


async def get_reading_session(database: DatabaseOfApp) -> AsyncIterator[AsyncSession]:
    """Yield a session that stays usable while the body is sent; what it changes is rolled back."""
    async with database.sessions() as session:
        yield session


ReadingSession = Annotated[AsyncSession, Depends(get_reading_session, scope="request")]
"""A session for a streamed body; it holds a connection for as long as the client reads."""


def get_blocking_session(database: DatabaseOfApp) -> Iterator[SyncSession]:
    """Yield the session of a `def` endpoint: the unit of work again, in a thread.

    The transaction middleware has no part in it: its session is for code that awaits.
    """
    with database.sync_sessions() as session:
        yield session
        session.commit()


# Fewer than the 40 threads that `def` endpoints share. FastAPI validates their answers in a thread
# too, while the session still has its connection. Measured without this limit, with 60 requests and
# a pool of one: 40 threads waited for the connection, its owner waited for a thread, and nothing
# moved until the pool's timeout made 503s of them.
BLOCKING_SESSIONS_AT_ONCE = 30

BlockingSession = Annotated[
    SyncSession,
    Depends(get_blocking_session, scope="function", max_concurrency=BLOCKING_SESSIONS_AT_ONCE),
]
"""The session of `def` endpoints; in an `async def` endpoint it would block the event loop."""
