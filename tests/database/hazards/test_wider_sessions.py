"""A session that lives longer than a test: of a fixture of a module or of the run, or a global one.

Each test runs several "tests" of a sandbox on a database of its own, and works between them as
such fixtures do; the same through each driver, awaited or not.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import URL, Engine, create_engine, event, text
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import Pool

from harness.database.admin import run_admin
from harness.database.rollback import Sandbox
from harness.database.rollback.advice import Topic
from harness.database.server import PostgresServer
from harness.errors import SandboxConflictError
from harness.loops import Residents
from tests.databases import create_database, drop_database

DATABASE = f"harness_wider_{os.getpid()}"  # of one worker of several
COUNT = "SELECT count(*) FROM notes"
ADD = "INSERT INTO notes VALUES ('{}')"


class Base(DeclarativeBase): ...


class Note(Base):
    __tablename__ = "notes"
    text: Mapped[str] = mapped_column(primary_key=True)


@dataclass
class Worker:
    """A session, or without one a connection, and the calls that any fixture makes of it."""

    runner: asyncio.Runner
    session: Session | AsyncSession

    def execute(self, sql: str) -> None:
        self._call("execute", text(sql))

    def scalar(self, sql: str) -> object:
        return self._call("scalar", text(sql))

    def count(self) -> object:
        return self.scalar(COUNT)

    def commit(self) -> None:
        self._call("commit")

    def rollback(self) -> None:
        self._call("rollback")

    def close(self) -> None:
        self._call("close")

    def load(self, key: str) -> object:
        return self._call("get", Note, key)

    def _call(self, name: str, *arguments: object) -> object:
        called = getattr(self.session, name)(*arguments)
        return self._run(called) if asyncio.iscoroutine(called) else called

    def _run(self, called: object) -> object:
        async def awaited() -> object:
            return await called  # type: ignore[misc] # one of the session's coroutines

        return self.runner.run(awaited())


@dataclass
class Bench:
    """Tests of one sandbox, with an engine of one driver that lives through all of them."""

    server: PostgresServer
    url: URL
    is_async: bool
    residents: Residents = field(default_factory=Residents)

    def __post_init__(self) -> None:
        self.runner = asyncio.Runner()
        self.sandbox = Sandbox(self.url, self.residents, wait_seconds=0.3)
        self.engine: Engine | AsyncEngine = (
            create_async_engine(self.url) if self.is_async else create_engine(self.url)
        )

    def session(self, *, isolation_level: str | None = None) -> Worker:
        engine = self.engine
        if isolation_level is not None:
            engine = engine.execution_options(isolation_level=isolation_level)
        made = AsyncSession(engine) if isinstance(engine, AsyncEngine) else Session(engine)
        return Worker(self.runner, made)

    def add(self, note: str) -> None:
        """What an application does in a request."""
        worker = self.session()
        worker.execute(ADD.format(note))
        worker.commit()
        worker.close()

    def count(self) -> object:
        worker = self.session()
        try:
            return worker.count()
        finally:
            worker.close()

    def rows_outside(self) -> object:
        with self.sandbox.bypassed():
            return self.count()

    def close(self) -> None:
        if isinstance(self.engine, AsyncEngine):
            self.runner.run(self.engine.dispose())
        else:
            self.engine.dispose()
        self.residents.close()
        self.runner.close()


@pytest.fixture(params=["asyncpg", "psycopg async", "psycopg", "psycopg2"])
def bench(request: pytest.FixtureRequest, harness_postgres: PostgresServer) -> Iterator[Bench]:
    create_database(harness_postgres.address, DATABASE)
    tables = "CREATE TABLE notes (text text PRIMARY KEY)"
    run_admin(harness_postgres.address, [tables], database=DATABASE)
    driver = request.param.split()[0]
    url = harness_postgres.address.url(DATABASE, driver=driver)
    bench = Bench(harness_postgres, url, is_async=request.param in {"asyncpg", "psycopg async"})
    with bench.sandbox.installed():
        yield bench
    bench.close()
    drop_database(harness_postgres.address, DATABASE)


@pytest.fixture
def wide(bench: Bench) -> Iterator[Worker]:
    """A session in a transaction that has read, as after `refresh()` in a fixture."""
    worker = bench.session()
    worker.count()
    yield worker
    worker.close()


def test_in_every_test_it_sees_what_the_application_commits_there(
    bench: Bench, wide: Worker
) -> None:
    seen = []
    for note in ("one", "two"):
        with bench.sandbox.one_test():
            bench.add(note)
            seen.append(wide.count())

    assert seen == [1, 1]
    assert bench.rows_outside() == 0


@pytest.mark.parametrize("is_commit", [True, False], ids=["committed", "left open"])
def test_what_it_writes_in_a_test_is_undone(bench: Bench, wide: Worker, *, is_commit: bool) -> None:
    seen = []
    for _ in range(3):
        with bench.sandbox.one_test():
            wide.execute(ADD.format("the same key"))
            seen.append(wide.count())
            if is_commit:
                wide.commit()

    assert seen == [1, 1, 1]
    assert bench.rows_outside() == 0


def test_what_it_commits_between_tests_is_the_base_line(bench: Bench, wide: Worker) -> None:
    with bench.sandbox.one_test():
        wide.execute(ADD.format("of the test"))
    before = bench.sandbox.real_uses
    wide.execute(ADD.format("base line"))
    wide.commit()

    assert bench.sandbox.real_uses > before  # by which clone mode knows that it must copy anew
    assert bench.rows_outside() == 1
    with bench.sandbox.one_test():
        assert (wide.count(), bench.count()) == (1, 1)


def test_a_global_one_that_a_test_is_first_to_use_begins_anew_in_the_next(bench: Bench) -> None:
    worker = bench.session()
    with bench.sandbox.one_test():
        worker.execute(ADD.format("one"))

    with bench.sandbox.one_test():
        bench.add("one")
        assert worker.count() == 1
    worker.close()


def test_what_a_fixture_has_not_committed_is_not_lost(
    bench: Bench, wide: Worker, heard: list[object]
) -> None:
    wide.execute(ADD.format("of the fixture"))
    with bench.sandbox.one_test():
        seen = wide.count(), bench.count()
    wide.commit()

    assert seen == (1, 0)
    assert bench.rows_outside() == 1
    assert heard == [Topic.UNCOMMITTED_ROWS]


def test_a_transaction_that_no_test_uses_goes_on_after_them(bench: Bench, wide: Worker) -> None:
    wide.execute(ADD.format("of the fixture"))
    with bench.sandbox.one_test():
        bench.add("of the test")
    wide.commit()

    assert bench.rows_outside() == 1


@pytest.mark.parametrize("how", ["commit", "rollback", "close"])
def test_one_that_only_ends_in_a_test_gives_its_connection_back_in_order(
    bench: Bench, wide: Worker, how: str
) -> None:
    with bench.sandbox.one_test():
        getattr(wide, how)()
        wide.close()
        bench.add("one")
        bench.add("two")
        seen = bench.count()

    assert seen == 2
    assert bench.rows_outside() == 0


def test_one_that_only_ends_in_the_next_test_leaves_nothing_to_it(
    bench: Bench, wide: Worker
) -> None:
    with bench.sandbox.one_test():
        wide.execute(ADD.format("one"))
    with bench.sandbox.one_test():
        wide.commit()
        seen = bench.count()
        bench.add("one")

    assert seen == 0
    assert bench.rows_outside() == 0


# Of those that are awaited SQLAlchemy warns: the collector cannot close them.
@pytest.mark.parametrize("bench", ["psycopg", "psycopg2"], indirect=True)
def test_one_that_is_forgotten_gives_its_connection_back(bench: Bench) -> None:
    worker: Worker | None = bench.session()
    assert worker is not None
    worker.count()
    with bench.sandbox.one_test():
        pool = bench.engine.pool
        before = pool.checkedout()  # type: ignore[attr-defined] # of the default kind of pool
        worker = None
        gc.collect()

        assert (before, pool.checkedout()) == (1, 0)  # type: ignore[attr-defined] # as above


def test_in_autocommit_it_stays_there(bench: Bench) -> None:
    worker = bench.session(isolation_level="AUTOCOMMIT")
    worker.count()
    with bench.sandbox.one_test():
        worker.execute(ADD.format("one"))
        worker.rollback()
        seen = bench.count()
    worker.close()

    assert seen == 1


def test_unused_by_a_test_it_has_its_connection_still(bench: Bench, wide: Worker) -> None:
    before = wide.scalar("SELECT pg_backend_pid()")
    with bench.sandbox.one_test():
        bench.add("one")

    assert wide.scalar("SELECT pg_backend_pid()") == before


def test_pool_events_set_its_connections_up(bench: Bench, wide: Worker) -> None:
    made: list[object] = []

    def note(connection: object, entry: object) -> None:  # noqa: ARG001 - the event's signature
        made.append(connection)

    pool: Pool = bench.engine.pool
    event.listen(pool, "connect", note)
    with bench.sandbox.one_test():
        wide.count()
    event.remove(pool, "connect", note)

    assert len(made) == 1


def test_what_it_keeps_in_memory_is_advised_on(
    bench: Bench, wide: Worker, heard: list[object]
) -> None:
    with bench.sandbox.one_test():
        bench.add("one")
        kept = wide.load("one")
    with bench.sandbox.one_test():
        wide.count()

    assert kept is not None
    assert heard == [Topic.LASTING_SESSION]


def test_one_that_keeps_nothing_is_no_matter_of_advice(
    bench: Bench, wide: Worker, heard: list[object]
) -> None:
    for _ in range(2):
        with bench.sandbox.one_test():
            bench.add("one")
            wide.count()

    assert heard == []


def test_one_of_a_test_is_refused_in_the_next_and_says_whose_it_was(bench: Bench) -> None:
    with bench.sandbox.one_test():
        left = bench.session()
        left.count()

    with (
        bench.sandbox.one_test(),
        pytest.raises(SandboxConflictError, match=r"earlier test .* its transaction is that of"),
    ):
        left.count()
    left.close()


def test_one_of_a_test_is_refused_after_it(bench: Bench) -> None:
    with bench.sandbox.one_test():
        left = bench.session()
        left.count()

    with pytest.raises((SandboxConflictError, StatementError), match="is used after the test"):
        left.count()
    left.close()
