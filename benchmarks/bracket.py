"""What rollback mode does before and after each test, measured in this process without pytest.

The harness begins a test's transaction with the test's first statement, in the same round trip. So
the bracket alone would flatter it; what a whole test takes over one without any isolation, beside
it, holds everything: begin, savepoints, rollback.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import URL, Connection, Engine, create_engine, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from benchmarks.databases import new_database
from benchmarks.figures import Figures
from benchmarks.project.models import Author, Base
from benchmarks.rounds import Progress, interleaved
from harness.database.rollback import Sandbox
from harness.database.schema import create_tables
from harness.database.server import PostgresServer
from harness.loops import Residents

__all__ = ["DRIVERS", "WAYS", "Bracket", "measure_brackets"]

DRIVERS = ("asyncpg", "psycopg_async", "psycopg", "psycopg2")
AWAITED = frozenset({"asyncpg", "psycopg_async"})
WAYS = ("harness", "recipe", "none")
_COUNT = select(func.count()).select_from(Author)
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Bracket:
    """One driver and way: seconds per test."""

    around: Figures
    """Before and after the body together."""
    whole: Figures
    """Body included."""


@dataclass(frozen=True, slots=True)
class _Times:
    before: float
    body: float
    after: float


_OneTest = Callable[[], _Times]


def measure_brackets(
    server: PostgresServer, *, tests: int, rounds: int, progress: Progress
) -> dict[str, dict[str, Bracket]]:
    """By driver and by way: the harness, SQLAlchemy's recipe, no isolation at all."""
    with new_database(server) as database:
        create_tables(server.address.url(database), Base.metadata)

        def measure(candidate: str) -> list[_Times]:
            driver, way = candidate.split()
            with _tests(server.address.url(database, driver=driver), way) as one_test:
                return [one_test() for _ in range(_WARM_UP + tests)][_WARM_UP:]

        candidates = [f"{driver} {way}" for driver in DRIVERS for way in WAYS]
        title = "begin and rollback"
        found = interleaved(title, candidates, measure, rounds=rounds, progress=progress)
    return {driver: {way: _bracket(found[f"{driver} {way}"]) for way in WAYS} for driver in DRIVERS}


def _bracket(rounds: list[list[_Times]]) -> Bracket:
    return Bracket(
        around=Figures(tuple(tuple(one.before + one.after for one in times) for times in rounds)),
        whole=Figures(
            tuple(tuple(one.before + one.body + one.after for one in times) for times in rounds)
        ),
    )


@contextmanager
def _tests(url: URL, way: str) -> Iterator[_OneTest]:
    """Something that runs one test per call; connections stay warm between calls."""
    if url.get_driver_name() in AWAITED:
        with asyncio.Runner() as runner:
            engine = create_async_engine(url)
            with _awaited(way, url, engine, runner) as one_test:
                try:
                    yield one_test
                finally:
                    runner.run(engine.dispose())
    else:
        blocking = create_engine(url)
        with _blocking(way, url, blocking) as one_test:
            try:
                yield one_test
            finally:
                blocking.dispose()


@contextmanager
def _awaited(way: str, url: URL, engine: AsyncEngine, runner: asyncio.Runner) -> Iterator[_OneTest]:
    if way == "none":
        yield lambda: _awaited_without(engine, runner)
    elif way == "recipe":
        yield lambda: _awaited_by_recipe(engine, runner)
    else:
        with _sandbox(url) as sandbox:
            yield lambda: _by_sandbox(sandbox, lambda: runner.run(_awaited_body(engine)))


@contextmanager
def _blocking(way: str, url: URL, engine: Engine) -> Iterator[_OneTest]:
    if way == "none":
        yield lambda: _blocking_without(engine)
    elif way == "recipe":
        yield lambda: _blocking_by_recipe(engine)
    else:
        with _sandbox(url) as sandbox:
            yield lambda: _by_sandbox(sandbox, lambda: _blocking_body(engine))


@contextmanager
def _sandbox(url: URL) -> Iterator[Sandbox]:
    residents = Residents()
    sandbox = Sandbox(url, residents)
    with sandbox.installed():
        try:
            yield sandbox
        finally:
            residents.close()


def _by_sandbox(sandbox: Sandbox, body: Callable[[], None]) -> _Times:
    began = time.perf_counter()
    with ExitStack() as test:
        test.enter_context(sandbox.one_test())
        entered = time.perf_counter()
        body()
        left = time.perf_counter()
    return _Times(entered - began, left - entered, time.perf_counter() - left)


def _awaited_by_recipe(engine: AsyncEngine, runner: asyncio.Runner) -> _Times:
    began = time.perf_counter()
    connection = runner.run(_begun(engine))
    entered = time.perf_counter()
    runner.run(_awaited_body(connection))
    left = time.perf_counter()
    runner.run(_rolled_back(connection))
    return _Times(entered - began, left - entered, time.perf_counter() - left)


async def _begun(engine: AsyncEngine) -> AsyncConnection:
    connection = await engine.connect()
    await connection.begin()
    return connection


async def _rolled_back(connection: AsyncConnection) -> None:
    await connection.rollback()
    await connection.close()


def _blocking_by_recipe(engine: Engine) -> _Times:
    began = time.perf_counter()
    connection = engine.connect()
    connection.begin()
    entered = time.perf_counter()
    _blocking_body(connection)
    left = time.perf_counter()
    connection.rollback()
    connection.close()
    return _Times(entered - began, left - entered, time.perf_counter() - left)


def _awaited_without(engine: AsyncEngine, runner: asyncio.Runner) -> _Times:
    began = time.perf_counter()
    runner.run(_awaited_body(engine))
    seconds = time.perf_counter() - began
    runner.run(_emptied(engine))
    return _Times(0.0, seconds, 0.0)


async def _emptied(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(delete(Author))


def _blocking_without(engine: Engine) -> _Times:
    began = time.perf_counter()
    _blocking_body(engine)
    seconds = time.perf_counter() - began
    with engine.begin() as connection:
        connection.execute(delete(Author))
    return _Times(0.0, seconds, 0.0)


async def _awaited_body(bind: AsyncEngine | AsyncConnection) -> None:
    """The trivial test: insert, commit, count."""
    # The mode makes no difference where the bind is an engine.
    async with AsyncSession(bind, join_transaction_mode="create_savepoint") as session:
        session.add(Author(name="Ada"))
        await session.commit()
        _require_one(await session.scalar(_COUNT))


def _blocking_body(bind: Engine | Connection) -> None:
    """The trivial test: insert, commit, count."""
    with Session(bind, join_transaction_mode="create_savepoint") as session:
        session.add(Author(name="Ada"))
        session.commit()
        _require_one(session.scalar(_COUNT))


def _require_one(count: int | None) -> None:
    if count != 1:
        raise AssertionError(f"{count} rows instead of 1: tests are not kept apart")
