"""A statement that is cancelled, or takes too long, costs its own transaction and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.database.hazards.conftest import ONLY_ROLLBACK

COUNT = text("SELECT string_agg(body, ' ' ORDER BY body) FROM notes")
SLEEP = "SELECT pg_sleep(30)"


async def run(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def bodies(engine: AsyncEngine) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(COUNT)


async def test_a_time_out_of_asyncio_loses_its_own_transaction_only(db: AsyncEngine) -> None:
    await run(db, "CREATE TABLE notes (body text)", "INSERT INTO notes VALUES ('before')")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await run(db, "INSERT INTO notes VALUES ('lost')", SLEEP)
    await run(db, "INSERT INTO notes VALUES ('later')")

    assert await bodies(db) == "before later"


async def test_a_time_out_inside_an_open_transaction_leaves_that_one_usable(
    db: AsyncEngine,
) -> None:
    await run(db, "CREATE TABLE notes (body text)")

    async with db.begin() as around:
        await around.execute(text("INSERT INTO notes VALUES ('around')"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await run(db, "INSERT INTO notes VALUES ('lost')", SLEEP)
        await around.execute(text("INSERT INTO notes VALUES ('around')"))

    assert await bodies(db) == "around around"


async def test_a_time_out_of_the_server_loses_its_own_transaction_only(db: AsyncEngine) -> None:
    await run(db, "CREATE TABLE notes (body text)", "INSERT INTO notes VALUES ('before')")

    with pytest.raises(DBAPIError, match="statement timeout"):
        await run(
            db,
            "INSERT INTO notes VALUES ('lost')",
            "SET LOCAL statement_timeout = '20ms'",
            SLEEP,
        )
    await run(db, "INSERT INTO notes VALUES ('later')", "SELECT pg_sleep(0.03)")

    assert await bodies(db) == "before later"


@ONLY_ROLLBACK
async def test_a_commit_that_is_cancelled_anywhere_leaves_a_world_that_works(
    db: AsyncEngine,
) -> None:
    await run(
        db,
        "CREATE TABLE notes (body text)",
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    )

    for steps in range(40):
        task = asyncio.create_task(run(db, "INSERT INTO children VALUES (1)"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await run(db, "INSERT INTO notes VALUES ('after')")

    assert await bodies(db) == "after"
