"""The worlds that hazards are met in: each isolation, through each driver that is awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from tests.plugin.conftest import project

__all__ = ["ONLY_CLONE", "ONLY_ROLLBACK", "project"]

MODES = [
    pytest.param("rollback", marks=pytest.mark.database("rollback")),
    pytest.param("clone", marks=pytest.mark.database("clone")),
]
ONLY_ROLLBACK = pytest.mark.parametrize("mode", MODES[:1], indirect=True)
ONLY_CLONE = pytest.mark.parametrize("mode", MODES[1:], indirect=True)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How the test is isolated."""
    return str(request.param)


@pytest.fixture(params=["asyncpg", "psycopg"])
def url(request: pytest.FixtureRequest, database_url: URL) -> URL:
    """The database of the test, by one driver."""
    return database_url.set(drivername=f"postgresql+{request.param}")


@pytest.fixture
async def db(url: URL, mode: str, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:  # noqa: ARG001 - isolated by them
    """An application's engine."""
    made = create_async_engine(url)
    yield made
    await made.dispose()


@pytest.fixture
def sessions(db: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """What an application has as a global."""
    return async_sessionmaker(db)
