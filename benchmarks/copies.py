"""How long a test in clone mode stands still for its database, and why.

Copies are made ahead in the background, so a test waits only where tests end faster than copies
are made and dropped. Two bodies show both sides: the trivial one, and one that takes longer than
making, dropping and connecting together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from benchmarks.figures import Figures
from benchmarks.project.models import Author, Base
from benchmarks.rounds import Progress, interleaved
from harness.database.clones import Clones, Run, begun_run
from harness.database.clones.keys import ddl_of, key_of
from harness.database.clones.strategy import Strategy
from harness.database.rollback import Sandbox
from harness.database.schema import create_tables
from harness.database.server import PostgresServer
from harness.loops import Residents

__all__ = ["LONG", "TRIVIAL", "Alone", "CopyCosts", "Waits", "measure_copies"]

TRIVIAL, LONG = "trivial body", "longer body"
_WARM_UP = 12
"""Tests that do not count: with the first six copies it is found out how the server copies."""
_LONGER = 1.25
_DROP = "DROP DATABASE %I WITH (FORCE)"
_COUNT = select(func.count()).select_from(Author)


@dataclass(frozen=True, slots=True)
class Alone:
    """What a copy costs while nothing else happens."""

    create: Figures
    drop: Figures
    connect: Figures
    """And the first query, whose catalogs have to be read."""
    copied_by: str

    @property
    def total(self) -> float:
        """The medians together, in seconds."""
        return self.create.median + self.drop.median + self.connect.median


@dataclass(frozen=True, slots=True)
class Waits:
    """Of the tests with one kind of body."""

    wait: Figures
    """Until the test has a copy."""
    connect: Figures
    body: Figures
    end: Figures
    """Until the next test may begin."""
    whole: Figures


@dataclass(frozen=True, slots=True)
class CopyCosts:
    """Of clone mode on a server."""

    alone: Alone
    bodies: dict[str, Waits]


@dataclass(frozen=True, slots=True)
class _Times:
    wait: float
    connect: float
    body: float
    end: float


@dataclass(slots=True)
class _Bench:
    """Runs tests in clone mode one after the other, on one loop, as pytest does."""

    run: Run
    server: PostgresServer
    runner: asyncio.Runner
    clones: Clones = field(init=False)
    sandbox: Sandbox = field(init=False)
    residents: Residents = field(default_factory=Residents)
    engine: AsyncEngine = field(init=False)

    def __post_init__(self) -> None:
        url = self.server.address.url(self.run.database)
        self.sandbox = Sandbox(url, self.residents)
        self.clones = Clones(self.run, self.sandbox)
        self.engine = create_async_engine(url)

    def one_test(self, seconds: float) -> _Times:
        """With a body that works for at least so long."""
        began = time.perf_counter()
        with ExitStack() as test:
            own = test.enter_context(self.clones.one_test("clone"))
            test.enter_context(self.sandbox.one_test(own=own))
            own.name()
            given = time.perf_counter()
            self.runner.run(_first_query(self.engine))
            connected = time.perf_counter()
            self.runner.run(_body(self.engine, seconds))
            left = time.perf_counter()
        ended = time.perf_counter()
        return _Times(given - began, connected - given, left - connected, ended - left)


def measure_copies(
    server: PostgresServer, *, tests: int, rounds: int, progress: Progress
) -> CopyCosts:
    """Measure copies alone, then tests that use them."""
    progress.show("copies: one at a time")
    with _bench(server) as bench:
        alone = _alone(bench, tests)

    def measure(body: str) -> list[_Times]:
        seconds = _LONGER * alone.total if body == LONG else 0.0
        with _bench(server) as bench:
            return [bench.one_test(seconds) for _ in range(_WARM_UP + tests)][_WARM_UP:]

    found = interleaved("copies", [TRIVIAL, LONG], measure, rounds=rounds, progress=progress)
    return CopyCosts(alone, {body: _waits(found[body]) for body in (TRIVIAL, LONG)})


@contextmanager
def _bench(server: PostgresServer) -> Iterator[_Bench]:
    with begun_run(server.address) as run, asyncio.Runner() as runner:
        tables = ddl_of(Base.metadata)
        key = key_of([__name__, tables]) if tables is not None else None
        run.prepare(key, lambda: create_tables(server.address.url(run.database), Base.metadata))
        bench = _Bench(run, server, runner)
        with bench.sandbox.installed():
            try:
                yield bench
            finally:
                runner.run(bench.engine.dispose())
                bench.residents.close()


def _alone(bench: _Bench, times: int) -> Alone:
    """Nothing is made ahead here: one copy is made, connected to and dropped, then the next."""
    backstage, strategy = bench.run.backstage, Strategy(bench.run)
    source, name = bench.run.template or bench.run.database, bench.run.another("b")
    # One engine, as in tests: the first connection of an engine takes longer.
    engine = create_async_engine(bench.server.address.url(name), poolclass=NullPool)
    seconds: dict[str, list[float]] = {"create": [], "connect": [], "drop": []}
    for number in range(_WARM_UP + times):
        taken = {
            "create": _timed(lambda: backstage.call(strategy.copy(name, source))),
            "connect": _timed(lambda: bench.runner.run(_first_query(engine))),
            "drop": _timed(lambda: backstage.call(backstage.execute(_DROP, name))),
        }
        for step, one in taken.items() if number >= _WARM_UP else ():
            seconds[step].append(one)
    figures = {step: Figures((tuple(taken),)) for step, taken in seconds.items()}
    return Alone(**figures, copied_by=bench.run.copied_by or "the server's default")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _waits(rounds: list[list[_Times]]) -> Waits:
    def figures(part: Callable[[_Times], float]) -> Figures:
        return Figures(tuple(tuple(part(one) for one in times) for times in rounds))

    return Waits(
        wait=figures(lambda one: one.wait),
        connect=figures(lambda one: one.connect),
        body=figures(lambda one: one.body),
        end=figures(lambda one: one.end),
        whole=figures(lambda one: one.wait + one.connect + one.body + one.end),
    )


async def _first_query(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await session.scalar(_COUNT)


async def _body(engine: AsyncEngine, seconds: float) -> None:
    """Insert, commit, count: once, or until the time has passed."""
    began, number = time.perf_counter(), 0
    async with AsyncSession(engine) as session:
        while number == 0 or time.perf_counter() - began < seconds:
            session.add(Author(name=f"author {number}"))
            await session.commit()
            number += 1
            if await session.scalar(_COUNT) != number:
                raise AssertionError("rows of another test: tests are not kept apart")
