"""Requests that a test compares: with more rows, and the old way beside the new one."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextlib import ExitStack

import pytest

from harness.pytest_plugin.comparisons import driven
from tests.plugin.conftest import Project

LISTS = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload
from shop.database import Author, get_session

app = FastAPI()
Session = Annotated[AsyncSession, Depends(get_session)]

def _shown(authors):
    return [{"name": author.name, "books": len(author.books)} for author in authors]

@app.get("/lazy")
async def lazy(session: Session):
    def load(session):
        return _shown(session.scalars(select(Author).order_by(Author.id)))
    return await session.run_sync(load)

@app.get("/eager")
async def eager(session: Session):
    query = select(Author).order_by(Author.id).options(selectinload(Author.books))
    return _shown(await session.scalars(query))

@app.get("/joined")
async def joined(session: Session):
    query = select(Author).join(Author.books).options(selectinload(Author.books))
    return _shown(await session.scalars(query.order_by(Author.id)))

@app.get("/first")
async def first(session: Session):
    query = select(Author).order_by(Author.id).limit(1).options(selectinload(Author.books))
    return _shown(await session.scalars(query))
"""

ROWS = """
from itertools import count
import pytest
from shop.database import Author, Book

NUMBERS = count()

async def authors(session, n):
    session.add_all(Author(name=f"new {next(NUMBERS)}", books=[Book()]) for _ in range(n))
    await session.commit()
"""


def test_a_request_whose_statements_follow_the_rows_fails_and_its_repair_passes(
    project: Project,
) -> None:
    project.write("shop/main.py", LISTS)

    result = project.run(
        ROWS
        + """
async def test_lazy(client, db_session, queries):
    await queries.assert_constant(
        lambda: client.get("/lazy"), populate=lambda n: authors(db_session, n)
    )

async def test_eager(client, db_session, queries):
    await queries.assert_constant(
        lambda: client.get("/eager"), populate=lambda n: authors(db_session, n), at=(3, 2, 7)
    )
"""
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_lazy _*",
            "the statements of the request become more with the rows:",
            "  7, 8 runs at n = 2, 3: 1 for each further item of the answer",
            "    SELECT books*",
            "n-plus-one  Author.books @ GET /lazy",
        ]
    )


def test_a_test_that_does_not_await_compares_in_the_same_words(project: Project) -> None:
    project.write("shop/main.py", LISTS)

    result = project.run(
        ROWS
        + """
def add(session, n):
    session.add_all(Author(name=f"new {next(NUMBERS)}", books=[Book()]) for _ in range(n))
    session.commit()

def test_lazy(sync_client, sync_db_session, queries):
    queries.assert_constant(
        lambda: sync_client.get("/lazy"), populate=lambda n: add(sync_db_session, n)
    )

def test_eager(sync_client, sync_db_session, queries):
    queries.assert_constant(
        lambda: sync_client.get("/eager"), populate=lambda n: add(sync_db_session, n)
    )
"""
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["n-plus-one  Author.books @ GET /lazy"])


def test_what_cannot_be_compared_fails_and_says_why(project: Project) -> None:
    project.write("shop/main.py", LISTS)

    result = project.run(
        ROWS
        + """
async def test_an_answer_that_does_not_grow(client, db_session, queries):
    await queries.assert_constant(
        lambda: client.get("/first"), populate=lambda n: authors(db_session, n)
    )

async def test_an_answer_that_is_an_error(client, db_session, queries):
    await queries.assert_constant(
        lambda: client.get("/nowhere"), populate=lambda n: authors(db_session, n)
    )

async def test_no_rows_at_all(client, db_session, queries):
    await queries.assert_constant(
        lambda: client.get("/eager"), populate=lambda n: authors(db_session, n), at=(0, 2)
    )
"""
    )

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "with 2, 3 rows the answer held 1, 1 items: statements can only be compared*",
            "a request that was to be compared answered 404: *",
            "*assert_constant compares two or more numbers of rows above 0, got at=(0, 2)*",
        ]
    )


def test_a_repair_has_to_give_the_same_answer_with_no_more_statements(project: Project) -> None:
    project.write("shop/main.py", LISTS)

    result = project.run("""
        import pytest
        from shop.database import Author

        async def test_repaired(client, queries):
            await queries.assert_same_answer(
                lambda: client.get("/lazy"), lambda: client.get("/eager")
            )

        async def test_made_worse(client, queries):
            await queries.assert_same_answer(
                lambda: client.get("/eager"), lambda: client.get("/lazy")
            )

        async def test_rows_are_lost(client, db_session, queries):
            db_session.add(Author(name="without books"))
            await db_session.commit()
            await queries.assert_same_answer(
                lambda: client.get("/eager"), lambda: client.get("/joined")
            )

        def test_without_awaiting(sync_client, queries):
            queries.assert_same_answer(
                lambda: sync_client.get("/lazy"), lambda: sync_client.get("/eager")
            )
    """)

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "the answers are equal, but the second request took 6 statements, the first 2",
            "the two requests do not give the same answer:",
            "  first   answered 200: *without books*",
        ]
    )


def test_a_section_counts_a_part_of_a_test_and_may_be_bounded(project: Project) -> None:
    project.write("shop/main.py", LISTS)

    result = project.run("""
        async def test_parts(client, queries):
            async with queries.section() as eager:
                await client.get("/eager")
            with queries.section() as lazy:
                await client.get("/lazy")
            assert (eager.count, lazy.by_requests, queries.count) == (2, 6, 8)
            assert lazy["GET /lazy"].count == 6
            assert not eager.findings
            assert [finding.label for finding in lazy.findings] == ["Author.books"]

        async def test_bounded(client, queries):
            async with queries.section(at_most=2):
                await client.get("/eager")
            async with queries.section(at_most=5):
                await client.get("/lazy")

        def test_a_failure_inside_wins(queries):
            with queries.section(at_most=0):
                assert False, "its own failure"
    """)

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "query-budget  total @ this block",
            "  6 statements ran, 5 are allowed",
            "*its own failure*",
        ]
    )


async def test_what_a_step_raises_reaches_the_test_and_what_was_entered_is_left() -> None:
    left: list[str] = []

    async def call() -> None:
        raise LookupError("no answer")

    def steps() -> Generator[Awaitable[None], None, None]:
        with ExitStack() as entered:
            entered.callback(left.append, "recording")
            yield call()

    waiting = driven(steps())
    assert waiting is not None
    with pytest.raises(LookupError):
        await waiting
    assert left == ["recording"]
