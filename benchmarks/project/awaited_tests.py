"""The trivial test, for coroutines: insert, commit, count. One row, whatever ran before."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.project.models import Author


async def test_insert_commit_count(async_session: AsyncSession, number: int) -> None:
    """The same name in every test of a pair: rows that stay would break it."""
    async_session.add(Author(name=f"author {number % 2}"))
    await async_session.commit()

    assert await async_session.scalar(select(func.count()).select_from(Author)) == 1
