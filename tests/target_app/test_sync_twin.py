"""The blocking twin answers what the async todos answer, from threads, on both databases."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter
from sqlalchemy import URL, event, func, select
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.pool import QueuePool

from harness.database.admin import run_admin
from harness.database.server import PostgresServer
from target_app.db import BlockingSession
from target_app.main import create_app
from target_app.models import Todo, User
from target_app.settings import Settings
from tests.target_app.in_process import Running, running

DUE = "2030-05-01T12:00:00+02:00"


@dataclass(frozen=True, slots=True)
class Step:
    """A request of the sequence; in paths and bodies, `{owner}` and `{todo}` are filled in."""

    method: str
    path: str
    body: Mapping[str, object] | None = None


SEQUENCE = (
    Step("POST", "/todos", {"owner_id": "{owner}", "title": "First", "due_at": DUE}),
    Step("GET", "/todos/{todo}"),
    Step("PATCH", "/todos/{todo}", {"title": "Other"}),
    Step("PATCH", "/todos/{todo}", {}),
    Step("PATCH", "/todos/{todo}", {"due_at": None}),
    Step("PATCH", "/todos/{todo}", {"title": None}),
    Step("POST", "/todos", {"owner_id": "{owner}", "title": "Second", "due_at": "2030-05-01"}),
    Step("POST", "/todos", {"owner_id": "{owner}", "title": "nul \x00"}),
    Step("POST", "/todos", {"owner_id": 2147483647, "title": "Orphaned"}),
    Step("GET", "/todos?owner_id={owner}&done=false"),
    Step("POST", "/todos/complete", {"owner_id": "{owner}"}),
    Step("POST", "/todos/complete", {"owner_id": "{owner}"}),
    Step("GET", "/todos?owner_id={owner}&done=false"),
    Step("GET", "/todos?owner_id={owner}&done=true&limit=1"),
    Step("GET", "/todos?limit=0"),
    Step("DELETE", "/todos/{todo}"),
    Step("DELETE", "/todos/{todo}"),
    Step("GET", "/todos/{todo}"),
    Step("PATCH", "/todos/{todo}", {"done": True}),
    Step("GET", "/todos/0"),
)
STATUSES = [201, 200, 200, 200, 200, 422, 422, 422, 409, 200]
STATUSES += [200, 200, 200, 200, 422, 204, 404, 404, 404, 422]


async def _answers(
    client: httpx.AsyncClient, prefix: str, owner_id: int
) -> Sequence[tuple[int, str]]:
    """Send the sequence; ids and the times of the clock become words, all else stays."""
    answers: list[tuple[int, str]] = []
    todo_id = 0
    for step in SEQUENCE:
        path = prefix + step.path.format(owner=owner_id, todo=todo_id)
        body = step.body and {
            key: owner_id if value == "{owner}" else value for key, value in step.body.items()
        }
        answer = await client.request(step.method, path, json=body)
        todo_id = todo_id or answer.json()["id"]
        answers.append((answer.status_code, _timeless(answer.text, todo_id, owner_id)))
    return answers


def _timeless(text: str, todo_id: int, owner_id: int) -> str:
    # A moment without "Z" at its end stays, and so differs.
    text = re.sub(r'"(created|updated)_at":"[^"]+Z"', r'"\1_at":"now"', text)
    text = text.replace(f'"owner_id":{owner_id},', '"owner_id":OWNER,')
    return re.sub(rf'("id":|no row ){todo_id}\b', r"\1TODO", text)


async def _new_user(client: httpx.AsyncClient, name: str) -> int:
    body = {"email": f"{name}@twin.example", "name": name, "password": "not a secret"}
    user_id: int = (await client.post("/users", json=body)).json()["id"]
    return user_id


@pytest.fixture
def far_from_utc(real_url: URL, harness_postgres: PostgresServer) -> Iterator[URL]:
    """A database whose own time zone is not UTC, where it has one: psycopg answers in it."""
    if real_url.get_backend_name() != "postgresql":
        yield real_url
        return
    name = str(real_url.database)
    run_admin(harness_postgres.address, [f"ALTER DATABASE {name} SET timezone TO 'Asia/Tokyo'"])
    yield real_url
    run_admin(harness_postgres.address, [f"ALTER DATABASE {name} RESET timezone"])


async def test_the_same_requests_get_the_same_answers_from_both_routers(far_from_utc: URL) -> None:
    async with running(far_from_utc) as app:
        one = await _answers(app.client, "", await _new_user(app.client, "one"))
        other = await _answers(app.client, "/sync", await _new_user(app.client, "other"))

    assert other == one
    assert [status for status, _ in one] == STATUSES


async def test_the_same_requests_get_the_same_answers_from_a_server(served: str) -> None:
    async with httpx.AsyncClient(base_url=served) as client:
        one = await _answers(client, "", await _new_user(client, "one"))
        other = await _answers(client, "/sync", await _new_user(client, "other"))

    assert other == one
    assert [status for status, _ in one] == STATUSES


def test_both_routers_document_the_same() -> None:
    paths = create_app(Settings(database_url="sqlite+aiosqlite:///unused.db")).openapi()["paths"]
    todos = {path: _promises(paths[path]) for path in paths if path.startswith("/todos")}

    twins = {path: _promises(paths[path]) for path in paths if path.startswith("/sync/")}

    assert todos
    assert {path.removeprefix("/sync"): promises for path, promises in twins.items()} == todos


def _promises(operations: Mapping[str, Mapping[str, Any]]) -> object:
    naming = {"operationId", "tags"}
    promises = {
        method: {key: value for key, value in operation.items() if key not in naming}
        for method, operation in operations.items()
    }
    # The title of a list, "Response List Todos Sync Todos Get", is made from its path.
    return json.dumps(promises).replace(" Sync Todos ", " Todos ")


failing = APIRouter()


@failing.post("/fail-after-writing")
def fail_after_writing(session: BlockingSession) -> None:
    """Write, and then have a bug."""
    session.add(User(email="half@twin.example", name="Half", password_hash="!"))
    session.flush()
    raise ZeroDivisionError


@pytest_asyncio.fixture
async def app(real_url: URL) -> AsyncIterator[Running]:
    """The application on a database of each kind, with a pool of one connection."""
    async with running(real_url, failing, pool_size=1, max_overflow=0, pool_timeout=30) as started:
        yield started


def _blocking_connections_out(app: Running) -> int:
    pool = app.database.sync_engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def test_a_bug_after_a_write_rolls_back_and_gives_the_connection_back(app: Running) -> None:
    with pytest.raises(ZeroDivisionError):
        await app.client.post("/fail-after-writing")

    assert _blocking_connections_out(app) == 0
    async with app.database.sessions() as session:
        half = select(func.count()).where(User.email == "half@twin.example")
        assert await session.scalar(half) == 0


async def test_a_refused_write_leaves_the_next_request_a_clean_session(app: Running) -> None:
    ada = await app.add_user()

    refused = await app.client.post("/sync/todos", json={"owner_id": 2147483647, "title": "Clean"})
    accepted = await app.client.post("/sync/todos", json={"owner_id": ada.id, "title": "Clean"})

    assert (refused.status_code, accepted.status_code) == (409, 201)
    assert _blocking_connections_out(app) == 0
    async with app.database.sessions() as session:
        owners = await session.scalars(select(Todo.owner_id).where(Todo.title == "Clean"))
        assert owners.all() == [ada.id]


async def test_statements_run_in_threads_and_those_of_async_endpoints_do_not(
    app: Running,
) -> None:
    threads: dict[str, set[int]] = {"sync": set(), "async": set()}
    engines = {"sync": app.database.sync_engine, "async": app.database.engine.sync_engine}
    for name, engine in engines.items():

        @event.listens_for(engine, "before_cursor_execute")
        def note(*_: object, name: str = name) -> None:
            threads[name].add(threading.get_ident())

    for path in ("/todos", "/sync/todos"):
        assert (await app.client.get(path)).status_code == 200

    assert threads["async"] == {threading.get_ident()}
    assert threads["sync"]
    assert threading.get_ident() not in threads["sync"]


async def test_more_requests_than_threads_share_one_connection_without_locking_up(
    app: Running,
) -> None:
    ada = await app.add_user()
    requests = [
        app.client.post("/sync/todos", json={"owner_id": ada.id, "title": str(number)})
        for number in range(60)
    ]

    answers = await asyncio.gather(*requests)

    assert {answer.status_code for answer in answers} == {201}
    async with app.database.sessions() as session:
        assert await session.scalar(select(func.count()).where(Todo.owner_id == ada.id)) == 60


def _committed(sessions: sessionmaker[Session]) -> User:
    with sessions() as session:
        user = User(email="ada@twin.example", name="Ada", password_hash="!")
        session.add(user)
        session.commit()
    return user


async def test_a_row_can_be_read_after_the_commit_and_the_end_of_its_session(app: Running) -> None:
    user = _committed(app.database.sync_sessions)

    assert user.name == "Ada"


async def test_with_expiry_on_commit_that_row_could_not_be_read(app: Running) -> None:
    user = _committed(sessionmaker(app.database.sync_engine, expire_on_commit=True))

    with pytest.raises(DetachedInstanceError):
        _ = user.name


async def test_without_expiry_a_session_does_not_see_what_others_change_until_it_refreshes(
    app: Running,
) -> None:
    with app.database.sync_sessions() as session:
        user = User(email="ada@twin.example", name="Ada", password_hash="!")
        session.add(user)
        session.commit()
        await app.client.patch(f"/users/{user.id}", json={"name": "Lovelace"})
        remembered = session.get_one(User, user.id).name
        session.refresh(user)

    assert (remembered, user.name) == ("Ada", "Lovelace")
