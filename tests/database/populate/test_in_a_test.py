"""Rows for one test: made through its session, seen by the application, gone with the test."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from harness.database.populate import Models, populate
from target_app.models import Base, Comment, User

MODELS = Models.of(Base)


async def users(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(User)) or 0


async def test_the_application_sees_the_rows(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    before = len((await client.get("/users?limit=100")).json())

    await db_session.run_sync(populate, n=3, models=MODELS)

    assert len((await client.get("/users?limit=100")).json()) == before + 3


@pytest.mark.parametrize("n", [2, 3])
async def test_the_rows_of_another_test_are_gone(db_session: AsyncSession, n: int) -> None:
    before = await users(db_session)

    filled = await db_session.run_sync(populate, n=n, models=MODELS)

    assert (before, await users(db_session)) == (10, 10 + n)
    assert [item for item in filled if item.problem] == []


async def test_the_rows_of_a_savepoint_go_with_it(db_session: AsyncSession) -> None:
    savepoint = await db_session.begin_nested()
    await db_session.run_sync(populate, n=2, models=MODELS)

    await savepoint.rollback()

    assert await users(db_session) == 10


async def test_a_crowd_has_one_parent(db_session: AsyncSession) -> None:
    await db_session.run_sync(populate, n=3, models=MODELS, crowd=4)

    of_one = select(func.count()).select_from(Comment).group_by(Comment.post_id)
    most = max((await db_session.scalars(of_one)).all())
    assert most > 4


def test_a_session_that_is_not_asynchronous_will_do(sync_db_session: Session) -> None:
    filled = populate(sync_db_session, n=1, models=MODELS)

    assert {item.rows for item in filled} == {1, 2}
