"""One session for several requests: correct one after the other, broken side by side.

An `AsyncSession` is one conversation with the database. Two tasks in it at once interrupt each
other's statements, and whoever ends it ends the transaction of both. Nothing of it shows in a
test that makes one request at a time.
"""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

from target_app.db import Database, Session
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
    sleep_in_database,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    database: Database = app.state.database
    app.state.session_of_thread = async_scoped_session(
        database.sessions, scopefunc=threading.get_ident
    )
    app.state.session_of_all = database.sessions()
    yield
    await app.state.session_of_thread.remove()
    await app.state.session_of_all.close()


router = APIRouter(lifespan=_lifespan)

_FAMILY = "shared-session"
_FIX = "a session per request, from a dependency"

THREAD_LOCAL = LoadFault(
    family=_FAMILY,
    name="thread-local",
    cause="keeps the session in a registry by thread, as `scoped_session` does by default",
    symptom="errors under load only, of a kind that no code explains",
    signal="one session object in several requests at once; 500 at 40 clients, none at one",
    fix=_FIX,
)


async def _session_of_thread(request: Request) -> AsyncIterator[AsyncSession]:
    registry: async_scoped_session[AsyncSession] = request.app.state.session_of_thread
    yield registry()
    await registry.remove()


_SessionOfThread = Annotated[AsyncSession, Depends(_session_of_thread, scope="function")]


@router.get(THREAD_LOCAL.path)
async def count_in_the_session_of_the_thread(
    session: _SessionOfThread, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """A thread-local session where one thread runs all requests.

    Where it was met: applications that came from Flask (superset #42622, ctms-api #70). It shows as
    `InvalidRequestError` and `IllegalStateChangeError` from 2 clients on: the first request that
    ends closes the session of the others.
    """
    return await _count_slowly(session, milliseconds)


@router.get(THREAD_LOCAL.twin_path)
async def count_in_the_session_of_the_request(
    session: Session, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `count_in_the_session_of_the_thread` and `count_in_the_session_of_all`."""
    return await _count_slowly(session, milliseconds)


GLOBAL = LoadFault(
    family=_FAMILY,
    name="global",
    cause="makes one `AsyncSession` at the start and uses it in every request",
    symptom="errors under load; besides, one transaction for ever, which sees old data or locks",
    signal="one session object in several requests at once; a transaction as old as the process",
    fix=_FIX,
)


@router.get(GLOBAL.path)
async def count_in_the_session_of_all(
    request: Request, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """One session for the whole process.

    Where it was met: `db = AsyncSession(engine)` at the top of a module, imported everywhere. It
    shows as `InvalidRequestError` where two requests overlap, and never with a single client.
    """
    session: AsyncSession = request.app.state.session_of_all
    return await _count_slowly(session, milliseconds)


router.add_api_route(
    GLOBAL.twin_path, count_in_the_session_of_the_request, response_model=UserCount
)


async def _count_slowly(session: AsyncSession, milliseconds: int) -> UserCount:
    await sleep_in_database(session, milliseconds)
    return UserCount(users=await count_users(session))


FAULTS = (THREAD_LOCAL, GLOBAL)
