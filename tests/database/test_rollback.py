"""Isolation within a test: what sessions, engines and requests see of each other, what is refused.

Everything goes through the plugin's own fixtures and the reference application, as in a user's
tests.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest
from sqlalchemy import URL, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

from harness.database.rollback import Sandbox
from harness.database.server import PostgresServer
from harness.errors import EscapedConnectionError, SandboxConflictError
from target_app.models import Tag, User

ROWS_OF_POPULATE = 10
NO_PASSWORD = "-"  # nobody signs in here


def user(name: str) -> User:
    return User(email=f"{name}@example.org", name=name, password_hash=NO_PASSWORD)


def new_user(email: str) -> dict[str, str]:
    return {"email": email, "name": "New", "password": "correct horse"}


async def users(source: AsyncSession | AsyncEngine) -> int:
    statement = select(func.count()).select_from(User)
    if isinstance(source, AsyncSession):
        return await source.scalar(statement) or 0
    async with source.connect() as connection:
        return await connection.scalar(statement) or 0


async def add_on(engine: AsyncEngine, name: str) -> None:
    async with AsyncSession(engine) as session, session.begin():
        session.add(user(name))


@pytest.fixture
def sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """What an application has as a global."""
    return async_sessionmaker(engine)


async def test_rows_of_populate_are_the_base_line(db_session: AsyncSession) -> None:
    assert await users(db_session) == ROWS_OF_POPULATE


async def test_the_application_sees_what_the_test_has_not_committed(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = user("ada")
    db_session.add(ada)
    await db_session.flush()

    answer = await client.get(f"/users/{ada.id}")

    assert answer.json()["name"] == "ada"


async def test_a_rollback_in_the_app_keeps_what_the_test_arranged(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    db_session.add(user("ada"))
    await db_session.flush()

    answer = await client.post("/users", json=new_user("ada@example.org"))

    assert answer.status_code == 409
    assert await users(db_session) == ROWS_OF_POPULATE + 1


async def test_an_engine_made_during_the_test_is_isolated_too(
    database_url: URL, db_session: AsyncSession
) -> None:
    late = create_async_engine(database_url)

    await add_on(late, "ada")

    assert await users(db_session) == ROWS_OF_POPULATE + 1
    await late.dispose()


async def test_an_engine_without_a_pool_is_isolated_too(
    database_url: URL, db_session: AsyncSession
) -> None:
    pool_less = create_async_engine(database_url, poolclass=NullPool)

    await add_on(pool_less, "ada")

    assert await users(pool_less) == await users(db_session) == ROWS_OF_POPULATE + 1


async def test_an_engine_that_pings_is_isolated_too(
    database_url: URL, db_session: AsyncSession
) -> None:
    pinging = create_async_engine(database_url, pool_pre_ping=True)

    await add_on(pinging, "ada")
    await add_on(pinging, "grace")

    assert await users(db_session) == ROWS_OF_POPULATE + 2
    await pinging.dispose()


async def test_a_global_session_maker_shares_the_world_of_the_test(
    sessions: async_sessionmaker[AsyncSession], db_session: AsyncSession
) -> None:
    async with sessions.begin() as session:
        session.add(user("ada"))

    assert await users(db_session) == ROWS_OF_POPULATE + 1


async def test_core_transactions_share_the_world_of_the_test(
    engine: AsyncEngine, db_session: AsyncSession
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO tags (name) VALUES ('core')"))

    assert await db_session.scalar(select(Tag.name).where(Tag.name == "core")) == "core"


async def test_core_transactions_roll_back_by_themselves(
    engine: AsyncEngine, db_session: AsyncSession
) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO tags (name) VALUES ('core')"))

    assert await db_session.scalar(select(Tag.name).where(Tag.name == "core")) is None


async def test_begin_nested_undoes_its_own_part_only(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    async with sessions.begin() as session:
        session.add(user("ada"))
        await session.flush()
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(text("INSERT INTO users (email) VALUES ('no name')"))
        session.add(user("grace"))

    async with sessions() as session:
        assert await users(session) == ROWS_OF_POPULATE + 2


@pytest.mark.parametrize("order", ["as nested", "as begun"])
async def test_two_sessions_of_one_request_may_end_in_any_order(
    sessions: async_sessionmaker[AsyncSession], order: str
) -> None:
    reader, writer = sessions(), sessions()
    await users(reader)
    writer.add(user("ada"))
    await writer.flush()

    if order == "as begun":
        await reader.close()
        await writer.commit()
    else:
        await writer.commit()
        await reader.close()

    await writer.close()
    async with sessions() as session:
        assert await users(session) == ROWS_OF_POPULATE + 1


async def test_a_read_only_session_that_closes_last_keeps_what_another_wrote_meanwhile(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    writer, reader = sessions(), sessions()
    await users(writer)
    await users(reader)
    writer.add(user("ada"))
    await writer.commit()

    await reader.close()

    await writer.close()
    async with sessions() as session:
        assert await users(session) == ROWS_OF_POPULATE + 1


async def test_a_rollback_that_would_undo_a_commit_of_another_is_refused(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    outer, inner = sessions(), sessions()
    outer.add(user("ada"))
    await outer.flush()
    inner.add(user("grace"))
    await inner.commit()

    with pytest.raises(SandboxConflictError, match="after a transaction inside it was committed"):
        await outer.rollback()
    await inner.close()
    await outer.close()


async def test_a_commit_after_an_error_that_was_ignored_undoes_all_and_says_nothing(
    engine: AsyncEngine, db_session: AsyncSession
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO tags (name) VALUES ('core')"))
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 / 0"))

    assert await db_session.scalar(select(Tag.name).where(Tag.name == "core")) is None


async def test_in_autocommit_each_statement_stands_for_itself(
    engine: AsyncEngine, db_session: AsyncSession
) -> None:
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("INSERT INTO tags (name) VALUES ('kept')"))
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 / 0"))
        await connection.rollback()

    assert await db_session.scalar(select(Tag.name).where(Tag.name == "kept")) == "kept"


async def test_a_stricter_isolation_level_may_be_asked_for(engine: AsyncEngine) -> None:
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="SERIALIZABLE")

        assert await connection.scalar(text("SELECT 1")) == 1


async def test_rows_can_be_streamed(db_session: AsyncSession) -> None:
    streamed = await db_session.stream(text("SELECT generate_series(1, 200)"))

    assert [row[0] async for row in streamed] == list(range(1, 201))


async def test_a_raw_driver_connection_is_isolated_too(
    engine: AsyncEngine, db_session: AsyncSession
) -> None:
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        added = await raw.fetchval("INSERT INTO tags (name) VALUES ($1) RETURNING name", "raw")

    assert await db_session.scalar(select(Tag.name).where(Tag.name == added)) == "raw"


async def test_a_cancelled_query_loses_its_own_transaction_only(
    sessions: async_sessionmaker[AsyncSession], db_session: AsyncSession
) -> None:
    db_session.add(user("arranged"))
    await db_session.flush()

    async def add_and_never_end() -> None:
        async with sessions.begin() as session:
            session.add(user("lost"))
            await session.flush()
            await session.execute(text("SELECT pg_sleep(30)"))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(add_and_never_end(), timeout=0.1)

    assert await users(db_session) == ROWS_OF_POPULATE + 1


async def test_a_task_cancelled_at_any_moment_holds_nobody_up(
    sessions: async_sessionmaker[AsyncSession], db_session: AsyncSession
) -> None:
    async def add(name: str) -> None:
        async with sessions.begin() as session:
            session.add(user(name))

    db_session.add(user("arranged"))
    await db_session.flush()
    for steps in range(60):
        task = asyncio.create_task(add(f"cancelled {steps}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    await add("after")

    names = select(User.name).where(User.name.in_(["arranged", "after"]))
    assert set(await db_session.scalars(names)) == {"arranged", "after"}


async def test_ten_requests_at_once_take_turns_and_all_succeed(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    requests = [
        client.post(
            "/users",
            json=new_user(f"new{number}@example.org"),
        )
        for number in range(10)
    ]

    answers = await asyncio.gather(*requests)

    assert [answer.status_code for answer in answers] == [201] * 10
    assert await users(db_session) == ROWS_OF_POPULATE + 10


async def test_a_database_that_is_not_the_tests_own_is_refused(
    postgres: PostgresServer, database_url: URL
) -> None:
    assert database_url.database != "postgres"
    other = create_async_engine(postgres.address.url("postgres"))

    with pytest.raises(EscapedConnectionError, match="'postgres' on port") as caught:
        await users(other)
    assert "[tool.harness.env]" in caught.value.remedy


async def test_an_escape_is_meant_by_bypassing(
    harness_sandbox: Sandbox, database_url: URL, db_session: AsyncSession
) -> None:
    engine = create_async_engine(database_url, poolclass=NullPool)
    db_session.add(user("isolated"))
    await db_session.flush()

    with harness_sandbox.bypassed():
        outside = await users(engine)

    assert outside == ROWS_OF_POPULATE
