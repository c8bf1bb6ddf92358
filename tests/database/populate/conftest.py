"""Schemas of a test's own, in a database of its own, filled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from harness.database.populate import Filled, Models, Population

Rows = list[dict[str, Any]]


class Filling:
    """What a population became."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.tables: dict[str, Filled] = {}
        self.population: Population

    @property
    def problems(self) -> dict[str, str]:
        """Why tables are short of rows, by table."""
        return {name: item.problem for name, item in self.tables.items() if item.problem}

    async def rows(self, sql: str) -> Rows:
        """What a query says."""
        found = await self.session.execute(text(sql))
        return [dict(row) for row in found.mappings()]

    async def column(self, sql: str) -> list[Any]:
        """The first column of what a query says."""
        return list((await self.session.execute(text(sql))).scalars())


Fill = Callable[..., Awaitable[Filling]]


@pytest.fixture
def fill(db_session: AsyncSession) -> Fill:
    """Makes tables, by DDL or from models, and fills them at one size after the other."""

    async def filled(
        *bases: Any,  # noqa: ANN401 - bases, metadata, DDL
        sizes: Sequence[int] = (3,),
        crowd: int = 0,
        before: str | Sequence[str] = "",
        models: Models | None = None,
    ) -> Filling:
        filling = Filling(db_session)
        made = Models.of(*(base for base in bases if not isinstance(base, str)))
        connection = await db_session.connection()
        for base in bases:
            if isinstance(base, str):
                await _run(connection, base)
        for metadata in made.metadatas:
            await connection.run_sync(metadata.create_all)
        await _run(connection, before)

        def work(connection: Connection) -> None:
            filling.population = Population.read(connection, models or made)
            for size in sizes:
                grown = filling.population.grow(connection, to=size)
                filling.tables = {item.table: item for item in grown}
            filling.population.crowd(connection, to=crowd)

        await connection.run_sync(work)
        return filling

    return filled


async def _run(connection: AsyncConnection, script: str | Sequence[str]) -> None:
    statements = script.split(";") if isinstance(script, str) else script
    for statement in filter(str.strip, statements):
        await connection.exec_driver_sql(statement)


@pytest.fixture
def metadata() -> MetaData:
    """Tables of the test's own."""
    return MetaData()
