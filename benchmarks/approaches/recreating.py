"""New tables for each test: `create_all` before, `drop_all` after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from benchmarks.project.models import Base

__all__ = ["async_session", "sync_session"]


@pytest.fixture
async def async_session(async_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Commits for real."""
    async with async_engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(async_engine) as session:
        yield session
    async with async_engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)


@pytest.fixture
def sync_session(sync_engine: Engine) -> Iterator[Session]:
    """Commits for real."""
    Base.metadata.create_all(sync_engine)
    with Session(sync_engine) as session:
        yield session
    Base.metadata.drop_all(sync_engine)
