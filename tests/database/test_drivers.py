"""The same isolation for every driver: blocking ones in threads, awaited ones on a loop.

Each test runs several "tests" of a sandbox on a database of its own, and looks between them through
a connection that no sandbox knows of.
"""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from harness.capture import RequestTracker
from harness.capture.requests import current_request
from harness.database.admin import run_admin
from harness.database.rollback import Sandbox
from harness.database.server import PostgresServer
from harness.errors import SandboxConflictError, SecondDriverError, UnsupportedDriverError
from harness.loops import Residents
from tests.databases import create_database, drop_database

DATABASE = "harness_drivers"
COUNT = text("SELECT count(*) FROM notes")
BLOCKING = ["psycopg", "psycopg2"]


@dataclass
class Bench:
    """Tests of one sandbox, with an engine of one driver that lives through all of them."""

    server: PostgresServer
    sandbox: Sandbox
    driver: str
    engines: list[Engine] = field(default_factory=list)

    @property
    def url(self) -> URL:
        return self.server.address.url(DATABASE, driver=self.driver)

    def engine(self, **options: object) -> Engine:
        made = create_engine(self.url, **options)
        self.engines.append(made)
        return made

    def rows_outside(self) -> int:
        async def count() -> int:
            address = self.server.address
            connection = await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                database=DATABASE,
            )
            try:
                found: int = await connection.fetchval("SELECT count(*) FROM notes")
                return found
            finally:
                await connection.close()

        return asyncio.run(count())


@pytest.fixture(scope="module")
def _database(harness_postgres: PostgresServer) -> Iterator[None]:
    create_database(harness_postgres.address, DATABASE)
    tables = "CREATE TABLE notes (id serial PRIMARY KEY, body text UNIQUE)"
    run_admin(harness_postgres.address, [tables], database=DATABASE)
    yield
    drop_database(harness_postgres.address, DATABASE)


@pytest.fixture(params=BLOCKING)
def bench(
    request: pytest.FixtureRequest,
    harness_postgres: PostgresServer,
    _database: None,
) -> Iterator[Bench]:
    sandbox = Sandbox(harness_postgres.address.url(DATABASE), Residents(), wait_seconds=0.3)
    with sandbox.installed():
        bench = Bench(harness_postgres, sandbox, request.param)
        yield bench
        for engine in bench.engines:
            engine.dispose()


def add(engine: Engine, body: str) -> None:
    with Session(engine) as session, session.begin():
        session.execute(text("INSERT INTO notes (body) VALUES (:body)"), {"body": body})


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(COUNT) or 0


def test_what_a_test_commits_is_seen_in_it_and_gone_after_it(bench: Bench) -> None:
    engine = bench.engine()
    seen = []

    for _ in range(3):
        with bench.sandbox.one_test():
            add(engine, "unique")
            seen.append(count(engine))
            assert bench.rows_outside() == 0

    assert seen == [1, 1, 1]
    assert bench.rows_outside() == 0


@pytest.mark.parametrize(
    "options",
    [{"poolclass": NullPool}, {"pool_pre_ping": True}, {"isolation_level": "SERIALIZABLE"}],
    ids=["no pool", "pre-ping", "serializable"],
)
def test_engines_of_any_making_are_undone(bench: Bench, options: dict[str, object]) -> None:
    engine = bench.engine(**options)

    with bench.sandbox.one_test():
        add(engine, "one")
        seen = count(engine)

    assert (seen, bench.rows_outside()) == (1, 0)


def test_writer_and_reader_of_one_driver_share_a_world(bench: Bench) -> None:
    writer, reader = bench.engine(), bench.engine()

    with bench.sandbox.one_test():
        add(writer, "one")
        seen = count(reader)

    assert (seen, bench.rows_outside()) == (1, 0)


def test_a_rollback_after_an_error_keeps_what_was_committed_before(bench: Bench) -> None:
    engine = bench.engine()

    with bench.sandbox.one_test():
        add(engine, "taken")
        with pytest.raises(IntegrityError):
            add(engine, "taken")
        add(engine, "free")
        seen = count(engine)

    assert (seen, bench.rows_outside()) == (2, 0)


def test_begin_nested_undoes_its_own_part_only(bench: Bench) -> None:
    engine = bench.engine()

    with bench.sandbox.one_test(), Session(engine) as session:
        session.execute(text("INSERT INTO notes (body) VALUES ('kept')"))
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text("INSERT INTO notes (body) VALUES ('kept')"))
        session.commit()
        seen = count(engine)

    assert (seen, bench.rows_outside()) == (1, 0)


def test_in_autocommit_each_statement_stands_for_itself(bench: Bench) -> None:
    engine = bench.engine(isolation_level="AUTOCOMMIT")
    insert = text("INSERT INTO notes (body) VALUES ('once')")

    with bench.sandbox.one_test(), engine.connect() as connection:
        connection.execute(insert)
        with pytest.raises(IntegrityError):
            connection.execute(insert)
        seen = connection.scalar(COUNT)

    assert (seen, bench.rows_outside()) == (1, 0)


def test_threads_take_turns_and_all_of_them_succeed(bench: Bench) -> None:
    engine = bench.engine(pool_size=2, max_overflow=20)
    number_of_threads = 8

    with bench.sandbox.one_test():
        bodies = [f"from thread {number}" for number in range(number_of_threads)]
        with ThreadPoolExecutor(number_of_threads) as threads:
            list(threads.map(lambda body: add(engine, body), bodies))
        seen = count(engine)

    assert (seen, bench.rows_outside()) == (number_of_threads, 0)


