"""The worlds that hazards are met in: each isolation, through each driver."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from harness.database.rollback.advice import LOGGER
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


class Heard(logging.Handler):
    """The topics that were advised on."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.args, tuple)
        self.topics.append(record.args[0])


@pytest.fixture
def heard() -> Iterator[list[object]]:
    handler, logger = Heard(), logging.getLogger(LOGGER)
    logger.addHandler(handler)
    yield handler.topics
    logger.removeHandler(handler)


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


@pytest.fixture(params=["psycopg", "psycopg2"])
def sync_db(
    request: pytest.FixtureRequest,
    database_url: URL,
    mode: str,  # noqa: ARG001 - isolated by it
) -> Iterator[Engine]:
    """The engine of an application whose driver blocks."""
    made = create_engine(database_url.set(drivername=f"postgresql+{request.param}"))
    yield made
    made.dispose()


@pytest.fixture
def sessions(db: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """What an application has as a global."""
    return async_sessionmaker(db)
