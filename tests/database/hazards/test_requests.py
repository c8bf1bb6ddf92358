"""Requests to an application that has a global session maker, and no dependency to override."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from harness.capture import RequestTracker
from tests.database.hazards.conftest import ONLY_CLONE, ONLY_ROLLBACK

Sessions = async_sessionmaker[AsyncSession]
ADD = text("INSERT INTO tags (name) VALUES (:name)")
NAMES = text("SELECT name FROM tags WHERE name LIKE 'hazard %' ORDER BY name")


async def add(sessions: Sessions, name: str, *, then: str = "commit") -> None:
    async with sessions() as session:
        await session.execute(ADD, {"name": f"hazard {name}"})
        await asyncio.sleep(0)
        if then == "never end":
            await session.execute(text("SELECT pg_sleep(30)"))
        await (session.rollback() if then == "roll back" else session.commit())


async def names(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return [name.removeprefix("hazard ") for name in await session.scalars(NAMES)]


@pytest.fixture
async def client(
    sessions: Sessions, harness_tracker: RequestTracker
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.post("/add/{name}")
    async def add_tag(name: str, then: str = "commit") -> None:
        await add(sessions, name, then=then)

    @app.post("/later/{name}")
    async def add_later(name: str, background: BackgroundTasks) -> None:
        background.add_task(add, sessions, name)

    @app.get("/now")
    async def now() -> datetime | None:
        async with sessions() as session:
            found: datetime | None = await session.scalar(text("SELECT now()"))
            return found

    transport = httpx.ASGITransport(app=harness_tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def test_a_background_task_with_the_global_session_maker_shares_the_world(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    await client.post("/later/a")

    assert await names(sessions) == ["a"]


async def test_fifty_requests_at_once_commit_and_roll_back_in_any_order(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    def request(number: int) -> object:
        then = "commit" if number % 3 else "roll back"
        return client.post(f"/add/{number:02}", params={"then": then})

    answers = await asyncio.gather(*(request(number) for number in range(50)))  # type: ignore[call-overload]

    assert {answer.status_code for answer in answers} == {200}
    assert await names(sessions) == [f"{number:02}" for number in range(50) if number % 3]


async def test_requests_run_while_a_session_of_the_test_is_open(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    async with sessions() as session:
        await session.execute(NAMES)
        await client.post("/add/a")
        seen = [*await session.scalars(NAMES)]

    assert seen == ["hazard a"]


async def test_a_client_that_goes_away_loses_its_own_transaction_only(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    await client.post("/add/before")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.post("/add/lost", params={"then": "never end"})
    await client.post("/add/later")

    assert await names(sessions) == ["before", "later"]


async def times(client: httpx.AsyncClient) -> set[str]:
    return {(await client.get("/now")).text for _ in range(3)}


@ONLY_ROLLBACK
async def test_now_is_one_time_for_a_whole_test(client: httpx.AsyncClient) -> None:
    assert len(await times(client)) == 1


@ONLY_CLONE
async def test_now_is_the_time_of_each_transaction(client: httpx.AsyncClient) -> None:
    assert len(await times(client)) == 3


async def test_what_a_test_left_behind_is_not_found_by_the_next(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    assert await names(sessions) == []  # every test of this module uses these rows
    await client.post("/add/left behind")
