"""The endpoints, through HTTP, on PostgreSQL."""

from collections.abc import Mapping

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.models import Comment, Post, Tag, User


async def _create(client: httpx.AsyncClient, path: str, **body: object) -> Mapping[str, object]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    created: Mapping[str, object] = answer.json()
    return created


async def _ada(client: httpx.AsyncClient) -> Mapping[str, object]:
    return await _create(client, "/users", email="ada@example.org", name="Ada")


async def test_a_created_user_is_in_the_database(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _ada(client)

    stored = await db_session.get_one(User, ada["id"])
    assert (stored.email, stored.name) == ("ada@example.org", "Ada")
    assert stored.created_at.tzinfo is not None


async def test_a_created_user_can_be_read(client: httpx.AsyncClient) -> None:
    ada = await _ada(client)

    answer = await client.get(f"/users/{ada['id']}")

    assert answer.status_code == 200
    assert answer.json() == ada


async def test_a_taken_email_is_409_and_leaves_one_user(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _ada(client)

    answer = await client.post("/users", json={"email": ada["email"], "name": "Impostor"})

    assert answer.status_code == 409
    same_email = select(func.count()).select_from(User).where(User.email == ada["email"])
    assert await db_session.scalar(same_email) == 1


@pytest.mark.parametrize("path", ["/users", "/posts", "/tags"])
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "offset=2147483648"])
async def test_a_page_out_of_bounds_is_422(
    client: httpx.AsyncClient, path: str, query: str
) -> None:
    assert (await client.get(f"{path}?{query}")).status_code == 422


async def test_pages_follow_each_other_without_gap(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    db_session.add_all(User(email=f"{n}@page.example", name=f"Page {n}") for n in range(4))
    await db_session.commit()
    everyone = (await client.get("/users?limit=100")).json()

    first = (await client.get("/users?limit=2")).json()
    second = (await client.get("/users?limit=2&offset=2")).json()

    assert first + second == everyone[:4]


@pytest.mark.parametrize("path", ["/users/2147483647", "/posts/2147483647"])
async def test_a_row_that_does_not_exist_is_404(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/users/0", "/users/2147483648", "/posts/x"])
async def test_an_id_that_cannot_exist_is_422(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 422


@pytest.mark.parametrize("name", ["nul \\u0000", "surrogate \\ud800"])
async def test_text_that_postgresql_cannot_hold_is_422(
    client: httpx.AsyncClient, name: str
) -> None:
    body = f'{{"email": "odd@example.org", "name": "{name}"}}'
    answer = await client.post("/users", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422


async def test_a_post_shares_existing_tags_and_creates_missing_ones(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _ada(client)
    one = await _create(
        client, "/posts", author_id=ada["id"], title="One", body="1", tags=["engines", "notes"]
    )
    two = await _create(
        client, "/posts", author_id=ada["id"], title="Two", body="2", tags=["notes", "notes"]
    )

    listed = (await client.get(f"/posts/{one['id']}")).json()
    assert [tag["name"] for tag in listed["tags"]] == ["engines", "notes"]
    assert two["tags"] == listed["tags"][1:]
    assert await db_session.scalar(select(func.count()).where(Tag.name == "notes")) == 1


async def test_a_post_by_nobody_is_404_and_leaves_no_tag(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    body = {"author_id": 2147483647, "title": "T", "body": "B", "tags": ["orphaned"]}

    answer = await client.post("/posts", json=body)

    assert answer.status_code == 404
    assert await db_session.scalar(select(func.count()).where(Tag.name == "orphaned")) == 0


async def test_comments_appear_below_their_post(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _ada(client)
    post = await _create(client, "/posts", author_id=ada["id"], title="T", body="B")
    path = f"/posts/{post['id']}"
    first = await _create(client, f"{path}/comments", author_id=ada["id"], body="first")
    second = await _create(client, f"{path}/comments", author_id=ada["id"], body="second")

    detail = (await client.get(path)).json()

    assert detail["comments"] == [first, second]
    assert detail["author"] == {"id": ada["id"], "name": "Ada"}
    stored = await db_session.scalars(select(Comment.body).where(Comment.post_id == post["id"]))
    assert set(stored) == {"first", "second"}


async def test_a_comment_below_no_post_is_404(client: httpx.AsyncClient) -> None:
    ada = await _ada(client)
    body = {"author_id": ada["id"], "body": "hello?"}

    assert (await client.post("/posts/2147483647/comments", json=body)).status_code == 404


@pytest.mark.parametrize("check", ["live", "ready"])
async def test_a_healthy_application_says_so(client: httpx.AsyncClient, check: str) -> None:
    answer = await client.get(f"/health/{check}")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("name", ["authors", "post-authors", "post-tags", "profiles"])
async def test_a_fault_answers_exactly_what_its_twin_answers(
    client: httpx.AsyncClient, db_session: AsyncSession, name: str
) -> None:
    authors = [User(email=f"{n}@twin.example", name=f"Twin {n}") for n in range(3)]
    tag = Tag(name="twins")
    db_session.add_all(Post(author=author, title="T", body="B", tags=[tag]) for author in authors)
    await db_session.commit()

    fault = await client.get(f"/faults/n-plus-one/{name}?limit=100")
    twin = await client.get(f"/twins/n-plus-one/{name}?limit=100")

    assert fault.status_code == 200
    assert fault.content == twin.content
    assert len(fault.json()) >= 3
