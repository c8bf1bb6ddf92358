"""What transactions are begun with: read only, deferrable, isolation levels."""

from __future__ import annotations

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from harness.database.rollback.advice import Topic

ADD = text("INSERT INTO tags (name) VALUES ('hazard a')")
COUNT = text("SELECT count(*) FROM tags WHERE name = 'hazard a'")
IS_READ_ONLY = text("SHOW transaction_read_only")
READ_ONLY = {"postgresql_readonly": True}
STRICT = {"isolation_level": "SERIALIZABLE", "postgresql_deferrable": True, **READ_ONLY}
REFUSED = "read-only transaction"


async def test_a_read_only_connection_may_not_write(db: AsyncEngine) -> None:
    async with db.connect() as connection:
        await connection.execution_options(**READ_ONLY)
        said = [await connection.scalar(statement) for statement in (IS_READ_ONLY, COUNT)]
        with pytest.raises(DBAPIError, match=REFUSED):
            await connection.execute(ADD)

    assert said == ["on", 0]


def test_a_read_only_connection_that_blocks_may_not_write(sync_db: Engine) -> None:
    with sync_db.connect().execution_options(**READ_ONLY) as connection:
        said = [connection.scalar(statement) for statement in (IS_READ_ONLY, COUNT)]
        with pytest.raises(DBAPIError, match=REFUSED):
            connection.execute(ADD)

    assert said == ["on", 0]


async def test_a_read_only_transaction_keeps_nobody_else_from_writing(db: AsyncEngine) -> None:
    reading = db.execution_options(**READ_ONLY)
    async with reading.connect() as reader:
        await reader.scalar(COUNT)
        async with db.begin() as writer:
            await writer.execute(ADD)
        said = [await reader.scalar(statement) for statement in (IS_READ_ONLY, COUNT)]

    assert said == ["on", 1]


def test_a_read_only_transaction_that_blocks_keeps_nobody_else_from_writing(
    sync_db: Engine,
) -> None:
    with sync_db.execution_options(**READ_ONLY).connect() as reader:
        reader.scalar(COUNT)
        with sync_db.begin() as writer:
            writer.execute(ADD)
        said = [reader.scalar(statement) for statement in (IS_READ_ONLY, COUNT)]

    assert said == ["on", 1]


async def test_a_read_only_session_goes_on_after_a_rollback(db: AsyncEngine) -> None:
    sessions = async_sessionmaker(db)
    async with sessions() as session:
        await session.connection(execution_options=READ_ONLY)
        with pytest.raises(DBAPIError, match=REFUSED):
            await session.execute(ADD)
        await session.rollback()
        await session.execute(ADD)
        await session.commit()

    async with sessions() as session:
        assert await session.scalar(COUNT) == 1


def test_a_read_only_session_that_blocks_goes_on_after_a_rollback(sync_db: Engine) -> None:
    with Session(sync_db) as session:
        session.connection(execution_options=READ_ONLY)
        with pytest.raises(DBAPIError, match=REFUSED):
            session.execute(ADD)
        session.rollback()
        session.execute(ADD)
        session.commit()

        assert session.scalar(COUNT) == 1


async def test_a_nested_transaction_of_a_read_only_one_may_not_write(db: AsyncEngine) -> None:
    async with db.connect() as connection:
        await connection.execution_options(**READ_ONLY)
        with pytest.raises(DBAPIError, match=REFUSED):
            async with connection.begin_nested():
                await connection.execute(ADD)

        assert await connection.scalar(COUNT) == 0


async def test_an_engine_may_be_strict_read_only_and_deferrable(url: URL, db: AsyncEngine) -> None:
    async with db.begin() as connection:
        await connection.execute(ADD)
    strict = create_async_engine(url, execution_options=STRICT)

    async with strict.connect() as connection:
        said = [await connection.scalar(statement) for statement in (IS_READ_ONLY, COUNT)]
    await strict.dispose()

    assert said == ["on", 1]


def test_an_engine_that_blocks_may_be_strict_read_only_and_deferrable(sync_db: Engine) -> None:
    with sync_db.begin() as connection:
        connection.execute(ADD)

    with sync_db.execution_options(**STRICT).connect() as connection:
        said = [connection.scalar(statement) for statement in (IS_READ_ONLY, COUNT)]

    assert said == ["on", 1]


async def test_the_level_of_tests_is_real_and_not_advised_on(
    db: AsyncEngine, heard: list[object]
) -> None:
    async with db.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        await connection.execute(ADD)
        said = await connection.scalar(text("SHOW transaction_isolation"))

    assert (said, heard) == ("read committed", [])


@pytest.mark.parametrize("kind", ["connection", "session", "engine"])
async def test_a_strict_level_is_advised_on_wherever_it_is_asked_for(
    db: AsyncEngine, mode: str, kind: str, heard: list[object]
) -> None:
    level = {"isolation_level": "REPEATABLE READ"}
    if kind == "session":
        async with async_sessionmaker(db)() as session:
            await session.connection(execution_options=level)
            await session.scalar(COUNT)
    else:
        engine = db.execution_options(**level) if kind == "engine" else db
        async with engine.connect() as connection:
            if kind == "connection":
                await connection.execution_options(**level)
            await connection.scalar(COUNT)

    assert heard == ([Topic.ISOLATION_LEVEL] if mode == "rollback" else [])
