"""DELETE from every table after each test, children first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine, delete
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from benchmarks.project.models import Base

__all__ = ["async_session", "sync_session"]


@pytest.fixture
async def async_session(async_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Commits for real."""
    async with AsyncSession(async_engine) as session:
        yield session
    async with async_engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(delete(table))


@pytest.fixture
def sync_session(sync_engine: Engine) -> Iterator[Session]:
    """Commits for real."""
    with Session(sync_engine) as session:
        yield session
    with sync_engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(delete(table))