def test_rows_can_be_streamed_by_a_server_side_cursor(bench: Bench) -> None:
    engine = bench.engine()
    numbers = text("SELECT generate_series(1, 1000)")

    with bench.sandbox.one_test(), engine.connect() as connection:
        streamed = connection.execution_options(stream_results=True, max_row_buffer=10)
        total = sum(streamed.scalars(numbers))

    assert total == 500_500


def test_types_that_the_driver_looks_up_come_back_as_themselves(bench: Bench) -> None:
    engine = bench.engine()
    made = uuid.uuid4()
    asked = text("SELECT CAST(:made AS uuid), CAST('{\"a\": [1]}' AS jsonb), ARRAY[1, 2]")

    with bench.sandbox.one_test(), engine.connect() as connection:
        row = connection.execute(asked, {"made": str(made)}).one()

    assert (str(row[0]), row[1], row[2]) == (str(made), {"a": [1]}, [1, 2])


def test_ddl_of_a_test_is_undone_and_the_next_one_can_repeat_it(bench: Bench) -> None:
    engine = bench.engine()
    seen = []

    for _ in range(2):
        with bench.sandbox.one_test(), engine.begin() as connection:
            connection.execute(text("CREATE TABLE fresh (id int)"))
            connection.execute(text("INSERT INTO fresh VALUES (1)"))
            seen.append(connection.scalar(text("SELECT count(*) FROM fresh")))

    assert seen == [1, 1]


def test_copy_through_the_driver_is_isolated_too(bench: Bench) -> None:
    engine = bench.engine()

    with bench.sandbox.one_test():
        raw = engine.raw_connection()
        _copy_in(raw.cursor(), "copied\n")
        raw.commit()
        raw.close()
        seen = count(engine)

    assert (seen, bench.rows_outside()) == (1, 0)


def _copy_in(cursor: object, lines: str) -> None:
    statement = "COPY notes (body) FROM STDIN"
    if hasattr(cursor, "copy_expert"):
        cursor.copy_expert(statement, io.StringIO(lines))
    else:
        with cursor.copy(statement) as data:  # type: ignore[attr-defined] # psycopg's
            data.write(lines)


def test_now_is_the_time_of_the_test_and_not_of_the_one_before(bench: Bench) -> None:
    engine = bench.engine()
    with bench.sandbox.one_test():
        add(engine, "before")
    between = datetime.now(UTC)

    with bench.sandbox.one_test(), engine.connect() as connection:
        now = connection.scalar(text("SELECT now()"))

    assert now is not None
    assert now > between


def test_rows_written_between_tests_are_the_base_line_and_stay(bench: Bench) -> None:
    engine = bench.engine()
    add(engine, "base line")
    try:
        with bench.sandbox.one_test():
            add(engine, "of the test")
            seen = count(engine)

        assert (seen, bench.rows_outside()) == (2, 1)
    finally:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM notes"))


def test_after_a_lost_connection_the_next_test_has_a_new_one(bench: Bench) -> None:
    engine = bench.engine()
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"

    with bench.sandbox.one_test():
        add(engine, "lost")
        run_admin(bench.server.address, [terminate.format(DATABASE)])
        with pytest.raises(Exception, match=r"terminating connection|closed"):
            count(engine)
    with bench.sandbox.one_test():
        add(engine, "new")
        seen = count(engine)

    assert (seen, bench.rows_outside()) == (1, 0)


def test_a_session_left_open_by_an_earlier_test_is_named(bench: Bench) -> None:
    with bench.sandbox.one_test():
        session = Session(bench.engine())
        session.execute(COUNT)

    with bench.sandbox.one_test(), pytest.raises(SandboxConflictError, match="earlier test"):
        session.execute(COUNT)
    session.close()


def test_a_second_driver_in_one_test_is_refused_and_both_are_named(bench: Bench) -> None:
    other = next(driver for driver in BLOCKING if driver != bench.driver)
    first, second = bench.engine(), create_engine(bench.url.set(drivername=f"postgresql+{other}"))

    with bench.sandbox.one_test():
        add(first, "one")
        with pytest.raises(SecondDriverError, match=f"{bench.driver}.*{other}"):
            count(second)
    with bench.sandbox.one_test():  # also where the first comes out of the pool
        add(first, "one")
        with pytest.raises(SecondDriverError):
            count(second)

    assert bench.rows_outside() == 0


def test_a_transaction_that_waits_for_another_request_ends_with_an_error(bench: Bench) -> None:
    engine = bench.engine()

    with bench.sandbox.one_test(), request_to("/first"), Session(engine) as session:
        session.execute(COUNT)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(_count_in, "/second", engine)
            with pytest.raises(SandboxConflictError, match=r"GET /second waited .* GET /first"):
                waiting.result()


def _count_in(path: str, engine: Engine) -> int:
    with request_to(path):
        return count(engine)


@contextmanager
def request_to(path: str) -> Iterator[None]:
    token = current_request.set(RequestTracker().begin({"method": "GET", "path": path}))
    try:
        yield
    finally:
        current_request.reset(token)


def test_a_driver_without_virtual_connections_is_refused(bench: Bench) -> None:
    engine = bench.engine()
    engine.dialect.driver = "pg8000"  # one that is not installed here

    with bench.sandbox.one_test(), pytest.raises(UnsupportedDriverError, match="pg8000"):
        count(engine)
