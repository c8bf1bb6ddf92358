"""What the meter tells of each route: waits, holds, concurrency, shared sessions, leaks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from harness.capture import RequestTracker
from harness.capture.histogram import Histogram
from harness.capture.meter import Meter
from harness.capture.pool_state import Held, PoolState
from harness.capture.route_counts import NOTED_AT_FIRST
from harness.capture.source import SourceMap

SELECT = text("SELECT 1")


async def passed(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def run_behind_middleware(app: FastAPI, layers: int) -> None:
    """Each layer runs what it wraps, the endpoint in the end, in a task of its own."""
    for _ in range(layers):
        app.add_middleware(BaseHTTPMiddleware, dispatch=passed)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An asyncio engine with a pool of three connections."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path}/m.db",
        poolclass=AsyncAdaptedQueuePool,  # of files the default since 2.0.38
        pool_size=3,
        max_overflow=0,
        pool_timeout=0.01,
    )
    yield engine
    await engine.dispose()


@pytest.fixture
def app() -> FastAPI:
    """An application whose routes the tests add."""
    return FastAPI()


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> Meter:
    """A meter that does not listen yet; the tests are the user's code."""
    return Meter(RequestTracker(), SourceMap(pytestconfig.rootpath))


@pytest.fixture
async def requests(app: FastAPI, measured: Meter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, while the meter listens."""
    transport = httpx.ASGITransport(measured.tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with measured.listening():
            yield client


def route_of(meter: Meter, name: str = "GET /") -> dict[str, Any]:
    route: dict[str, Any] = meter.status()["routes"][name]
    return route


async def test_waits_and_holds_are_counted_by_route(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def once() -> None:
        async with engine.connect() as connection:
            await connection.execute(SELECT)

    await requests.get("/")
    await requests.get("/")

    route = route_of(measured)
    assert (route["checkouts"], Histogram.from_json(route["wait"]).count) == (2, 2)
    assert Histogram.from_json(route["hold"]).count == 2
    assert 0 < route["busy_seconds"] < route["hold"]["sum_seconds"]


async def test_a_wait_in_vain_is_a_wait_of_the_route(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def greedy() -> None:
        async with engine.connect(), engine.connect(), engine.connect():
            with pytest.raises(PoolTimeoutError):
                await engine.connect()

    await requests.get("/")

    route = route_of(measured)
    assert Histogram.from_json(route["wait"]).count == 4
    assert route["wait"]["max_seconds"] >= 0.01


async def test_connections_held_at_once_are_counted_by_pool(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def nested(depth: int) -> None:
        async with engine.connect():
            if depth > 1:
                async with engine.connect():
                    pass

    for depth in (1, 2, 2):
        await requests.get("/", params={"depth": depth})

    assert route_of(measured)["held_at_once"] == {"pool 1": {"1": 1, "2": 2}}


@pytest.mark.parametrize("layers", [0, 1])
async def test_connections_of_gathered_tasks_are_not_held_by_one(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter, layers: int
) -> None:
    run_behind_middleware(app, layers)

    @app.get("/")
    async def fan_out() -> None:
        both_are_out = asyncio.Barrier(2)

        async def part() -> None:
            async with engine.connect():
                await both_are_out.wait()

        await asyncio.gather(part(), part())

    await requests.get("/")

    assert measured.status()["pools"][0]["peak_checked_out"] == 2
    assert route_of(measured)["held_at_once"] == {"pool 1": {"1": 1}}


@pytest.mark.parametrize("layers", [0, 1, 2])
async def test_a_task_that_is_awaited_with_a_connection_out_takes_a_second_one(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter, layers: int
) -> None:
    run_behind_middleware(app, layers)

    @app.get("/")
    async def parent() -> None:
        async def part() -> None:
            async with engine.connect():
                pass

        async with engine.connect():
            await asyncio.create_task(part())

    await requests.get("/")

    assert route_of(measured)["held_at_once"] == {"pool 1": {"2": 1}}


async def test_one_after_the_other_is_not_at_once(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def twice() -> None:
        for _ in range(2):
            async with engine.connect():
                pass

    await requests.get("/")

    assert route_of(measured)["held_at_once"] == {"pool 1": {"1": 1}}


async def test_requests_at_the_same_time_are_counted_by_level(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    everybody = asyncio.Barrier(3)

    @app.get("/")
    async def meet() -> None:
        async with engine.connect():
            await everybody.wait()

    await asyncio.gather(*(requests.get("/") for _ in range(3)))

    route = route_of(measured)
    assert (route["concurrency"], route["active"]) == ({"1": 1, "2": 1, "3": 1}, 0)
    assert measured.status()["active_requests"] == 0


async def test_the_endpoint_is_known_by_its_line(
    app: FastAPI, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def here() -> None:
        pass

    await requests.get("/")

    endpoint = route_of(measured)["endpoint"]
    assert endpoint == {
        "path": "tests/capture/test_meter_routes.py",
        "line": here.__code__.co_firstlineno + 1,
        "function": f"{test_the_endpoint_is_known_by_its_line.__name__}.<locals>.here",
    }


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_global_session_is_shared_by_two_requests(
    app: FastAPI,
    engine: AsyncEngine,
    requests: httpx.AsyncClient,
    measured: Meter,
    *,
    is_committed: bool,
) -> None:
    everybody, turns = asyncio.Barrier(2), asyncio.Lock()
    everyones = AsyncSession(engine)

    @app.get("/")
    async def ask() -> None:
        async with turns:
            await everyones.execute(SELECT)
            if is_committed:
                await everyones.commit()
        await everybody.wait()

    await asyncio.gather(requests.get("/"), requests.get("/"))
    await everyones.close()

    assert route_of(measured)["shared_sessions"] == 1


async def test_sessions_of_their_own_are_not_shared(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    everybody = asyncio.Barrier(2)

    @app.get("/")
    async def ask() -> None:
        async with AsyncSession(engine) as session:
            await session.execute(SELECT)
            await everybody.wait()
            await session.execute(SELECT)

    await asyncio.gather(requests.get("/"), requests.get("/"))

    assert route_of(measured)["shared_sessions"] == 0


async def test_a_session_used_by_one_request_after_the_other_is_not_shared(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    everyones = AsyncSession(engine)

    @app.get("/")
    async def ask() -> None:
        await everyones.execute(SELECT)

    await requests.get("/")
    await requests.get("/")
    await everyones.close()

    assert route_of(measured)["shared_sessions"] == 0


async def test_two_tasks_of_a_request_share_a_connection_while_both_execute(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def gather() -> None:
        async with engine.connect() as connection:
            await asyncio.gather(*(connection.execute(SELECT) for _ in range(2)))

    await requests.get("/")

    assert route_of(measured)["shared_sessions"] == 1


async def test_a_task_that_takes_over_shares_nothing(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def hand_over() -> None:
        async with engine.connect() as connection:
            await connection.execute(SELECT)
            await asyncio.create_task(_execute(connection))
            await connection.execute(SELECT)

    await requests.get("/")

    assert route_of(measured)["shared_sessions"] == 0


async def _execute(connection: AsyncConnection) -> None:
    await connection.execute(SELECT)


async def test_a_cancelled_statement_leaves_no_trace(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    long = text(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) "
        "SELECT max(x) FROM n"
    )

    @app.get("/")
    async def give_up() -> None:
        async with engine.connect() as connection:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.execute(long), 0.01)
        async with engine.connect() as connection:
            await connection.execute(SELECT)

    await requests.get("/")

    assert (route_of(measured)["shared_sessions"], measured.status()["failure"]) == (0, "")
    assert measured.status()["outstanding"] == []


async def test_what_comes_back_after_the_request_belongs_to_its_route(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    kept = []

    @app.get("/")
    async def keep() -> None:
        kept.append(await engine.connect())

    await requests.get("/")
    before = route_of(measured)["checkouts"]
    await kept.pop().close()

    assert (before, route_of(measured)["checkouts"]) == (0, 1)


async def test_what_a_task_does_after_its_request_is_counted_for_the_route(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    tasks, may_begin = [], asyncio.Event()

    async def work() -> None:
        await may_begin.wait()
        async with engine.connect() as connection:
            await connection.execute(SELECT)

    @app.get("/")
    async def fire() -> None:
        tasks.append(asyncio.create_task(work()))

    await requests.get("/")
    before = route_of(measured)
    may_begin.set()
    await asyncio.gather(*tasks)

    after = route_of(measured)
    assert (before["statements"], before["checkouts"], before["busy_seconds"]) == (0, 0, 0.0)
    assert (after["statements"], after["round_trips"], after["checkouts"]) == (1, 1, 1)
    assert 0 < after["busy_seconds"] < after["hold"]["sum_seconds"]


async def test_lines_are_noted_until_connections_come_back_and_again_from_when_one_does_not(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    kept = []

    @app.get("/")
    async def perhaps_keep(keep: bool) -> None:
        kept.append(await engine.connect())
        if not keep:
            await kept.pop().close()

    for _ in range(NOTED_AT_FIRST):
        await requests.get("/", params={"keep": False})
    first = await _leaked(requests, measured)
    await kept.pop().close()
    second = await _leaked(requests, measured)
    await kept.pop().close()

    assert (first["route"], first["site"]) == ("GET /", None)
    assert second["site"]["function"].endswith("perhaps_keep")


async def _leaked(requests: httpx.AsyncClient, measured: Meter) -> dict[str, Any]:
    await requests.get("/", params={"keep": True})
    (entry,) = measured.status()["outstanding"]
    told: dict[str, Any] = entry
    return told


async def test_a_long_hold_makes_all_lines_of_its_route_wanted(measured: Meter) -> None:
    request = measured.tracker.begin({"type": "http", "method": "GET", "path": "/"})
    pool = PoolState("pool 1", size=1, max_overflow=0, timeout_seconds=1)
    measured.on_start(request)
    before = request.usage.route.lines_wanted if request.usage.route else None
    measured.on_return(Held(None, pool, request, request), hold_seconds=1.0)

    assert before == NOTED_AT_FIRST
    assert request.usage.route is not None
    assert request.usage.route.lines_wanted > 10**9


# Older versions of SQLAlchemy drop the connection without closing it.
@pytest.mark.filterwarnings("ignore:.*was deleted before being closed:ResourceWarning")
async def test_remembering_a_request_keeps_no_session_of_it_alive(
    app: FastAPI, engine: AsyncEngine, requests: httpx.AsyncClient, measured: Meter
) -> None:
    @app.get("/")
    async def leak(request: Request) -> None:
        request.state.session = AsyncSession(engine)
        await request.state.session.execute(SELECT)

    await requests.get("/")
    with pytest.warns(Warning, match="non-checked-in connection"):
        gc.collect()

    (pool,) = measured.status()["pools"]
    assert (pool["reclaimed"], pool["checked_out"]) == (1, 0)
