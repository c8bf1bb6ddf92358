"""However a statement is executed, it is recorded, also when it is remembered from another way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import Connection, Integer, column, create_engine, insert, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from harness.capture import SourceMap, recording

Way = Callable[[AsyncEngine], Awaitable[None]]

ITEMS = table("items", column("id", Integer))
COMPILED = select(ITEMS.c.id).where(ITEMS.c.id == 1)
WRITTEN = text("SELECT id FROM items WHERE id = 1")
SQL = "SELECT id FROM items"


async def by_connection(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(COMPILED)
        await connection.execute(WRITTEN)
        await connection.exec_driver_sql(SQL)


async def by_stream(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.stream(COMPILED)
        await connection.stream_scalars(WRITTEN)
        await connection.scalar(text(SQL))


async def by_session(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await session.execute(COMPILED)
        await session.scalars(WRITTEN)
        await session.execute(text(SQL))


async def inside_run_sync(engine: AsyncEngine) -> None:
    def work(connection: Connection) -> None:
        connection.execute(COMPILED)
        connection.execute(WRITTEN)
        connection.exec_driver_sql(SQL)

    async with engine.connect() as connection:
        await connection.run_sync(work)


WAYS = (by_connection, by_stream, by_session, inside_run_sync)


@pytest.mark.parametrize("order", list(permutations(WAYS)), ids=lambda ways: ways[0].__name__)
async def test_every_way_is_recorded_after_every_other(order: tuple[Way, ...]) -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE items (id INTEGER)")

    with recording(SourceMap(Path(__file__).parent)) as recorder:
        for way in order:
            await way(engine)

    taken = recorder.snapshot()
    await engine.dispose()
    assert taken.failure == ""
    assert [trip.call_site.function for trip in taken.statements if trip.call_site] == [
        f"{way.__name__}.<locals>.work" if way is inside_run_sync else way.__name__
        for way in order
        for _ in range(3)
    ]


def test_ways_that_block_are_recorded_after_those_that_await() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE items (id INTEGER)")

    with recording(SourceMap(Path(__file__).parent)) as recorder:
        with engine.begin() as connection:
            connection.execute(insert(ITEMS), [{"id": 1}, {"id": 2}])
            connection.execute(COMPILED)
        with Session(engine) as session:
            session.execute(COMPILED)
            session.scalar(WRITTEN)

    taken = recorder.snapshot()
    engine.dispose()
    assert taken.failure == ""
    assert taken.statement_count == 4


def test_a_task_without_any_caller_is_recorded() -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)

    async def alone() -> None:
        async with engine.connect() as connection:
            await connection.execute(select(1))
        await engine.dispose()

    with recording(SourceMap(Path("/nowhere"))) as recorder:
        asyncio.run(alone())

    assert recorder.snapshot().failure == ""
    assert recorder.snapshot().statement_count == 1
