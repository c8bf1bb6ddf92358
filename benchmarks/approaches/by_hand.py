"""What a project has without any of this: a client of the application, and a session.

Nothing is undone: one test is all it is used for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.project.app import app, engine
from benchmarks.project.models import Base

__all__ = ["async_session", "client", "tables"]


@pytest.fixture(scope="session")
async def tables() -> AsyncIterator[None]:
    """The tables, made by the application's engine and dropped at the end."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await engine.dispose()


@pytest.fixture
async def client(tables: None) -> AsyncIterator[AsyncClient]:  # noqa: ARG001 - needs them
    """Calls the application in this process."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def async_session(tables: None) -> AsyncIterator[AsyncSession]:  # noqa: ARG001 - needs them
    """On the application's engine."""
    async with AsyncSession(engine) as session:
        yield session
