"""A database for each test: what is real in it, what it begins with, and what is left of it.

Each test here runs several "tests" of a sandbox on databases of a run of its own, and looks at the
server through a connection that no sandbox knows of.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from harness.database.admin import run_admin
from harness.database.clones import Clones, Kind, Run, TestDatabase, begun_run
from harness.database.rollback import Sandbox
from harness.database.server import PostgresServer
from harness.errors import EndedConnectionWarning, EscapedConnectionError
from harness.loops import Residents

T = TypeVar("T")
NOTES = text("SELECT body FROM notes ORDER BY body")
NAME = text("SELECT current_database()")


@dataclass
class Bench:
    """Runs tests one after the other, on one loop, as pytest does."""

    server: PostgresServer
    run: Run
    driver: str
    residents: Residents = field(default_factory=Residents)

    def __post_init__(self) -> None:
        self.url = self.server.address.url(self.run.database, driver=self.driver)
        self.sandbox = Sandbox(self.url, self.residents)
        self.clones = Clones(self.run, self.sandbox)
        self.runner = asyncio.Runner()
        self.engine = create_async_engine(self.url)

    @contextmanager
    def one_test(self, kind: Kind = "clone") -> Iterator[TestDatabase]:
        with self.clones.one_test(kind) as own, self.sandbox.one_test(own=own):
            yield own

    def clone_test(self, body: Callable[[], Awaitable[T]], kind: Kind = "clone") -> T:
        with self.one_test(kind):
            return self.await_(body)

    def rollback_test(self, body: Callable[[], Awaitable[T]]) -> T:
        with self.sandbox.one_test():
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

    async def name(self) -> str:
        async with self.engine.connect() as connection:
            return str(await connection.scalar(NAME))

    async def stranger(self, **options: object) -> Any:  # noqa: ANN401 - asyncpg ships no types
        """A connection to the run's database past SQLAlchemy."""
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await asyncpg.connect(plain, **options)

    def databases(self, kind: str = "") -> list[str]:
        return databases(self.server, f"{self.run.database}{'_' * bool(kind)}{kind}")


