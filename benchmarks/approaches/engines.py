"""The engines of those ways that leave them to the project: kept warm for the whole run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.project.models import Base

__all__ = ["async_engine", "sync_engine"]


@pytest.fixture(scope="session")
async def async_engine() -> AsyncIterator[AsyncEngine]:
    """On asyncpg, with the tables."""
    engine = create_async_engine(os.environ["BENCHMARK_ASYNC_URL"])
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def sync_engine() -> Iterator[Engine]:
    """On psycopg, with the tables."""
    engine = create_engine(os.environ["BENCHMARK_SYNC_URL"])
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
