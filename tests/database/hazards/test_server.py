"""What the server does beyond rows: locks, notifications, levels, schemas, copies, cursors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from harness.errors import RefusedStatementError, SecondDriverError
from tests.database.hazards.conftest import ONLY_CLONE, ONLY_ROLLBACK

LOCK = text("SELECT pg_try_advisory_xact_lock(42)")
STRICT = {"isolation_level": "SERIALIZABLE"}


@pytest.fixture
async def two(db: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, AsyncConnection]]:
    async with db.connect() as one, db.connect() as other:
        yield one, other


async def scalar(engine: AsyncEngine, statement: str) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(statement))


async def locks(two: tuple[AsyncConnection, AsyncConnection]) -> list[object]:
    return [await connection.scalar(LOCK) for connection in two]


@ONLY_ROLLBACK
async def test_an_advisory_lock_does_not_keep_another_transaction_out(
    two: tuple[AsyncConnection, AsyncConnection],
) -> None:
    assert await locks(two) == [True, True]


@ONLY_CLONE
async def test_an_advisory_lock_keeps_another_transaction_out(
    two: tuple[AsyncConnection, AsyncConnection],
) -> None:
    assert await locks(two) == [True, False]


async def write_skew(two: tuple[AsyncConnection, AsyncConnection]) -> None:
    """Each counts, then writes what changes the other's count."""
    strict = [await connection.execution_options(**STRICT) for connection in two]
    for connection in strict:
        await connection.scalar(text("SELECT count(*) FROM tags"))
    for number, connection in enumerate(strict):
        await connection.execute(text(f"INSERT INTO tags (name) VALUES ('skew {number}')"))
    for connection in strict:
        await connection.commit()


@ONLY_ROLLBACK
async def test_no_transaction_fails_to_serialise(
    two: tuple[AsyncConnection, AsyncConnection],
) -> None:
    await write_skew(two)


@ONLY_CLONE
async def test_a_transaction_fails_to_serialise(
    two: tuple[AsyncConnection, AsyncConnection],
) -> None:
    with pytest.raises(DBAPIError, match="could not serialize"):
        await write_skew(two)


async def skipped(two: tuple[AsyncConnection, AsyncConnection]) -> list[int]:
    take = text("SELECT id FROM tags WHERE name = 'job' FOR UPDATE SKIP LOCKED")
    await two[0].execute(text("INSERT INTO tags (name) VALUES ('job')"))
    await two[0].commit()
    return [len((await connection.execute(take)).all()) for connection in two]


@ONLY_ROLLBACK
async def test_a_locked_row_is_not_skipped(two: tuple[AsyncConnection, AsyncConnection]) -> None:
    assert await skipped(two) == [1, 1]


@ONLY_CLONE
async def test_a_locked_row_is_skipped(two: tuple[AsyncConnection, AsyncConnection]) -> None:
    assert await skipped(two) == [1, 0]


async def notified(db: AsyncEngine) -> list[str]:
    """The payloads that asyncpg's own listener heard of a committed NOTIFY."""
    heard: list[str] = []

    def listen(*event: str) -> None:
        heard.append(event[-1])

    async with db.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.add_listener("events", listen)
        async with db.begin() as other:
            await other.execute(text("NOTIFY events, 'done'"))
        for _ in range(3):  # a round trip each, in which notifications arrive
            await raw.fetchval("SELECT 1")
        await raw.remove_listener("events", listen)
    return heard


@pytest.mark.parametrize("url", ["asyncpg"], indirect=True)
@ONLY_ROLLBACK
async def test_a_notification_is_not_delivered(db: AsyncEngine) -> None:
    assert await notified(db) == []


@pytest.mark.parametrize("url", ["asyncpg"], indirect=True)
@ONLY_CLONE
async def test_a_notification_is_delivered(db: AsyncEngine) -> None:
    assert await notified(db) == ["done"]


async def vacuum(db: AsyncEngine) -> None:
    async with db.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM tags"))
        await connection.execute(text("CREATE INDEX CONCURRENTLY soon ON tags (name)"))


