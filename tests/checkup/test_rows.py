"""Empty tables are said, since nothing can be found on them."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from harness.checkup.rows import rows_probe
from harness.config import Project
from harness.database.schema import Populate, write_rows
from harness.database.server import PostgresServer
from harness.findings import Verdict
from harness.stage import staged


async def _two_tables(session: AsyncSession) -> None:
    await session.execute(text('CREATE TABLE "Odd name" (id integer)'))
    await session.execute(text("CREATE TABLE plain (id integer)"))


async def _one_row(session: AsyncSession) -> None:
    await session.execute(text('INSERT INTO "Odd name" VALUES (1)'))


@pytest.mark.parametrize(
    ("steps", "verdict", "words"),
    [
        ([], Verdict.WARN, "no tables"),
        ([_two_tables], Verdict.WARN, "all 2 tables are empty"),
        ([_two_tables, _one_row], Verdict.PASS, "1 of 2 tables have rows"),
    ],
    ids=["no tables", "empty tables", "rows"],
)
def test_what_there_is_to_load_is_counted(
    harness_project: Project,
    harness_postgres: PostgresServer,
    steps: list[Populate],
    verdict: Verdict,
    words: str,
) -> None:
    with staged(harness_project, harness_postgres) as stage:
        for step in steps:
            write_rows(stage.url, step)

        answer = rows_probe(stage.url)

    assert answer.verdict is verdict
    assert words in answer.summary
