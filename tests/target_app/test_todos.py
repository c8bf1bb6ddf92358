"""Todos, through HTTP, on both databases."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import MakeUser
from harness.pytest_plugin.queries import Queries
from target_app.models import Todo, User

# In the past, because the clock of a database stands still inside a transaction on PostgreSQL, and
# counts seconds on SQLite.
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


async def _create(client: httpx.AsyncClient, owner: User, **body: object) -> Mapping[str, Any]:
    answer = await client.post("/todos", json={"owner_id": owner.id, "title": "T", **body})
    assert answer.status_code == 201, answer.text
    created: Mapping[str, Any] = answer.json()
    return created


async def _add(session: AsyncSession, owner: User, *, done: bool = False) -> Todo:
    todo = Todo(owner_id=owner.id, title="T", done=done, updated_at=LONG_AGO)
    session.add(todo)
    await session.commit()
    return todo


async def test_a_created_todo_is_open_and_in_the_database(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada = await make_user()

    created = await _create(client, ada, title="Write notes")

    assert (created["title"], created["done"], created["due_at"]) == ("Write notes", False, None)
    stored = await db_session.get_one(Todo, created["id"])
    assert (stored.owner_id, stored.title, stored.done) == (ada.id, "Write notes", False)


async def test_a_created_todo_reads_back_as_it_was_answered(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    created = await _create(client, await make_user(), due_at="2030-05-01T12:00:00.250+02:00")

    answer = await client.get(f"/todos/{created['id']}")

    assert answer.status_code == 200
    assert answer.json() == created
    assert created["due_at"] == "2030-05-01T10:00:00.250000Z"


async def test_a_todo_of_nobody_is_409_and_leaves_none(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    answer = await client.post("/todos", json={"owner_id": 2147483647, "title": "Orphaned"})

    assert answer.status_code == 409
    assert await db_session.scalar(select(func.count()).where(Todo.title == "Orphaned")) == 0


@pytest.mark.parametrize(
    "due_at",
    [
        "2030-05-01T12:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T00:00:00Z",
        1e300,
    ],
    ids=["no-zone", "before-the-calendar", "after-the-calendar", "last-day", "number"],
)
async def test_a_moment_that_not_every_driver_can_hold_is_422(
    client: httpx.AsyncClient, make_user: MakeUser, due_at: object
) -> None:
    body = {"owner_id": (await make_user()).id, "title": "T", "due_at": due_at}

    assert (await client.post("/todos", json=body)).status_code == 422


@pytest.mark.parametrize("due_at", ["0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z"])
async def test_the_first_and_the_last_moment_are_kept(
    client: httpx.AsyncClient, make_user: MakeUser, due_at: str
) -> None:
    created = await _create(client, await make_user(), due_at=due_at)

    assert (await client.get(f"/todos/{created['id']}")).json()["due_at"] == due_at


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", "open done"), ("&done=false", "open"), ("&done=true", "done"), ("&limit=1", "open")],
    ids=["all", "open", "done", "page"],
)
async def test_the_filter_lets_through_what_it_names(
    client: httpx.AsyncClient,
    db_session: AsyncSession,
    make_user: MakeUser,
    query: str,
    expected: str,
) -> None:
    ada, grace = await make_user(name="Ada"), await make_user(name="Grace")
    ids = {
        "open": (await _add(db_session, ada)).id,
        "done": (await _add(db_session, ada, done=True)).id,
    }
    await _add(db_session, grace)

    listed = (await client.get(f"/todos?owner_id={ada.id}{query}")).json()

    assert [todo["id"] for todo in listed] == [ids[name] for name in expected.split()]


async def test_without_a_filter_everybodys_todos_are_listed(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    todos = [
        await _add(db_session, await make_user(name="Ada")),
        await _add(db_session, await make_user(name="Grace")),
    ]

    listed = (await client.get("/todos?limit=100")).json()

    assert [todo["id"] for todo in listed][-2:] == [todo.id for todo in todos]


async def test_a_change_answers_what_the_database_has(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    todo = await _add(db_session, await make_user())
    before = (await client.get(f"/todos/{todo.id}")).json()

    answer = await client.patch(f"/todos/{todo.id}", json={"done": True})

    changed = answer.json()
    assert answer.status_code == 200
    assert changed == {**before, "done": True, "updated_at": changed["updated_at"]}
    assert datetime.fromisoformat(changed["updated_at"]) > LONG_AGO
    assert (await client.get(f"/todos/{todo.id}")).json() == changed
    await db_session.refresh(todo)
    assert todo.done


async def test_an_empty_change_changes_nothing_not_even_the_time(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    todo = await _add(db_session, await make_user())

    answer = await client.patch(f"/todos/{todo.id}", json={})

    assert answer.status_code == 200
    assert datetime.fromisoformat(answer.json()["updated_at"]) == LONG_AGO


async def test_null_takes_the_due_date_away(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    todo = await _create(client, await make_user(), due_at="2030-05-01T12:00:00Z")

    kept = await client.patch(f"/todos/{todo['id']}", json={"title": "Other"})
    taken = await client.patch(f"/todos/{todo['id']}", json={"due_at": None})

    assert kept.json()["due_at"] == "2030-05-01T12:00:00Z"
    assert taken.json()["due_at"] is None


@pytest.mark.parametrize("field", ["title", "done"])
async def test_null_for_what_a_todo_must_have_is_422(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser, field: str
) -> None:
    todo = await _add(db_session, await make_user())

    assert (await client.patch(f"/todos/{todo.id}", json={field: None})).status_code == 422


async def test_completing_changes_the_open_todos_of_one_owner_only(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada, grace = await make_user(name="Ada"), await make_user(name="Grace")
    was_open = [await _add(db_session, ada), await _add(db_session, ada)]
    was_done = await _add(db_session, ada, done=True)
    of_another = await _add(db_session, grace)

    answer = await client.post("/todos/complete", json={"owner_id": ada.id})

    assert (answer.status_code, answer.json()) == (200, {"completed": 2})
    for todo in (*was_open, was_done, of_another):
        await db_session.refresh(todo)
    assert [todo.done and todo.updated_at > LONG_AGO for todo in was_open] == [True, True]
    assert (was_done.done, was_done.updated_at) == (True, LONG_AGO)
    assert (of_another.done, of_another.updated_at) == (False, LONG_AGO)


async def test_completing_the_todos_of_nobody_completes_none(client: httpx.AsyncClient) -> None:
    answer = await client.post("/todos/complete", json={"owner_id": 2147483647})

    assert (answer.status_code, answer.json()) == (200, {"completed": 0})


async def test_a_deleted_todo_is_gone(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    todo = await _add(db_session, await make_user())

    answer = await client.delete(f"/todos/{todo.id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert await db_session.scalar(select(func.count()).where(Todo.id == todo.id)) == 0


async def test_every_request_about_todos_takes_one_statement(
    harness_client: httpx.AsyncClient, harness_db_session: AsyncSession, queries: Queries
) -> None:
    owner_id = await harness_db_session.scalar(select(func.min(User.id)))
    body = {"owner_id": owner_id, "title": "T"}
    todos = [(await harness_client.post("/todos", json=body)).json()["id"] for _ in range(3)]

    await harness_client.get(f"/todos?owner_id={owner_id}")
    await harness_client.get(f"/todos/{todos[0]}")
    await harness_client.patch(f"/todos/{todos[0]}", json={"done": True})
    await harness_client.post("/todos/complete", json={"owner_id": owner_id})
    await harness_client.delete(f"/todos/{todos[0]}")

    assert queries["POST /todos"].per_request == (1, 1, 1)
    for route in ("GET /todos", "POST /todos/complete"):
        assert queries[route].per_request == (1,)
    for method in ("GET", "PATCH", "DELETE"):
        assert queries[f"{method} /todos/{{todo_id}}"].per_request == (1,)
