"""Sessions and transactions of one test, in every order that applications end them in."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from harness.database.rollback.conflicts import stopped_in
from harness.errors import SandboxConflictError
from tests.database.hazards.conftest import ONLY_CLONE, ONLY_ROLLBACK

Sessions = async_sessionmaker[AsyncSession]
ADD = text("INSERT INTO tags (name) VALUES (:name)")
NAMES = text("SELECT name FROM tags WHERE name LIKE 'hazard %' ORDER BY name")


async def add(session: AsyncSession, name: str) -> None:
    await session.execute(ADD, {"name": f"hazard {name}"})


async def names(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return [name.removeprefix("hazard ") for name in await session.scalars(NAMES)]


async def test_what_the_application_commits_is_there_for_all(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await add(session, "a")

    assert await names(sessions) == ["a"]


async def test_a_rollback_after_an_error_is_followed_by_more_work(sessions: Sessions) -> None:
    async with sessions() as session:
        await add(session, "a")
        await session.commit()
        with pytest.raises(IntegrityError):
            await add(session, "a")
        await session.rollback()
        await add(session, "b")
        await session.commit()

    assert await names(sessions) == ["a", "b"]


@pytest.mark.parametrize("first", [0, 1], ids=["reader first", "writer first"])
async def test_two_sessions_end_in_any_order(sessions: Sessions, first: int) -> None:
    reader, writer = sessions(), sessions()
    await reader.execute(NAMES)
    await add(writer, "a")
    endings = [reader.close, writer.commit]

    await endings[first]()
    await endings[1 - first]()

    await writer.close()
    assert await names(sessions) == ["a"]


async def test_writers_that_end_as_begun_both_keep_their_rows(sessions: Sessions) -> None:
    one, other = sessions(), sessions()
    await add(one, "a")
    await add(other, "b")

    await one.commit()
    await other.commit()

    await one.close()
    await other.close()
    assert await names(sessions) == ["a", "b"]


async def roll_back_around_a_commit(sessions: Sessions) -> None:
    async with sessions() as around, sessions() as inner:
        await add(around, "a")
        await add(inner, "b")
        await inner.commit()
        await around.rollback()


@ONLY_ROLLBACK
async def test_a_rollback_around_a_commit_is_refused(sessions: Sessions) -> None:
    with pytest.raises(SandboxConflictError):
        await roll_back_around_a_commit(sessions)


@ONLY_ROLLBACK
async def test_a_conflict_that_is_caught_by_the_test_is_known_to_be(sessions: Sessions) -> None:
    with pytest.raises(SandboxConflictError) as caught:
        await roll_back_around_a_commit(sessions)

    assert stopped_in(caught.value) == Path(__file__)


@ONLY_CLONE
async def test_a_rollback_around_a_commit_undoes_its_own_rows(sessions: Sessions) -> None:
    await roll_back_around_a_commit(sessions)

    assert await names(sessions) == ["b"]


async def test_core_transactions_share_the_world(db: AsyncEngine, sessions: Sessions) -> None:
    async with db.begin() as connection:
        await connection.execute(ADD, {"name": "hazard a"})

    assert await names(sessions) == ["a"]


async def add_nested(session: AsyncSession, *added: str) -> None:
    async with session.begin_nested():
        for name in added:
            await add(session, name)


async def test_nested_transactions_undo_their_own_part(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await add(session, "a")
        with pytest.raises(IntegrityError):
            await add_nested(session, "lost", "a")
        async with session.begin_nested():
            await add(session, "b")

    assert await names(sessions) == ["a", "b"]


async def seen_by_another(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        await add(session, "a")
        return await names(sessions)


@ONLY_ROLLBACK
async def test_a_row_of_an_open_transaction_is_seen_by_others(sessions: Sessions) -> None:
    assert await seen_by_another(sessions) == ["a"]


@ONLY_CLONE
async def test_a_row_of_an_open_transaction_is_not_seen_by_others(sessions: Sessions) -> None:
    assert await seen_by_another(sessions) == []


async def test_in_autocommit_statements_stand_for_themselves(
    db: AsyncEngine, sessions: Sessions
) -> None:
    engine = db.execution_options(isolation_level="AUTOCOMMIT")

    async with engine.connect() as connection:
        await connection.execute(ADD, {"name": "hazard a"})
        with pytest.raises(IntegrityError):
            await connection.execute(ADD, {"name": "hazard a"})
        await connection.rollback()

    assert await names(sessions) == ["a"]
