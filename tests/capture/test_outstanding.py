"""Connections that are out: whose they are, and whether anybody may still give them back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from harness.capture import RequestTracker
from harness.capture.meter import Meter
from harness.capture.source import SourceMap
from harness.database.server import PostgresServer

HERE = "tests/capture/test_outstanding.py"


@pytest.fixture
def meter(pytestconfig: pytest.Config) -> Iterator[Meter]:
    """A meter at work; the tests are the user's code."""
    meter = Meter(RequestTracker(), SourceMap(pytestconfig.rootpath))
    with meter.listening():
        yield meter


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine of a sync driver."""
    engine = create_engine(f"sqlite:///{tmp_path}/out.db")
    yield engine
    engine.dispose()


@asynccontextmanager
async def _client(meter: Meter, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(meter.tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def out(meter: Meter) -> dict[str, Any]:
    """The one connection that is out."""
    (entry,) = meter.status()["outstanding"]
    told: dict[str, Any] = entry
    return told


async def test_a_connection_that_outlives_its_request_names_route_and_line(
    meter: Meter, tmp_path: Path
) -> None:
    engine, kept = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/out.db"), []
    app = FastAPI()

    @app.get("/leaks/{name}")
    async def leak(name: str) -> None:
        session = AsyncSession(engine)
        kept.append(session)
        await session.execute(text("SELECT :name"), {"name": name})

    async with _client(meter, app) as client:
        # As a server does it: each request in a task of its own.
        await asyncio.create_task(client.get("/leaks/secret"))
    told = out(meter)
    await kept.pop().close()
    await engine.dispose()

    assert (told["route"], told["pool"]) == ("GET /leaks/{name}", "pool 1")
    assert (told["has_request_ended"], told["is_owner_running"]) == (True, False)
    assert told["site"]["path"] == HERE
    assert told["site"]["line"] == leak.__code__.co_firstlineno + 4
    assert told["site"]["function"].endswith("leak")
    assert 0 < told["age_seconds"] < 60
    assert "secret" not in str(meter.status())
    assert meter.status()["outstanding"] == []


async def test_a_task_that_outlives_its_request_still_owns_its_connection(
    meter: Meter, tmp_path: Path
) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/out.db")
    app, tasks = FastAPI(), []
    has_it, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with engine.connect():
            has_it.set()
            await may_end.wait()

    @app.get("/fire")
    async def fire() -> None:
        tasks.append(asyncio.create_task(work()))

    async with _client(meter, app) as client:
        await client.get("/fire")
        await has_it.wait()
        told = out(meter)
        may_end.set()
        await asyncio.gather(*tasks)
    await engine.dispose()

    assert (told["route"], told["has_request_ended"]) == ("GET /fire", True)
    assert told["is_owner_running"] is True


async def test_a_request_that_is_worked_on_owns_its_connection(
    meter: Meter, engine: Engine
) -> None:
    app, seen = FastAPI(), []

    @app.get("/thread")
    def in_a_thread() -> None:
        with Session(engine) as session:
            session.execute(text("SELECT 1"))
            seen.append(out(meter))

    async with _client(meter, app) as client:
        await client.get("/thread")

    assert (seen[0]["has_request_ended"], seen[0]["is_owner_running"]) == (False, True)
    assert seen[0]["is_executing"] is False


async def test_a_session_that_a_thread_left_open_has_no_owner(meter: Meter, engine: Engine) -> None:
    app, kept = FastAPI(), []

    @app.get("/thread")
    def in_a_thread() -> None:
        kept.append(engine.connect())

    async with _client(meter, app) as client:
        await client.get("/thread")
    told = out(meter)
    kept.pop().close()

    assert (told["has_request_ended"], told["is_owner_running"]) == (True, False)


def test_what_is_out_outside_of_requests_has_no_route(meter: Meter, engine: Engine) -> None:
    with engine.connect():
        told = out(meter)

    assert (told["route"], told["has_request_ended"]) == ("", False)
    assert told["is_owner_running"] is True
    assert told["backend_pid"] is None  # of a database without a server


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_server_process_is_known_by_its_number(
    meter: Meter, harness_postgres: PostgresServer, driver: str
) -> None:
    url = harness_postgres.address.url("postgres").set(drivername=f"postgresql+{driver}")
    engine = create_engine(url)
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        told = out(meter)
    engine.dispose()

    assert told["backend_pid"] == pid


async def test_the_server_process_is_known_on_asyncpg_too(
    meter: Meter, harness_postgres: PostgresServer
) -> None:
    url = make_url(harness_postgres.address.url("postgres"))
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        pid, told = await _pid(connection), out(meter)
    await engine.dispose()

    assert told["backend_pid"] == pid


async def _pid(connection: AsyncConnection) -> Any:  # noqa: ANN401 - a value of the database
    return (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
