"""Tasks of the test itself, each with sessions of its own: they take turns, as requests do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

from tests.database.hazards.conftest import ONLY_CLONE
from tests.database.hazards.test_transactions import add, names

Sessions = async_sessionmaker[AsyncSession]
KEPT = ["01", "02", "04", "05", "07", "08"]


async def pause(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def work(sessions: Sessions, number: int) -> None:
    """Commit or roll back, the later the earlier it began."""
    async with sessions() as session:
        await add(session, f"{number:02}")
        await pause(20 - number)
        await (session.rollback() if number % 3 == 0 else session.commit())


async def test_tasks_of_the_test_itself_end_as_they_like(sessions: Sessions) -> None:
    await asyncio.gather(*(work(sessions, number) for number in range(9)))

    assert await names(sessions) == KEPT


async def test_tasks_of_a_group_end_as_they_like(sessions: Sessions) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(9):
            group.create_task(work(sessions, number))

    assert await names(sessions) == KEPT


async def test_tasks_of_a_group_of_anyio_end_as_they_like(sessions: Sessions) -> None:
    async with anyio.create_task_group() as group:
        for number in range(9):
            group.start_soon(work, sessions, number)

    assert await names(sessions) == KEPT


async def test_tasks_end_as_they_like_inside_an_open_transaction_of_the_test(
    sessions: Sessions,
) -> None:
    async with sessions() as around:
        await names(sessions)
        await around.connection()
        await asyncio.gather(*(work(sessions, number) for number in range(9)))

    assert await names(sessions) == KEPT


async def test_the_test_itself_takes_turns_with_a_task(sessions: Sessions) -> None:
    begun = asyncio.Event()

    async def roll_back() -> None:
        async with sessions() as session:
            await add(session, "lost")
            begun.set()
            await pause(20)

    task = asyncio.create_task(roll_back())
    await begun.wait()
    async with sessions.begin() as session:
        await add(session, "kept")
    await task

    assert await names(sessions) == ["kept"]


async def test_sessions_of_one_task_nest(sessions: Sessions) -> None:
    async def nest() -> None:
        async with sessions() as reader, sessions() as writer:
            await reader.connection()
            await add(writer, "a")
            await writer.commit()

    await asyncio.gather(nest())

    assert await names(sessions) == ["a"]


async def test_what_a_task_starts_works_inside_its_transaction(sessions: Sessions) -> None:
    async def start() -> None:
        async with sessions() as around:
            await around.connection()
            await asyncio.gather(work(sessions, 1), work(sessions, 2))

    await asyncio.gather(start(), start_nothing(sessions))

    assert await names(sessions) == ["01", "02", "nothing"]


async def start_nothing(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await add(session, "nothing")


async def test_sessions_that_tasks_only_began_are_the_tests_again(sessions: Sessions) -> None:
    one, other = sessions(), sessions()

    await asyncio.gather(add(one, "a"), add(other, "b"))
    await one.commit()
    await other.commit()

    await one.close()
    await other.close()
    assert await names(sessions) == ["a", "b"]


async def test_a_worker_that_began_before_the_test_works_while_a_session_is_open(
    sessions: Sessions,
) -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    done: asyncio.Queue[int] = asyncio.Queue()

    async def serve() -> None:
        while True:
            number = await jobs.get()
            await work(sessions, number)
            done.put_nowait(number)

    worker = asyncio.create_task(serve())
    await pause(2)
    async with sessions() as session:
        await session.connection()
        for number in (1, 2):
            jobs.put_nowait(number)
            await done.get()
    worker.cancel()

    assert await names(sessions) == ["01", "02"]


def audited(sessions: Sessions) -> FastAPI:
    """An application whose middleware writes while the endpoint's session is still open."""

    async def audit(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        async with sessions.begin() as session:
            await add(session, f"audit {request.url.path}")
        return response

    async def open_session() -> AsyncIterator[None]:
        async with sessions() as session:
            await session.connection()
            yield

    app = FastAPI()
    app.add_middleware(BaseHTTPMiddleware, dispatch=audit)
    for path in ("/a", "/b"):
        app.add_api_route(path, lambda: None, dependencies=[Depends(open_session)])
    return app


async def test_a_middleware_takes_no_turns_with_its_endpoint(sessions: Sessions) -> None:
    transport = ASGITransport(audited(sessions))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/a")

    assert await names(sessions) == ["audit /a"]


async def test_a_middleware_in_a_task_takes_no_turns_with_its_endpoint(sessions: Sessions) -> None:
    transport = ASGITransport(audited(sessions))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        await asyncio.gather(client.get("/a"), client.get("/b"))

    assert await names(sessions) == ["audit /a", "audit /b"]


@ONLY_CLONE
async def test_two_tasks_wait_for_what_the_other_has_begun(sessions: Sessions) -> None:
    met = asyncio.Barrier(2)

    async def meet(name: str) -> None:
        async with sessions.begin() as session:
            await add(session, name)
            await met.wait()

    await asyncio.gather(meet("a"), meet("b"))

    assert await names(sessions) == ["a", "b"]