@ONLY_ROLLBACK
async def test_what_cannot_run_in_a_transaction_is_refused(db: AsyncEngine) -> None:
    with pytest.raises(RefusedStatementError, match=r"^VACUUM cannot run.*\n.*clone"):
        await vacuum(db)

    assert await scalar(db, "SELECT 1") == 1


@ONLY_CLONE
async def test_what_cannot_run_in_a_transaction_runs(db: AsyncEngine) -> None:
    await vacuum(db)

    assert await scalar(db, "SELECT to_regclass('soon') IS NOT NULL") is True


async def ask_by_both(database_url: URL) -> list[object]:
    engines = [
        create_async_engine(database_url.set(drivername=f"postgresql+{driver}"))
        for driver in ("asyncpg", "psycopg")
    ]
    try:
        return [await scalar(engine, "SELECT 1") for engine in engines]
    finally:
        for engine in engines:
            await engine.dispose()


@ONLY_ROLLBACK
async def test_a_second_driver_is_refused(
    mode: str,  # noqa: ARG001 - isolated by it
    engine: AsyncEngine,  # noqa: ARG001 - see above
    database_url: URL,
) -> None:
    with pytest.raises(SecondDriverError):
        await ask_by_both(database_url)


@ONLY_CLONE
async def test_a_second_driver_is_as_good_as_the_first(
    mode: str,  # noqa: ARG001 - isolated by it
    engine: AsyncEngine,  # noqa: ARG001 - see above
    database_url: URL,
) -> None:
    assert await ask_by_both(database_url) == [1, 1]


@pytest.mark.parametrize("times", [1, 2], ids=["first", "again"])
async def test_tables_and_enums_are_made_anew_by_each_test(db: AsyncEngine, times: int) -> None:
    async with db.begin() as connection:
        await connection.execute(text("CREATE TYPE mood AS ENUM ('glad', 'sad')"))
        await connection.execute(text("CREATE TABLE moods (mood mood)"))
        for _ in range(times):
            await connection.execute(text("INSERT INTO moods VALUES ('glad')"))

    assert await scalar(db, "SELECT count(*) FROM moods WHERE mood = 'glad'") == times


async def test_a_column_that_is_added_by_text_is_there_at_once(db: AsyncEngine) -> None:
    async with db.begin() as connection:
        await connection.execute(text("CREATE TABLE notes (id int)"))
        await connection.execute(text("SELECT * FROM notes"))
        await connection.execute(text("ALTER TABLE notes ADD COLUMN body text"))
        await connection.execute(text("INSERT INTO notes VALUES (1, 'a')"))

    assert await scalar(db, "SELECT body FROM notes") == "a"


async def test_copy_is_part_of_its_transaction(db: AsyncEngine) -> None:
    async with db.begin() as connection:
        await _copy(connection, "kept")
    async with db.connect() as connection:
        await _copy(connection, "undone")

    assert await scalar(db, "SELECT string_agg(name, ' ') FROM tags WHERE name LIKE '%e_t'") == (
        "kept"
    )


async def _copy(connection: AsyncConnection, name: str) -> None:
    await connection.execute(text("SELECT 1"))  # begins
    raw: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.driver == "asyncpg":
        await raw.copy_records_to_table("tags", columns=["name"], records=[(name,)])
        return
    async with raw.cursor().copy("COPY tags (name) FROM STDIN") as data:
        await data.write_row((name,))


async def test_rows_come_by_a_cursor_of_the_server(db: AsyncEngine) -> None:
    async with db.connect() as connection:
        rows = await connection.stream_scalars(text("SELECT generate_series(1, 1000)"))
        total = sum([number async for number in rows])

    assert total == 500_500


async def test_a_sequence_goes_on_after_a_rollback(db: AsyncEngine) -> None:
    insert = text("INSERT INTO tags (name) VALUES ('numbered') RETURNING id")
    numbers = []

    for _ in range(2):
        async with db.connect() as connection:
            numbers.append(await connection.scalar(insert))

    assert numbers[1] == numbers[0] + 1


async def test_two_statements_at_once_never_meet_on_one_connection(db: AsyncEngine) -> None:
    answers = await asyncio.gather(*(scalar(db, f"SELECT {number}") for number in range(10)))

    assert answers == [*range(10)]
