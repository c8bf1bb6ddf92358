"""A run on SQLite without pytest's part: its file, its copies and a sandbox, test after test."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import URL, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import sessionmaker

from harness.database.copies import Kind, TestDatabase
from harness.database.rollback import Sandbox
from harness.database.sqlite import SqliteCopies, SqlitePlace
from harness.loops import Residents

__all__ = ["NOTES", "Bench"]

T = TypeVar("T")
NOTES = text("SELECT body FROM notes ORDER BY body")
TABLES = """
PRAGMA foreign_keys = ON;
CREATE TABLE notes (body TEXT PRIMARY KEY);
CREATE TABLE remarks (note TEXT REFERENCES notes);
INSERT INTO notes VALUES ('base line');
"""


@dataclass
class Bench:
    """Runs tests one after the other, on one loop, as pytest does."""

    url: URL
    residents: Residents = field(default_factory=Residents)

    def __post_init__(self) -> None:
        self.file = Path(self.url.database or "")
        self.sandbox = Sandbox(self.url, self.residents)
        self.copies = SqliteCopies(self.file)
        self.runner = asyncio.Runner()
        self.engine = create_async_engine(self.url)
        self.blocking = create_engine(self.url.set(drivername="sqlite"))
        self.sessions = sessionmaker(self.blocking)
        event.listen(self.blocking, "connect", _enforce_keys)

    @contextmanager
    def one_test(self, kind: Kind = "clone") -> Iterator[TestDatabase]:
        with self.copies.one_test(kind) as own, self.sandbox.one_test(own=own):
            yield own

    def test(self, body: Callable[[], Awaitable[T]], kind: Kind = "clone") -> T:
        with self.one_test(kind):
            return self.await_(body)

    def await_(self, body: Callable[[], Awaitable[T]]) -> T:
        async def awaited() -> T:
            return await body()

        return self.runner.run(awaited())

    async def add(self, *notes: str) -> list[str]:
        async with self.engine.begin() as connection:
            for note in notes:
                await connection.execute(text("INSERT INTO notes VALUES (:body)"), {"body": note})
        return await self.notes()

    async def notes(self) -> list[str]:
        async with self.engine.connect() as connection:
            return list(await connection.scalars(NOTES))

    def files(self) -> set[str]:
        """What lies beside the run's file."""
        return {file.name for file in self.file.parent.iterdir()} - {"lives"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A run whose base line is one note."""
    with closing(SqlitePlace.begin(base=tmp_path)) as place:
        made = Bench(place.url())
        with closing(sqlite3.connect(made.file)) as connection:
            connection.executescript(TABLES)
        with made.sandbox.installed(), closing(made.copies):
            yield made
            made.await_(made.engine.dispose)
            made.blocking.dispose()
            made.residents.close()
        made.runner.close()


def _enforce_keys(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
