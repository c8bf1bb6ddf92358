"""What is left of a test when the next one begins: nothing of its own, all of the base line.

Each test here runs several "tests" of a sandbox of its own, on a database of its own, and looks
between them through a connection that no sandbox knows of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from harness.asgi.running import RunningApp
from harness.capture import RequestTracker
from harness.database.admin import run_admin
from harness.database.rollback import Sandbox
from harness.database.server import PostgresServer
from harness.errors import SandboxConflictError
from harness.loops import Residents
from tests.databases import create_database, drop_database

DATABASE = "harness_between_tests"
T = TypeVar("T")


@dataclass
class Bench:
    """Runs tests one after the other, as pytest does with one loop for all."""

    url: URL
    residents: Residents = field(default_factory=Residents)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(self.url, self.residents, wait_seconds=0.2)
        self.runner = asyncio.Runner()

    def run_test(self, body: Callable[[], Awaitable[T]]) -> T:
        with self.sandbox.one_test():
            return self.run(body)

    def run(self, body: Callable[[], Awaitable[T]]) -> T:
        async def awaited() -> T:
            return await body()

        return self.runner.run(awaited())

    @contextmanager
    def another_loop(self) -> Iterator[None]:
        """Close the loop, as pytest-asyncio does after each test by default."""
        self.runner.close()
        self.runner = asyncio.Runner()
        yield

    async def connected(self) -> asyncpg.Connection[Any]:
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await asyncpg.connect(plain)

    def seen_outside(self, sql: str = "SELECT array_agg(text ORDER BY text) FROM notes") -> Any:  # noqa: ANN401 - whatever is selected
        async def look() -> object:
            connection = await self.connected()
            try:
                return await connection.fetchval(sql)
            finally:
                await connection.close()

        return self.run(look)


@pytest.fixture(params=["asyncpg", "psycopg"])
def bench(request: pytest.FixtureRequest, harness_postgres: PostgresServer) -> Iterator[Bench]:
    create_database(harness_postgres.address, DATABASE)
    run_admin(
        harness_postgres.address, ["CREATE TABLE notes (text text UNIQUE)"], database=DATABASE
    )
    bench = Bench(harness_postgres.address.url(DATABASE, driver=request.param))
    with bench.sandbox.installed():
        yield bench
    bench.residents.close()
    bench.runner.close()
    drop_database(harness_postgres.address, DATABASE)


@pytest.fixture
def engine(bench: Bench) -> Iterator[AsyncEngine]:
    engine = create_async_engine(bench.url)
    yield engine
    bench.run(engine.dispose)


async def add(engine: AsyncEngine, note: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})


async def notes(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return list(await connection.scalars(text("SELECT text FROM notes ORDER BY text")))


def adding(engine: AsyncEngine, note: str) -> Callable[[], Awaitable[list[str]]]:
    async def body() -> list[str]:
        await add(engine, note)
        return await notes(engine)

    return body


def test_what_a_test_commits_is_gone_after_it(bench: Bench, engine: AsyncEngine) -> None:
    inside = bench.run_test(adding(engine, "one"))

    assert inside == ["one"]
    assert bench.seen_outside() is None


def test_the_next_test_starts_from_the_base_line(bench: Bench, engine: AsyncEngine) -> None:
    bench.run_test(adding(engine, "same"))

    assert bench.run_test(adding(engine, "same")) == ["same"]


def test_nothing_of_a_test_is_visible_outside_while_it_runs(
    bench: Bench, engine: AsyncEngine
) -> None:
    async def body() -> int:
        await add(engine, "one")
        outside = await bench.connected()
        try:
            return len(await outside.fetch("SELECT FROM notes"))
        finally:
            await outside.close()

    assert bench.run_test(body) == 0


def test_rows_written_between_tests_are_the_base_line_and_stay(
    bench: Bench, engine: AsyncEngine
) -> None:
    bench.run(lambda: add(engine, "base"))

    assert bench.run_test(adding(engine, "one")) == ["base", "one"]
    assert bench.seen_outside() == ["base"]


def test_in_autocommit_a_test_is_undone_too(bench: Bench) -> None:
    engine = create_async_engine(bench.url, isolation_level="AUTOCOMMIT")

    inside = bench.run_test(adding(engine, "one"))

    assert inside == ["one"]
    assert bench.seen_outside() is None


def test_an_engine_without_a_pool_is_undone_too(bench: Bench) -> None:
    engine = create_async_engine(bench.url, poolclass=NullPool)

    bench.run_test(adding(engine, "one"))

    assert bench.seen_outside() is None


def test_connections_opened_at_once_share_one_world(bench: Bench) -> None:
    engine = create_async_engine(bench.url, poolclass=NullPool)

    async def body() -> list[str]:
        await asyncio.gather(*(add(engine, str(number)) for number in range(5)))
        return await notes(engine)

    assert bench.run_test(body) == ["0", "1", "2", "3", "4"]
    assert bench.seen_outside() is None


def test_each_loop_may_have_its_own_tests(bench: Bench, engine: AsyncEngine) -> None:
    bench.run_test(adding(engine, "one"))

    with bench.another_loop():
        assert bench.run_test(adding(engine, "two")) == ["two"]
    assert bench.seen_outside() is None


def test_a_loop_that_closes_within_the_test_undoes_it(bench: Bench, engine: AsyncEngine) -> None:
    with bench.sandbox.one_test():
        bench.run(adding(engine, "one"))
        bench.runner.close()
    bench.runner = asyncio.Runner()

    assert bench.seen_outside() is None


def test_a_second_loop_in_the_same_test_is_refused(bench: Bench, engine: AsyncEngine) -> None:
    async def open_and_leave_to_another_loop() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO notes VALUES ('one')"))
            await asyncio.to_thread(asyncio.run, notes(create_async_engine(bench.url)))

    with pytest.raises(SandboxConflictError, match="a second event loop connected"):
        bench.run_test(open_and_leave_to_another_loop)


def test_a_session_left_open_by_an_earlier_test_is_named(bench: Bench, engine: AsyncEngine) -> None:
    async def leave_open() -> Any:  # noqa: ANN401 - a connection of SQLAlchemy's
        connection = await engine.connect()
        await connection.execute(text("SELECT 1"))
        return connection

    left = bench.run_test(leave_open)

    with pytest.raises(SandboxConflictError, match="opened in an earlier test is still in use"):
        bench.run_test(lambda: left.execute(text("SELECT 1")))
    bench.run(left.close)


def test_a_session_used_after_its_test_is_named(bench: Bench, engine: AsyncEngine) -> None:
    async def leave_open() -> Any:  # noqa: ANN401 - a connection of SQLAlchemy's
        connection = await engine.connect()
        await connection.execute(text("SELECT 1"))
        return connection

    left = bench.run_test(leave_open)

    with pytest.raises((SandboxConflictError, StatementError), match="is used after the test"):
        bench.run(lambda: left.execute(text("SELECT 1")))
    bench.run(left.close)


def test_a_session_closed_after_its_test_changes_nothing(bench: Bench, engine: AsyncEngine) -> None:
    async def leave_open() -> Any:  # noqa: ANN401 - a connection of SQLAlchemy's
        connection = await engine.connect()
        await connection.execute(text("INSERT INTO notes VALUES ('left')"))
        return connection

    left = bench.run_test(leave_open)

    async def close_and_add() -> list[str]:
        await add(engine, "one")
        await left.close()
        return await notes(engine)

    assert bench.run_test(close_and_add) == ["one"]


def test_ddl_of_a_test_is_undone(bench: Bench, engine: AsyncEngine) -> None:
    async def alter() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE extra (id int)"))

    bench.run_test(alter)

    assert bench.seen_outside("SELECT to_regclass('extra')") is None


def test_after_ddl_the_next_test_runs_the_same_statements(
    bench: Bench, engine: AsyncEngine
) -> None:
    async def columns() -> list[str]:
        async with engine.connect() as connection:
            return list((await connection.execute(text("SELECT * FROM notes"))).keys())

    async def alter_and_select() -> list[str]:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE notes ADD COLUMN stars int"))
        return await columns()

    seen = [bench.run_test(alter_and_select), bench.run_test(columns)]

    assert seen == [["text", "stars"], ["text"]]


def test_an_enum_type_may_be_made_in_every_test(bench: Bench, engine: AsyncEngine) -> None:
    async def make_and_use() -> object:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TYPE mood AS ENUM ('fine', 'not fine')"))
            await connection.execute(text("CREATE TABLE people (mood mood)"))
            insert = text("INSERT INTO people VALUES (CAST(:mood AS mood))")
            await connection.execute(insert, {"mood": "fine"})
            return await connection.scalar(text("SELECT mood FROM people"))

    assert [bench.run_test(make_and_use) for _ in range(3)] == ["fine"] * 3


@pytest.mark.parametrize("bench", ["asyncpg"], indirect=True)  # psycopg prepares after 5 times
@pytest.mark.parametrize("is_pinging", [False, True], ids=["plain", "pinging"])
def test_statements_stay_prepared_over_tests(bench: Bench, is_pinging: bool) -> None:
    engine = create_async_engine(bench.url, pool_pre_ping=is_pinging)

    async def prepared() -> Sequence[str]:
        await notes(engine)
        async with engine.connect() as connection:
            # Names are given once: one that comes again is the same prepared statement.
            named = text("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM no%'")
            return (await connection.scalars(named)).all()

    first, *later = [bench.run_test(prepared) for _ in range(3)]

    assert first
    assert later == [first, first]


def test_advisory_locks_end_with_their_test(bench: Bench, engine: AsyncEngine) -> None:
    async def lock() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(1)"))

    bench.run_test(lock)

    assert bench.seen_outside("SELECT pg_try_advisory_lock(1)") is True


def test_after_a_lost_connection_the_next_test_has_a_new_one(
    bench: Bench, engine: AsyncEngine
) -> None:
    async def lose() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DBAPIError) as lost:
        bench.run_test(lose)

    # The statement's own error, and not one of the clean-up behind it.
    assert "pg_terminate_backend" in str(lost.value)
    assert bench.run_test(adding(engine, "one")) == ["one"]


def test_a_test_that_fails_is_undone(bench: Bench, engine: AsyncEngine) -> None:
    async def fail() -> None:
        await add(engine, "one")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.run_test(fail)
    assert bench.seen_outside() is None


def test_listeners_are_given_back(bench: Bench, engine: AsyncEngine) -> None:
    other = Sandbox(bench.url, bench.residents)

    with other.installed():
        pass

    with other.one_test():
        bench.run(adding(engine, "for real"))
    assert bench.seen_outside() == ["for real"]


# ---- through an application ----


@asynccontextmanager
async def writing_lifespan(app: FastAPI) -> AsyncIterator[None]:
    await add(app.state.engine, "written at start-up")
    yield


def requesting(
    bench: Bench, app: FastAPI, *, around: Callable[[], AbstractContextManager[None]]
) -> httpx.AsyncClient:
    running = RunningApp(RequestTracker().wrap(app), bench.residents, around_lifespan=around)
    return httpx.AsyncClient(transport=httpx.ASGITransport(running), base_url="http://test")


def test_what_the_lifespan_writes_is_the_base_line(bench: Bench, engine: AsyncEngine) -> None:
    app = FastAPI(lifespan=writing_lifespan)
    app.state.engine = engine
    app.add_api_route("/", adding(engine, "one"))
    client = requesting(bench, app, around=bench.sandbox.bypassed)

    async def body() -> object:
        return (await client.get("/")).json()

    assert bench.run_test(body) == ["one", "written at start-up"]
    assert bench.run_test(body) == ["one", "written at start-up"]
    assert bench.seen_outside() == ["written at start-up"]


def test_a_request_that_waits_too_long_for_another_names_both(
    bench: Bench, engine: AsyncEngine
) -> None:
    is_open, may_end = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO notes VALUES ('held')"))
            is_open.set()
            await may_end.wait()

    app = FastAPI()
    app.add_api_route("/hold", hold)
    app.add_api_route("/notes", adding(engine, "late"))
    client = requesting(bench, app, around=bench.sandbox.bypassed)

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.get("/hold"))
            await is_open.wait()
            try:
                await client.get("/notes")
            finally:
                may_end.set()

    with pytest.raises(ExceptionGroup) as caught:
        bench.run_test(body)
    (conflict,) = caught.value.exceptions
    assert isinstance(conflict, SandboxConflictError)
    assert "GET /notes waited 0.2 s for the transaction of GET /hold" in conflict.what
    assert "a database of its own" in conflict.remedy


def test_a_request_inside_a_failed_transaction_of_the_test_is_told_so(
    bench: Bench, engine: AsyncEngine
) -> None:
    app = FastAPI()
    app.add_api_route("/notes", adding(engine, "late"))
    client = requesting(bench, app, around=bench.sandbox.bypassed)

    async def body() -> None:
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError):
                await connection.execute(text("SELECT 1 / 0"))
            await client.get("/notes")

    with pytest.raises(
        SandboxConflictError, match=r"GET /notes began .* that of the test had fail"
    ):
        bench.run_test(body)
