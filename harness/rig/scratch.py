"""A copy of the application's database, to be filled with rows that nobody shall see afterwards.

Generated rows may be what an application cannot answer with; whatever is measured next must not
stumble over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from harness.database.populate import Models, Population
from harness.database.schema import run_apart
from harness.errors import IsolationError
from harness.rig.protocol import Grown
from harness.stage import Stage

__all__ = ["Scratch", "scratch"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Scratch:
    """The copy, and the rows that were added to it."""

    url: URL
    _population: Population | None = None

    def grow(self, rows: int) -> Grown:
        """Bring every table to so many rows beyond those that it began with.

        The application's models must have been imported.
        """
        population = self._population or _committed(self.url, _read)
        self._population = population
        filled = _committed(self.url, partial(population.grow, to=rows))
        short = tuple(f"{item.table}: {item.problem}" for item in filled if item.problem)
        return Grown(rows, len(filled), short)


@contextmanager
def scratch(stage: Stage) -> Iterator[Scratch]:
    """Copy the stage's database for the block. Nobody may be connected to it.

    Raises:
        IsolationError: It cannot be copied.
        NoDatabaseError: The server refuses a copy.
    """
    if stage.run is None:
        raise IsolationError("rows are added to copies of a database on PostgreSQL only")
    run = stage.run
    behind, name = run.backstage, run.another("s")
    run.is_left_alone()  # else the server says who is there
    behind.call(behind.execute("CREATE DATABASE %I TEMPLATE %I", name, run.database))
    try:
        yield Scratch(stage.url.set(database=name))
    finally:
        behind.call(behind.execute("DROP DATABASE IF EXISTS %I WITH (FORCE)", name))


def _read(connection: Connection) -> Population:
    return Population.read(connection, Models.found())


def _committed(url: URL, work: Callable[[Connection], T]) -> T:
    """What a function of a connection returns, with what it wrote committed."""
    results: list[T] = []

    async def write() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            results.append(await connection.run_sync(work))

    run_apart(write())
    return results[0]
