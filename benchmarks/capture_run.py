"""The measuring half of `capture`, inside the environment that has the peers.

Every block has an engine of its own, so that what one candidate hangs on an engine is gone with it,
and its statements run warm before they are timed. The blocking ones run in a worker thread with a
copy of the context, as `def` endpoints do: where a stack ends is part of what a call site costs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from importlib import import_module
from pathlib import Path
from time import process_time

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from benchmarks.capture_workload import (
    Table,
    core_async,
    core_blocking,
    orm_async,
    orm_blocking,
    rows,
)
from benchmarks.rounds import Progress, interleaved
from harness.capture import RequestTracker, SourceMap, recording
from harness.capture.meter import Meter

__all__ = ["main"]

_Watching = Callable[[Engine], AbstractContextManager[object]]
_WARM = 30


@contextmanager
def _nothing(_engine: Engine) -> Iterator[None]:
    # Listening once on the class leaves a mark there for good, which costs a microsecond.
    Engine._has_events = False  # noqa: SLF001 - as in a process where nobody ever listened
    yield


@contextmanager
def _no_ops(_engine: Engine) -> Iterator[None]:
    def listener(*_: object) -> None:
        pass

    for name in ("before_cursor_execute", "after_cursor_execute"):
        event.listen(Engine, name, listener)
    yield
    for name in ("before_cursor_execute", "after_cursor_execute"):
        event.remove(Engine, name, listener)


@contextmanager
def _counting(_engine: Engine) -> Iterator[None]:
    with Meter(RequestTracker()).listening():
        yield


@contextmanager
def _full(_engine: Engine) -> Iterator[None]:
    # The workload is the user's code, what measures is not.
    workload = "benchmarks.capture_workload"
    with recording(SourceMap(Path(__file__).parent / workload, [workload])):
        yield


@contextmanager
def _echo(_engine: Engine) -> Iterator[None]:
    logger, handler = logging.getLogger("sqlalchemy.engine"), logging.NullHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
    logger.removeHandler(handler)


@contextmanager
def _queryguard(_engine: Engine) -> Iterator[None]:
    with import_module("pytest_queryguard").record_queries():
        yield


@contextmanager
def _queryspy(_engine: Engine) -> Iterator[None]:
    with import_module("queryspy").record():
        yield


@contextmanager
def _querycount(engine: Engine) -> Iterator[None]:
    backends = import_module("pytest_querycount.backends")
    import_module("pytest_querycount.backends.sqlalchemy").instrument(engine)
    recorder = import_module("pytest_querycount.recorder").Recorder()
    backends.push(recorder)
    yield
    backends.pop(recorder)


@contextmanager
def _opentelemetry(engine: Engine) -> Iterator[None]:
    kind = import_module("opentelemetry.instrumentation.sqlalchemy").SQLAlchemyInstrumentor
    provider = import_module("opentelemetry.sdk.trace").TracerProvider()
    # It refuses SQLAlchemy 2.1 unless it is told not to look.
    kind().instrument(engine=engine, tracer_provider=provider, skip_dep_check=True)
    yield
    kind().uninstrument()


_CANDIDATES: dict[str, _Watching] = {
    "nothing": _nothing,
    "two no-op listeners": _no_ops,
    "counting": _counting,
    "full": _full,
    "echo to nowhere": _echo,
    "pytest-queryguard": _queryguard,
    "queryspy": _queryspy,
    "pytest-querycount": _querycount,
    "OpenTelemetry": _opentelemetry,
}


def main(url: str, rounds: str, statements: str) -> None:
    """Measure, and print seconds for each statement, by candidate and column, as JSON."""
    count = int(statements)

    def block(name: str) -> dict[str, float]:
        return {**_blocking(_CANDIDATES[name], count), **_async(_CANDIDATES[name], url, count)}

    measured = interleaved("capture", _CANDIDATES, block, rounds=int(rounds), progress=Progress())
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in _CANDIDATES:
        for by_column in measured[name]:
            for column, seconds in by_column.items():
                found[name][column].append(seconds)
    print(json.dumps(found))


def _blocking(watching: _Watching, count: int) -> dict[str, float]:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Table.metadata.create_all(engine)
    with engine.begin() as connection:
        rows(connection)
    with watching(engine), ThreadPoolExecutor(1) as threads:
        return {
            "SQLite Core": _timed(threads, core_blocking, engine, count),
            "SQLite ORM": _timed(threads, orm_blocking, engine, count),
        }


def _async(watching: _Watching, url: str, count: int) -> dict[str, float]:
    async def measured() -> dict[str, float]:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
        async with engine.begin() as connection:
            await connection.run_sync(Table.metadata.drop_all)
            await connection.run_sync(Table.metadata.create_all)
            await connection.run_sync(rows)
        found = {}
        with watching(engine.sync_engine):
            for column, work in (("asyncpg Core", core_async), ("asyncpg ORM", orm_async)):
                await work(engine, _WARM)
                before = process_time()
                await work(engine, count)
                found[column] = (process_time() - before) / count
        await engine.dispose()
        return found

    return asyncio.run(measured())


def _timed(
    threads: ThreadPoolExecutor, work: Callable[[Engine, int], None], engine: Engine, count: int
) -> float:
    threads.submit(copy_context().run, work, engine, _WARM).result()
    before = process_time()
    threads.submit(copy_context().run, work, engine, count).result()
    return (process_time() - before) / count


if __name__ == "__main__":
    main(*sys.argv[1:])
