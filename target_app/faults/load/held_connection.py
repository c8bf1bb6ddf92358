"""A connection that is held while no SQL runs: over an HTTP call, a streamed body, a task.

The pool is empty and the database has nothing to do, so a larger pool seems to be the cure, and
needs to grow with every client. Each twin does its SQL first and lets the connection go.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, status
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import Database, DatabaseOfApp, ReadingSession, Session
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.slow_service import SlowService, SlowServiceOfApp
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
    sleep_in_process,
)
from target_app.faults.schemas import Accepted

router = APIRouter()

_FAMILY = "held-connection"

HTTP = LoadFault(
    family=_FAMILY,
    name="http",
    cause="awaits an HTTP call between its SQL and the end of its session",
    symptom="as slow as the service it calls, and with it every other endpoint",
    signal="connections idle in transaction; they are held for far longer than SQL runs",
    fix="the session ends before the call",
)


@router.get(HTTP.path)
async def call_inside_the_session(
    session: Session, service: SlowServiceOfApp, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """An HTTP call with the request's session still open.

    Where it was met: answers of language models awaited with the session of the request
    (open-webui #20571). It shows as connections that are idle in transaction, while the process
    and the database rest and requests time out at the pool.
    """
    users = await count_users(session)
    await service.call(milliseconds)
    return UserCount(users=users)


@router.get(HTTP.twin_path)
async def call_after_the_session(
    database: DatabaseOfApp,
    service: SlowServiceOfApp,
    milliseconds: Milliseconds = DEFAULT_MILLISECONDS,
) -> UserCount:
    """The twin of `call_inside_the_session`."""
    async with database.sessions() as session:
        users = await count_users(session)
    await service.call(milliseconds)
    return UserCount(users=users)


STREAM = LoadFault(
    family=_FAMILY,
    name="stream",
    cause="streams a body that needs no SQL, from a session with FastAPI's default exit scope",
    symptom="some slow readers, or some open event streams, and nobody else gets a connection",
    signal="one connection per open stream, idle in transaction",
    fix='`Depends(get_session, scope="function")`: the session ends before the body begins',
)

_Lines = Annotated[int, Query(ge=1, le=20)]


@router.get(STREAM.path, response_class=StreamingResponse)
async def stream_inside_the_session(
    session: ReadingSession, lines: _Lines = 5, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> StreamingResponse:
    """A body that outlives the last statement by far.

    Where it was met: server-sent events, each with a connection for as long as it was open
    (open-webui #28183). It shows as one connection per stream, however little the stream says.
    """
    return _stream(await count_users(session), lines, milliseconds)


@router.get(STREAM.twin_path, response_class=StreamingResponse)
async def stream_after_the_session(
    session: Session, lines: _Lines = 5, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> StreamingResponse:
    """The twin of `stream_inside_the_session`."""
    return _stream(await count_users(session), lines, milliseconds)


def _stream(users: int, lines: int, milliseconds: int) -> StreamingResponse:
    async def body() -> AsyncIterator[str]:
        for number in range(lines):
            if number:
                await sleep_in_process(milliseconds)
            yield UserCount(users=users).model_dump_json() + "\n"

    return StreamingResponse(body(), media_type="application/x-ndjson")


BACKGROUND = LoadFault(
    family=_FAMILY,
    name="background",
    method="POST",
    cause="hands the request's session to a background task that is slow",
    symptom="fast answers, and still no connection for the next request",
    signal="connections out that belong to requests which were answered",
    fix="the task opens a session of its own, and not before it needs one",
)


@router.post(BACKGROUND.path, status_code=status.HTTP_202_ACCEPTED)
async def notify_with_the_session_of_the_request(
    session: ReadingSession,
    service: SlowServiceOfApp,
    tasks: BackgroundTasks,
    milliseconds: Milliseconds = DEFAULT_MILLISECONDS,
) -> Accepted:
    """A background task in the lifetime of the request's session.

    FastAPI ends dependencies with the default scope after the background tasks (again so since
    0.118). Where it was met: a session that was held for 100 hours by a background job
    (airas #648). It shows as a connection that stays out after the answer.
    """
    tasks.add_task(_notify_holding, session, service, milliseconds)
    return Accepted()


async def _notify_holding(session: AsyncSession, service: SlowService, milliseconds: int) -> None:
    await count_users(session)
    await service.call(milliseconds)


@router.post(BACKGROUND.twin_path, status_code=status.HTTP_202_ACCEPTED)
async def notify_with_a_session_of_its_own(
    database: DatabaseOfApp,
    service: SlowServiceOfApp,
    tasks: BackgroundTasks,
    milliseconds: Milliseconds = DEFAULT_MILLISECONDS,
) -> Accepted:
    """The twin of `notify_with_the_session_of_the_request`."""
    tasks.add_task(_notify_briefly, database, service, milliseconds)
    return Accepted()


async def _notify_briefly(database: Database, service: SlowService, milliseconds: int) -> None:
    async with database.sessions() as session:
        await count_users(session)
    await service.call(milliseconds)


FAULTS = (HTTP, STREAM, BACKGROUND)
