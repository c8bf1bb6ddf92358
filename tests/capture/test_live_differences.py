"""Windows of real applications: what the second stretch did, and nothing of the first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from harness.capture import RequestTracker, SourceMap
from harness.capture.differences import load_window
from harness.capture.growth import Json
from harness.capture.meter import Meter
from harness.rig.client import Rig, rig_process
from tests.capture.readings import SECONDS, client, only_pool, only_route, window
from tests.rig.conftest import own_server
from tests.rig.projects import write_project

SELECT = text("SELECT 1")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An asyncio engine with a pool of three connections."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path}/m.db",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=3,
        max_overflow=0,
    )
    yield engine
    await engine.dispose()


class Shop:
    """An application, what counts it, and a client."""

    def __init__(self, engine: AsyncEngine, source: SourceMap) -> None:
        self.meter = Meter(RequestTracker(), source)
        self.may_end = asyncio.Event()
        app = FastAPI()

        @app.get("/work")
        async def work(depth: int = 1, statements: int = 1) -> None:
            async with AsyncExitStack() as stack:
                held = [await stack.enter_async_context(engine.connect()) for _ in range(depth)]
                for _ in range(statements):
                    await held[-1].execute(SELECT)
                await self.may_end.wait()

        transport = httpx.ASGITransport(self.meter.tracker.wrap(app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def status(self) -> dict[int, Json]:
        return {1: self.meter.status()}

    async def at_once(self, count: int) -> None:
        """So many requests, of which those beyond the pool wait."""
        self.may_end.clear()
        asked = [asyncio.create_task(self.work()) for _ in range(count)]
        while sum(self._at_the_pool()) < count:  # noqa: ASYNC110 - a pool's queue has no event
            await asyncio.sleep(0)
        self.may_end.set()
        await asyncio.gather(*asked)

    async def work(self, **query: int) -> None:
        (await self.client.get("/work", params=query)).raise_for_status()

    def _at_the_pool(self) -> tuple[int, int]:
        pools = self.meter.status()["pools"]
        return (pools[0]["checked_out"], pools[0]["waiting"]) if pools else (0, 0)


@pytest.fixture
async def shop(engine: AsyncEngine, source: SourceMap) -> AsyncIterator[Shop]:
    """While its meter listens."""
    shop = Shop(engine, source)
    async with shop.client:
        with shop.meter.listening():
            yield shop


async def test_a_quiet_stretch_after_a_busy_one_is_quiet(shop: Shop) -> None:
    await shop.at_once(5)
    await shop.work(depth=3)
    before = shop.status()
    await shop.work(depth=2, statements=3)
    await shop.work()
    told = window(before, shop.status())

    pool, route = only_pool(told), only_route(told)
    assert (pool.checkouts, pool.peak_checked_out, pool.peak_waiting) == (3, 2, 0)
    assert (pool.wait.count, pool.hold.count, pool.waiting_share) == (3, 3, 0.0)
    assert (route.route, route.requests, route.statements) == ("GET /work", 2, 4)
    assert (route.held_at_once, route.pool, route.peak_concurrency) == (2, pool.name, 1)
    assert (route.errors, route.shed, route.seconds.count) == (0, 0, 2)
    assert route.endpoint is not None
    assert route.endpoint.path == "tests/capture/test_live_differences.py"


async def test_a_busy_stretch_after_a_quiet_one_is_busy(shop: Shop) -> None:
    shop.may_end.set()
    await shop.work()
    before = shop.status()
    await shop.at_once(5)
    after = shop.status()
    told = window(before, after)

    pool, route = only_pool(told), only_route(told)
    assert (pool.checkouts, pool.peak_checked_out, pool.peak_waiting) == (5, 3, 2)
    assert pool.waiting_share * SECONDS == pytest.approx(after[1]["pools"][0]["waiting_seconds"])
    assert pool.waiting_share > 0
    assert (route.requests, route.held_at_once, route.peak_concurrency) == (5, 1, 5)
    assert told.cpu_seconds > 0
    assert told.process_cpu == pytest.approx(told.cpu_seconds / SECONDS)


async def test_stretches_add_up_to_the_whole(shop: Shop) -> None:
    shop.may_end.set()
    readings = [shop.status()]
    for depth in (1, 2, 3):
        await shop.work(depth=depth)
        readings.append(shop.status())

    parts = [only_pool(window(*readings[n : n + 2])) for n in range(3)]
    whole = only_pool(window(readings[0], readings[-1]))

    assert [part.checkouts for part in parts] == [1, 2, 3]
    assert whole.checkouts == 6
    assert sum(part.busy_seconds for part in parts) == pytest.approx(whole.busy_seconds)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig that has started a small project."""
    folder = write_project(tmp_path_factory.mktemp("shop"), name="counted_shop")
    with rig_process(environment=own_server()) as rig:
        rig.start(folder)
        yield rig


def test_a_served_application_saw_as_many_requests_as_were_sent(rig: Rig) -> None:
    serving = rig.serve(workers=2)
    for worker in serving.workers:
        httpx.post(f"{worker.url}/notes")
    rig.begin_window()
    for number, worker in enumerate(serving.workers, start=3):
        for _ in range(number):
            httpx.post(f"{worker.url}/notes").raise_for_status()
    stretch = rig.end_window(rest_seconds=5)

    told = load_window(
        seconds=stretch.seconds,
        client=client(7),
        before=stretch.before,
        after=stretch.after,
        at_rest=stretch.at_rest,
        server=stretch.server,
        machine=stretch.machine,
    )

    assert (told.processes, only_route(told).requests, only_route(told).statements) == (2, 7, 7)
    assert [each.checkouts for each in told.pools] == [3, 4]
    assert [each.creations for each in told.pools] == [0, 0]
    assert 0 < told.process_cpu <= told.cpu_seconds / told.seconds
    assert (told.outstanding, told.loop.lag.count > 0) == ((), True)
