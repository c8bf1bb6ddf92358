"""Which statements lead to advice, and which healthy ones do not."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.database.rollback.advice import Topic
from tests.database.hazards.conftest import ONLY_ROLLBACK

ROWS = "SELECT 1 FROM pg_catalog.pg_class LIMIT 0"

pytestmark = ONLY_ROLLBACK


async def run(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "topic"),
    [
        ("SELECT pg_advisory_xact_lock(1)", Topic.ADVISORY_LOCK),
        ("SELECT pg_try_advisory_lock_shared(1)", Topic.ADVISORY_LOCK),
        ("NOTIFY events", Topic.NOTIFICATION),
        ("LISTEN events", Topic.NOTIFICATION),
        ("SELECT pg_notify('events', '')", Topic.NOTIFICATION),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Topic.ISOLATION_LEVEL),
    ],
)
async def test_a_statement_that_cannot_be_real_is_advised_on_and_runs(
    db: AsyncEngine, heard: list[object], statement: str, topic: Topic
) -> None:
    await run(db, statement)

    assert set(heard) == {topic}


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ"])
async def test_a_strict_isolation_level_is_advised_on(
    db: AsyncEngine, heard: list[object], level: str
) -> None:
    await run(db.execution_options(isolation_level=level), "SELECT 1")

    assert set(heard) == {Topic.ISOLATION_LEVEL}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'pg_advisory_lock(1)'",
        "SELECT 1 -- NOTIFY events",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        f"{ROWS} FOR UPDATE",
        f"{ROWS} FOR UPDATE SKIP LOCKED",
    ],
)
async def test_a_statement_that_is_real_is_no_matter_of_advice(
    db: AsyncEngine, heard: list[object], statement: str
) -> None:
    await run(db, statement)
    await run(db, statement)

    assert heard == []


async def test_rows_that_two_open_transactions_lock_are_advised_on(
    db: AsyncEngine, heard: list[object]
) -> None:
    async with db.begin() as connection:
        await connection.execute(text(f"{ROWS} FOR UPDATE"))
        await run(db, f"{ROWS} FOR UPDATE")

    assert set(heard) == {Topic.ROW_LOCK}


@pytest.mark.parametrize("url", ["asyncpg"], indirect=True)
async def test_a_listener_of_the_raw_driver_is_advised_on(
    db: AsyncEngine, heard: list[object]
) -> None:
    def forget(*_notification: object) -> None: ...

    async with db.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.add_listener("events", forget)
        await raw.remove_listener("events", forget)

    assert set(heard) == {Topic.NOTIFICATION}
