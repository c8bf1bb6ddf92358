"""One test that uses the application and the database: what a start is measured with."""

from __future__ import annotations

from httpx import AsyncClient
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.project.models import Author


async def test_a_request_adds_an_author(client: AsyncClient, async_session: AsyncSession) -> None:
    """The route commits, and the test's own session sees it."""
    answer = await client.post("/authors", params={"name": "Ada"})

    assert answer.is_success
    assert await async_session.scalar(select(func.count()).select_from(Author)) == 1
