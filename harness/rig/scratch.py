"""A copy of the application's database, to be filled with rows that nobody shall see afterwards.

Generated rows may be what an application cannot answer with; whatever is measured next must not
stumble over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import URL

from harness.database.populate import Population
from harness.database.schema import committed
from harness.errors import IsolationError
from harness.rig.protocol import Grown
from harness.stage import Stage

__all__ = ["Scratch", "scratch"]


@dataclass(slots=True, eq=False)
class Scratch:
    """The copy, and the rows that were added to it."""

    url: URL
    _population: Population | None = None

    def grow(self, rows: int) -> Grown:
        """Bring every table to so many rows beyond those that it began with.

        The application's models must have been imported.
        """
        population = self._population or committed(self.url, Population.read)
        self._population = population
        filled = committed(self.url, partial(population.grow, to=rows))
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