def databases(server: PostgresServer, prefix: str) -> list[str]:
    """The databases of a server whose names begin so."""

    async def ask() -> list[str]:
        address = server.address
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database="postgres",
        )
        try:
            query = "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1"
            return [row["datname"] for row in await connection.fetch(query, prefix)]
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.fixture(params=["asyncpg", "psycopg"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(driver: str, harness_postgres: PostgresServer) -> Iterator[Bench]:
    with begun_run(harness_postgres.address) as run:

        def make() -> None:
            rows = [
                "CREATE TABLE notes (body text UNIQUE, id serial)",
                "INSERT INTO notes VALUES ('old')",
            ]
            run_admin(harness_postgres.address, rows, database=run.database)

        run.prepare(None, make)
        bench = Bench(harness_postgres, run, driver)
        with bench.sandbox.installed():
            yield bench
        bench.await_(bench.engine.dispose)
        bench.residents.close()
        bench.runner.close()


def test_a_test_begins_with_the_base_line_and_leaves_nothing_to_the_next(bench: Bench) -> None:
    first = bench.clone_test(lambda: bench.add("new"))
    second = bench.clone_test(lambda: bench.add("new"))

    assert first == second == ["new", "old"]
    assert bench.await_(bench.notes) == ["old"]


def test_a_test_that_does_not_connect_makes_no_database(bench: Bench) -> None:
    with bench.one_test():
        pass

    assert bench.databases() == [bench.run.database]


def test_tests_of_both_kinds_may_alternate(bench: Bench) -> None:
    seen = [
        run(lambda: bench.add("new"))
        for run in [bench.clone_test, bench.rollback_test, bench.clone_test, bench.rollback_test]
    ]

    assert seen == [["new", "old"]] * 4
    assert bench.await_(bench.notes) == ["old"]


def test_transactions_are_real(bench: Bench) -> None:
    async def body() -> tuple[list[str], bool]:
        async with bench.engine.connect() as one, bench.engine.connect() as other:
            await one.execute(text("INSERT INTO notes VALUES ('unseen')"))
            seen = list(await other.scalars(NOTES))
            times = [await each.scalar(text("SELECT now()")) for each in (one, other)]
            return seen, times[0] < times[1]

    assert bench.clone_test(body) == (["old"], True)


def test_locks_are_real(bench: Bench) -> None:
    nowait = text("SELECT FROM notes FOR UPDATE NOWAIT")

    async def body() -> None:
        async with bench.engine.connect() as one, bench.engine.connect() as other:
            await one.execute(nowait)
            await other.execute(nowait)

    with pytest.raises(DBAPIError, match="could not obtain lock"):
        bench.clone_test(body)


def test_a_serialization_failure_is_real(bench: Bench) -> None:
    async def body() -> None:
        engine = bench.engine.execution_options(isolation_level="SERIALIZABLE")
        async with engine.connect() as one, engine.connect() as other:
            for connection, note in [(one, "a"), (other, "b")]:
                await connection.execute(text("SELECT count(*) FROM notes"))
                await connection.execute(text("INSERT INTO notes VALUES (:body)"), {"body": note})
            await one.commit()
            await other.commit()

    with pytest.raises(DBAPIError, match="could not serialize"):
        bench.clone_test(body)


def test_several_drivers_and_threads_see_the_same_rows(bench: Bench) -> None:
    blocking = create_engine(bench.url.set(drivername="postgresql+psycopg2"))
    seen: list[str] = []

    def look() -> None:
        with blocking.connect() as connection:
            seen.extend(connection.scalars(NOTES))

    with bench.one_test():
        bench.await_(lambda: bench.add("new"))
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    blocking.dispose()

    assert seen == ["new", "old"]


def test_connections_at_once_lead_to_one_database(bench: Bench) -> None:
    async def body() -> set[str]:
        return set(await asyncio.gather(*(bench.name() for _ in range(5))))

    assert len(bench.clone_test(body)) == 1


def test_a_connection_string_does_not_lead_past_the_tests_database(bench: Bench) -> None:
    word = "dsn" if bench.driver == "asyncpg" else "conninfo"
    plain = bench.url.set(drivername="postgresql").render_as_string(hide_password=False)
    engine = create_async_engine(bench.url, connect_args={word: plain})

    async def body() -> str:
        async with engine.connect() as connection:
            name = str(await connection.scalar(NAME))
        await engine.dispose()
        return name

    assert bench.clone_test(body).startswith(f"{bench.run.database}_c")


@pytest.mark.parametrize(
    ("place", "told"),
    [("/postgres", "the database 'postgres' on port"), ("", "that the engine's URL does not name")],
    ids=["of another name", "of no name"],
)
def test_a_connection_to_another_database_is_refused(bench: Bench, place: str, told: str) -> None:
    elsewhere = create_async_engine(f"postgresql+{bench.driver}://127.0.0.1{place}")

    async def body() -> None:
        await bench.notes()
        async with elsewhere.connect():
            pass

    with pytest.raises(EscapedConnectionError, match=told):
        bench.clone_test(body)


def test_a_session_left_open_is_closed_before_its_database_goes(bench: Bench) -> None:
    session = AsyncSession(bench.engine)

    async def body() -> None:
        await session.execute(text("INSERT INTO notes VALUES ('open')"))

    with bench.one_test():
        bench.sandbox.close_after_test(session.close)
        bench.await_(body)

    assert bench.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a QueuePool


def test_a_session_is_closed_before_its_loop_ends_within_the_test(bench: Bench) -> None:
    engine = create_async_engine(bench.url)
    session = AsyncSession(engine)

    async def body() -> None:
        await session.execute(text("INSERT INTO notes VALUES ('open')"))

    with bench.one_test():
        bench.sandbox.close_after_test(session.close)
        asyncio.run(body())

    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a QueuePool


def test_an_empty_database_has_no_tables(bench: Bench) -> None:
    async def body() -> object:
        async with bench.engine.connect() as connection:
            return await connection.scalar(text("SELECT to_regclass('notes')"))

    assert bench.clone_test(body, kind="empty") is None


def test_rows_written_between_tests_are_in_the_next_copies(bench: Bench) -> None:
    bench.clone_test(bench.notes)

    bench.await_(lambda: bench.add("between"))

    assert bench.clone_test(bench.notes) == ["between", "old"]
    assert bench.clone_test(bench.notes) == ["between", "old"]


def test_rows_of_a_lifespan_within_the_test_are_in_its_copy(bench: Bench) -> None:
    async def start() -> None:
        with bench.sandbox.bypassed():
            await bench.add("lifespan")

    bench.clone_test(bench.notes)
    with (
        bench.clones.one_test("clone", prepare=start) as own,
        bench.sandbox.one_test(own=own),
    ):
        seen = bench.await_(bench.notes)

    assert seen == ["lifespan", "old"]


def test_rows_written_past_sqlalchemy_are_in_the_next_copies(bench: Bench) -> None:
    async def write() -> None:
        connection = await bench.stranger()
        await connection.execute("INSERT INTO notes VALUES ('stranger')")
        await connection.close()

    bench.clone_test(bench.notes)
    bench.await_(write)

    assert bench.clone_test(bench.notes) == ["old", "stranger"]


def test_tests_in_rollback_mode_are_no_reason_to_copy_the_base_line_again(bench: Bench) -> None:
    bench.clone_test(bench.notes)
    before = bench.databases("s")

    bench.rollback_test(lambda: bench.add("undone"))
    bench.clone_test(bench.notes)

    assert bench.databases("s") == before


def test_a_strangers_connection_is_ended_with_a_warning_that_names_it(bench: Bench) -> None:
    settings = {"application_name": "worker of jobs"}
    stranger = bench.await_(lambda: bench.stranger(server_settings=settings))

    with pytest.warns(EndedConnectionWarning, match="of 'worker of jobs' from .* is ended"):
        seen = bench.clone_test(bench.notes)

    assert seen == ["old"]
    stranger.terminate()
    bench.await_(lambda: asyncio.sleep(0))


def test_pooled_connections_that_were_ended_are_replaced(bench: Bench) -> None:
    bench.await_(bench.notes)
    bench.rollback_test(bench.notes)

    bench.clone_test(bench.notes)

    assert bench.await_(bench.notes) == ["old"]
    assert bench.rollback_test(lambda: bench.add("new")) == ["new", "old"]
    assert bench.await_(bench.notes) == ["old"]


@pytest.mark.parametrize("blocking", ["psycopg", "psycopg2"])
def test_the_connection_of_a_blocking_drivers_tests_is_replaced(
    bench: Bench, blocking: str
) -> None:
    engine = create_engine(bench.url.set(drivername=f"postgresql+{blocking}"))

    def look() -> list[str]:
        with bench.sandbox.one_test(), engine.connect() as connection:
            return list(connection.scalars(NOTES))

    before = look()
    bench.clone_test(bench.notes)

    assert look() == before == ["old"]
    engine.dispose()


def test_a_session_is_closed_on_its_own_loop_whatever_loops_earlier_tests_had(bench: Bench) -> None:
    session = AsyncSession(bench.engine)

    async def use() -> str:
        return str(await session.scalar(NAME))

    with ExitStack() as earlier:
        for runner in [earlier.enter_context(asyncio.Runner()) for _ in range(5)]:
            with bench.one_test():
                runner.run(bench.name())
        with bench.one_test() as own:
            bench.sandbox.close_after_test(session.close)
            assert bench.await_(use) == own.name()

        assert not session.in_transaction()


def test_a_pooled_connection_that_has_become_virtual_is_not_asked_for_its_process(
    bench: Bench,
) -> None:
    bench.await_(partial(bench.add, "for all"))  # for real, so that the base line has to be copied
    bench.rollback_test(bench.notes)  # takes the same place in the pool

    with bench.one_test() as own:
        assert own.name() != bench.run.database  # made where no loop runs
        assert bench.await_(bench.notes) == ["for all", "old"]
