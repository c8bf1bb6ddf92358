"""Leaks: the request is over, its connection is still out.

What is kept here stands in `app.state` instead of a module's list, so that the end of the
application can give it back; no request ever does. The leaks end where the pool does: its next
clients are answered with 503.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI, Request, status
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import Database, DatabaseOfApp
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.slow_service import SlowService, SlowServiceOfApp
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
)
from target_app.faults.schemas import Accepted


@dataclass(frozen=True, slots=True)
class _Kept:
    sessions: list[AsyncSession] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    kept = app.state.kept = _Kept()
    yield
    for task in kept.tasks:
        task.cancel()
    await asyncio.gather(*kept.tasks, return_exceptions=True)
    for session in kept.sessions:
        await session.close()


router = APIRouter(lifespan=_lifespan)

_FAMILY = "leak"

NEVER_CLOSED = LoadFault(
    family=_FAMILY,
    name="never-closed",
    cause="calls the session factory, never `close`, and a list keeps the session alive",
    symptom="works until the pool is used up, then 503 for everybody, until a restart",
    signal="one connection more out after every request, although none is being worked on",
    fix="`async with sessions() as session`",
)


@router.get(NEVER_CLOSED.path)
async def count_in_a_session_that_is_kept(request: Request, database: DatabaseOfApp) -> UserCount:
    """A session without an end.

    Where it was met: `next(get_db())` in a helper or a health check. It shows as a pool that fills
    by one with every request; if nobody kept the session, the garbage collector would end it.
    """
    session = database.sessions()
    kept: _Kept = request.app.state.kept
    kept.sessions.append(session)
    return UserCount(users=await count_users(session))


@router.get(NEVER_CLOSED.twin_path)
async def count_in_a_session_that_ends(database: DatabaseOfApp) -> UserCount:
    """The twin of `count_in_a_session_that_is_kept`."""
    async with database.sessions() as session:
        return UserCount(users=await count_users(session))


ABANDONED_GENERATOR = LoadFault(
    family=_FAMILY,
    name="abandoned-generator",
    cause="leaves `async for session in get_db()` by `break`: that does not close the generator",
    symptom="503 now and then, which nobody can repeat: the garbage collector repairs it",
    signal="connections out after their request, terminated by the next garbage collection",
    fix="`async with aclosing(get_db())`, or a dependency",
)


async def _sessions(database: Database) -> AsyncGenerator[AsyncSession]:
    """What is called `get_db` elsewhere: correct as a dependency, and not as an iterator."""
    async with database.sessions() as session:
        yield session


class _Report:
    """Counts users, in a session that it takes out of a generator."""

    def __init__(self, database: Database) -> None:
        self._opened = _sessions(database)
        # A bound method in an attribute of its object is a cycle, as callbacks often are: nothing
        # but the garbage collector frees the object, and with it the generator.
        self.refresh: Callable[[], object] = self.users

    async def users(self) -> int:
        users = 0
        async for session in self._opened:
            users = await count_users(session)
            break
        return users


@router.get(ABANDONED_GENERATOR.path)
async def count_in_a_session_of_a_generator(database: DatabaseOfApp) -> UserCount:
    """A session that ends whenever its generator is collected.

    Where it was met: a dependency around `get_db`, until no connection was left (otari #1236). It
    shows as connections that are out after the request, and as "The garbage collector is trying to
    clean up non-checked-in connection" in the log: they are terminated, and new ones opened.
    """
    return UserCount(users=await _Report(database).users())


@router.get(ABANDONED_GENERATOR.twin_path)
async def count_in_a_session_of_a_closed_generator(database: DatabaseOfApp) -> UserCount:
    """The twin of `count_in_a_session_of_a_generator`."""
    async with aclosing(_sessions(database)) as opened:
        async for session in opened:
            return UserCount(users=await count_users(session))
    raise AssertionError("the generator yields once")


TASK = LoadFault(
    family=_FAMILY,
    name="task",
    method="POST",
    cause="starts a task by `create_task` that keeps its session open while it calls a service",
    symptom="fast answers, and a pool that is empty although no request is being worked on",
    signal="connections out that belong to tasks whose request has ended",
    fix="a short session for each step of the task",
)


@router.post(TASK.path, status_code=status.HTTP_202_ACCEPTED)
async def start_a_task_with_one_session(
    request: Request,
    database: DatabaseOfApp,
    service: SlowServiceOfApp,
    milliseconds: Milliseconds = DEFAULT_MILLISECONDS,
) -> Accepted:
    """Fire and forget, with a session for the whole task.

    Where it was met: agents and imports that the request starts and does not wait for. It shows as
    connections of nobody, idle in transaction, for as long as the task lives.
    """
    _start(request, _work_in_one_session(database, service, milliseconds))
    return Accepted()


async def _work_in_one_session(database: Database, service: SlowService, milliseconds: int) -> None:
    async with database.sessions() as session:
        await count_users(session)
        await service.call(milliseconds)
        await count_users(session)


@router.post(TASK.twin_path, status_code=status.HTTP_202_ACCEPTED)
async def start_a_task_with_short_sessions(
    request: Request,
    database: DatabaseOfApp,
    service: SlowServiceOfApp,
    milliseconds: Milliseconds = DEFAULT_MILLISECONDS,
) -> Accepted:
    """The twin of `start_a_task_with_one_session`."""
    _start(request, _work_in_short_sessions(database, service, milliseconds))
    return Accepted()


async def _work_in_short_sessions(
    database: Database, service: SlowService, milliseconds: int
) -> None:
    async with database.sessions() as session:
        await count_users(session)
    await service.call(milliseconds)
    async with database.sessions() as session:
        await count_users(session)


def _start(request: Request, work: Coroutine[None, None, None]) -> None:
    # The loop itself keeps only weak references: without the set, a task could vanish half-way.
    kept: _Kept = request.app.state.kept
    task = asyncio.create_task(work)
    kept.tasks.add(task)
    task.add_done_callback(kept.tasks.discard)


FAULTS = (NEVER_CLOSED, ABANDONED_GENERATOR, TASK)
