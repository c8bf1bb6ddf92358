"""The lock on all tables: taken whole, held as long as asked, given back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from harness.config import Project
from harness.database.server import PostgresServer
from harness.rig.limits import LIMIT_SECONDS, LONGEST_LOCK_SECONDS
from harness.rig.trouble.locks import Block, CannotBlockError, block_tables
from harness.stage import staged


@pytest.fixture
def prepared_url(harness_project: Project, harness_postgres: PostgresServer) -> Iterator[URL]:
    """A database of its own: what blocks it must commit and be seen by others."""
    with staged(harness_project, harness_postgres) as stage:
        stage.prepare()
        yield stage.url


async def _read_users(url: URL, *, patience: str) -> int:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(f"SET LOCAL lock_timeout = '{patience}'"))
        return int((await connection.execute(text("SELECT count(*) FROM users"))).scalar_one())


def test_statements_wait_while_the_block_lasts(prepared_url: URL) -> None:
    blocks: list[Block] = []
    blocking = threading.Thread(
        target=lambda: blocks.append(block_tables(prepared_url, seconds=1.0))
    )
    blocking.start()
    errors = 0
    while blocking.is_alive():
        try:
            asyncio.run(_read_users(prepared_url, patience="50ms"))
        except DBAPIError:
            errors += 1
        time.sleep(0.01)
    blocking.join()

    assert errors > 0
    assert blocks[0].until_seconds - blocks[0].from_seconds >= 1.0
    assert asyncio.run(_read_users(prepared_url, patience="1s")) == 10


def test_a_lock_that_would_outlast_the_rigs_patience_is_refused_at_once() -> None:
    nowhere = URL.create("postgresql+asyncpg", host="127.0.0.1", port=1)

    with pytest.raises(CannotBlockError, match="for 60 s at most, not for 61 s"):
        block_tables(nowhere, seconds=LONGEST_LOCK_SECONDS + 1)


def test_the_longest_lock_and_the_wait_for_it_fit_into_the_rigs_patience() -> None:
    wait_seconds = 20.0  # 100 attempts of 0.1 s each, and what lies between them

    assert LONGEST_LOCK_SECONDS + wait_seconds < LIMIT_SECONDS["begin_trouble"]
