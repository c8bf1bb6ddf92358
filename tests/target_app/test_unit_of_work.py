"""The two units of work: when the transaction of a request ends, and what ends it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, HTTPException
from sqlalchemy import URL, event, func, select
from sqlalchemy.orm import Session as SyncSession

from target_app.db import DatabaseOfApp, Session
from target_app.models import Tag
from tests.target_app.conftest import Serve
from tests.target_app.in_process import Exchange, Running, running
from tests.target_app.writing_routes import routes

UNITS = ["dependency", "middleware"]


@pytest.fixture(params=UNITS)
async def run(request: pytest.FixtureRequest, real_url: URL) -> AsyncIterator[Running]:
    """The application in both units of work, on both databases."""
    async with running(real_url, routes, unit_of_work=request.param) as run:
        await run.add_user()
        yield run


@pytest.fixture
async def in_dependency(real_url: URL) -> AsyncIterator[Running]:
    async with running(real_url, routes, unit_of_work="dependency") as run:
        await run.add_user()
        yield run


@contextmanager
def _commits_noted(run: Running, seen: list[str]) -> Iterator[None]:
    def note(_connection: object) -> None:
        seen.append("COMMIT")

    event.listen(run.database.engine.sync_engine, "commit", note)
    yield
    event.remove(run.database.engine.sync_engine, "commit", note)


async def _tags(run: Running) -> set[str]:
    async with run.database.sessions() as session:
        return set(await session.scalars(select(Tag.name)))


async def _messages_of(run: Running, path: str) -> list[str]:
    exchange = Exchange(path, method="POST")
    with _commits_noted(run, exchange.seen):
        await exchange.run(run.app)
    return exchange.seen


async def test_the_commit_comes_before_the_first_byte(run: Running) -> None:
    seen = await _messages_of(run, "/probe/function")

    assert seen == ["COMMIT", "http.response.start", "http.response.body"]
    assert await _tags(run) == {"function"}


async def test_in_the_request_scope_the_commit_comes_after_the_last_byte(
    in_dependency: Running,
) -> None:
    seen = await _messages_of(in_dependency, "/probe/request")

    assert seen == ["http.response.start", "http.response.body", "COMMIT"]


async def test_in_the_request_scope_a_refused_commit_is_told_to_nobody(
    in_dependency: Running,
) -> None:
    exchange = Exchange("/probe/request-orphan", method="POST")

    with pytest.raises(RuntimeError, match="response already started"):
        await exchange.run(in_dependency.app)

    assert exchange.status == 201


async def test_a_refused_commit_is_the_answer_and_runs_no_background_task(run: Running) -> None:
    exchange = Exchange("/probe/orphan", method="POST")

    await exchange.run(run.app)

    assert exchange.status == 409
    assert exchange.seen == ["http.response.start", "http.response.body"]
    assert await _tags(run) == set()


async def test_a_refused_commit_replaces_a_streamed_answer_too(run: Running) -> None:
    exchange = Exchange("/probe/orphan-stream", method="POST")

    await exchange.run(run.app)

    assert exchange.status == 409
    assert b"never" not in b"".join(message.get("body", b"") for message in exchange.messages)


async def test_a_commit_refused_for_a_reason_nobody_planned_for_is_500(run: Running) -> None:
    exchange = Exchange("/probe/forbidden", method="POST")

    with pytest.raises(Exception, match="email_has_at_sign"):
        await exchange.run(run.app)

    assert exchange.status == 500


async def test_a_background_task_sees_the_committed_row(run: Running) -> None:
    await run.client.post("/probe/background")

    assert await _tags(run) == {"background", "seen"}


@pytest.mark.parametrize(("path", "status"), [("raised", 418), ("broken", 500)])
async def test_a_raised_error_rolls_back(run: Running, path: str, status: int) -> None:
    transport = httpx.ASGITransport(run.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post(f"/probe/{path}")

    assert answer.status_code == status
    assert await _tags(run) == set()


@pytest.mark.parametrize(("unit", "stored"), [("dependency", {"returned"}), ("middleware", set())])
async def test_an_error_that_is_returned_rolls_back_in_the_middleware_only(
    real_url: URL, unit: str, stored: set[str]
) -> None:
    async with running(real_url, routes, unit_of_work=unit) as run:
        answer = await run.client.post("/probe/returned")

        assert answer.status_code == 409
        assert await _tags(run) == stored


async def test_a_request_without_sql_takes_no_connection(run: Running) -> None:
    taken: list[object] = []
    pool = run.database.engine.sync_engine.pool

    def take(connection: object, *_: object) -> None:
        taken.append(connection)

    event.listen(pool, "checkout", take)
    answer = await run.client.get("/probe/without-sql")
    event.remove(pool, "checkout", take)

    assert (answer.json(), taken) == (False, [])


async def test_a_cancelled_request_rolls_back_and_gives_its_connection_back(run: Running) -> None:
    flushed = asyncio.Event()

    def note(_session: object, _context: object) -> None:
        flushed.set()

    event.listen(SyncSession, "after_flush", note)
    task = asyncio.create_task(Exchange("/probe/waiting", method="POST").run(run.app))
    await flushed.wait()
    event.remove(SyncSession, "after_flush", note)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.connections_out == 0
    assert await _tags(run) == set()


async def test_a_def_endpoint_commits_by_itself(run: Running) -> None:
    answer = await run.client.post("/probe/blocking")

    assert answer.status_code == 201
    assert await _tags(run) == {"blocking"}


async def test_a_websocket_commits_when_it_ends(run: Running) -> None:
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/probe/socket",
        "headers": [],
        "query_string": b"",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(_message: object) -> None: ...

    await run.app(scope, receive, send)

    assert await _tags(run) == {"socket"}


async def test_a_connection_lost_before_a_rollback_is_503_and_stores_nothing(
    real_postgresql: URL,
) -> None:
    cut = APIRouter()

    @cut.get("/cut")
    async def end_own_connection(session: Session, database: DatabaseOfApp) -> None:
        own = await session.scalar(select(func.pg_backend_pid()))
        async with database.engine.connect() as other:
            await other.execute(select(func.pg_terminate_backend(own, 5000)))
        raise HTTPException(404)

    for unit in UNITS:
        async with running(real_postgresql, cut, unit_of_work=unit) as run:
            exchange = Exchange("/cut")
            await exchange.run(run.app)

            assert exchange.status == 503
            assert run.connections_out == 0


async def _main_scenario(client: httpx.AsyncClient) -> None:
    """Write, read, break rules: what a visitor of the application does."""
    new = {"email": "ada@unit.example", "name": "Ada", "password": "correct horse"}
    ada = (await client.post("/users", json=new)).raise_for_status().json()
    assert (await client.post("/users", json=new)).status_code == 409
    post = {"author_id": ada["id"], "title": "T", "body": "B", "tags": ["unit"]}
    path = f"/posts/{(await client.post('/posts', json=post)).raise_for_status().json()['id']}"
    comment = {"author_id": ada["id"], "body": "first"}
    first = (await client.post(f"{path}/comments", json=comment)).raise_for_status().json()
    refused = {**post, "author_id": 2147483647, "tags": ["lost"]}
    assert (await client.post("/posts", json=refused)).status_code == 404
    assert (await client.get(path)).raise_for_status().json()["comments"] == [first]
    tags = (await client.get("/tags")).raise_for_status().json()
    assert [tag["name"] for tag in tags] == ["unit"]
    lines = (await client.get("/exports/comments")).raise_for_status().text.splitlines()
    assert len(lines) == 1
    assert (await client.get("/reports/best-sellers")).raise_for_status().json() == []


async def test_the_application_works_in_both_units_of_work(run: Running) -> None:
    await _main_scenario(run.client)


@pytest.mark.usefixtures("emptied_postgresql")
@pytest.mark.parametrize("unit", UNITS)
async def test_the_served_application_works_in_both_units_of_work(serve: Serve, unit: str) -> None:
    with serve(unit_of_work=unit) as url:
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            await _main_scenario(client)
