"""Users, through HTTP, on both databases; their passwords have a file of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import MakeUser
from harness.asgi.overrides import Overrides
from harness.pytest_plugin.queries import Queries
from target_app.models import Account, Comment, Order, Post, Todo, User
from target_app.users.repository import get_users

SECRET = "correct horse battery"
ADA = {"email": "ada@example.org", "name": "Ada", "password": SECRET}


async def _sign_up(client: httpx.AsyncClient, **changes: str) -> Mapping[str, object]:
    answer = await client.post("/users", json=ADA | changes)
    assert answer.status_code == 201, answer.text
    created: Mapping[str, object] = answer.json()
    return created


async def _users(session: AsyncSession, **attributes: object) -> int:
    counted = select(func.count()).select_from(User).filter_by(**attributes)
    return await session.scalar(counted) or 0


async def test_a_created_user_is_in_the_database(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _sign_up(client)

    stored = await db_session.get_one(User, ada["id"])
    assert (stored.email, stored.name) == ("ada@example.org", "Ada")
    assert stored.created_at.tzinfo is not None


async def test_a_created_user_can_be_read(client: httpx.AsyncClient) -> None:
    ada = await _sign_up(client)

    answer = await client.get(f"/users/{ada['id']}")

    assert answer.status_code == 200
    assert answer.json() == ada


async def test_a_taken_email_is_409_and_leaves_one_user(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _sign_up(client)

    answer = await client.post("/users", json=ADA | {"name": "Impostor"})

    assert answer.status_code == 409
    assert await _users(db_session, email=ada["email"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"email": "nobody"},
        {"email": "a@" + "b" * 320},
        {"name": ""},
        {"name": "n" * 201},
        {"password": "7 chars"},
        {"password": "p" * 129},
    ],
    ids=["no-at-sign", "long-email", "no-name", "long-name", "short-password", "long-password"],
)
async def test_a_user_out_of_bounds_is_422_and_named(
    client: httpx.AsyncClient, change: dict[str, str]
) -> None:
    answer = await client.post("/users", json=ADA | change)

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", *change]]


async def test_only_what_is_sent_changes(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _sign_up(client)

    answer = await client.patch(f"/users/{ada['id']}", json={"name": "Lovelace"})

    assert (answer.status_code, answer.json()) == (200, {**ada, "name": "Lovelace"})
    stored = await db_session.get_one(User, ada["id"])
    assert (stored.email, stored.name) == ("ada@example.org", "Lovelace")
    signed_in = await client.post(
        "/users/authenticate", json={"email": "ada@example.org", "password": SECRET}
    )
    assert signed_in.status_code == 200


async def test_changing_to_a_taken_email_is_409_and_changes_nothing(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada, grace = await make_user(name="Ada"), await make_user(name="Grace")

    answer = await client.patch(f"/users/{ada.id}", json={"email": grace.email, "name": "Eve"})

    assert answer.status_code == 409
    assert await _users(db_session, name="Eve") == 0
    assert await _users(db_session, email=grace.email) == 1


@pytest.mark.parametrize("field", ["email", "name", "password"])
@pytest.mark.parametrize("value", [None, ""], ids=["null", "empty"])
async def test_nothing_of_a_user_can_be_taken_away(
    client: httpx.AsyncClient, make_user: MakeUser, field: str, value: str | None
) -> None:
    ada = await make_user()

    answer = await client.patch(f"/users/{ada.id}", json={field: value})

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", field]]


async def test_a_deleted_user_is_gone_and_so_are_the_todos(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada, grace = await make_user(name="Ada"), await make_user(name="Grace")
    db_session.add_all(Todo(owner_id=owner.id, title="T") for owner in (ada, ada, grace))
    await db_session.commit()

    answer = await client.delete(f"/users/{ada.id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert await _users(db_session, id=ada.id) == 0
    owners = select(Todo.owner_id).where(Todo.owner_id.in_([ada.id, grace.id]))
    assert (await db_session.scalars(owners)).all() == [grace.id]


async def _add_post(session: AsyncSession, *, author: User, commenter: User) -> None:
    post = Post(author_id=author.id, title="T", body="B")
    session.add(post)
    await session.flush()
    session.add(Comment(post_id=post.id, author_id=commenter.id, body="B"))


@pytest.mark.parametrize("kind", ["post", "comment", "account", "order"])
async def test_a_user_that_others_need_is_409_and_stays(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser, kind: str
) -> None:
    ada, grace = await make_user(name="Ada"), await make_user(name="Grace")
    match kind:
        case "post":
            await _add_post(db_session, author=ada, commenter=grace)
        case "comment":
            await _add_post(db_session, author=grace, commenter=ada)
        case "account":
            db_session.add(Account(owner_id=ada.id, balance_cents=0))
        case _:
            db_session.add(Order(customer_id=ada.id))
    await db_session.commit()

    answer = await client.delete(f"/users/{ada.id}")

    assert answer.status_code == 409, answer.text
    assert await _users(db_session, id=ada.id) == 1


class _OneUser:
    """A repository without a database."""

    async def get(self, user_id: int) -> User:
        joined = datetime(1843, 7, 10, tzinfo=UTC)
        return User(id=user_id, email="ada@example.org", name="Ada", created_at=joined)


async def test_a_test_replaces_the_repository_and_no_statement_is_run(
    harness_client: httpx.AsyncClient, overrides: Overrides, queries: Queries
) -> None:
    overrides({get_users: _OneUser})

    answer = await harness_client.get("/users/7")

    assert (answer.json()["id"], answer.json()["name"]) == (7, "Ada")
    assert queries["GET /users/{user_id}"].count == 0
