"""Posts, comments and tags, through HTTP, on both databases."""

from collections.abc import Mapping

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import MakeUser
from target_app.models import Comment, Tag


async def _create(client: httpx.AsyncClient, path: str, **body: object) -> Mapping[str, object]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    created: Mapping[str, object] = answer.json()
    return created


async def test_a_post_shares_existing_tags_and_creates_missing_ones(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada = await make_user()
    one = await _create(
        client, "/posts", author_id=ada.id, title="One", body="1", tags=["engines", "notes"]
    )
    two = await _create(
        client, "/posts", author_id=ada.id, title="Two", body="2", tags=["notes", "notes"]
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
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada = await make_user()
    post = await _create(client, "/posts", author_id=ada.id, title="T", body="B")
    path = f"/posts/{post['id']}"
    first = await _create(client, f"{path}/comments", author_id=ada.id, body="first")
    second = await _create(client, f"{path}/comments", author_id=ada.id, body="second")

    detail = (await client.get(path)).json()

    assert detail["comments"] == [first, second]
    assert detail["author"] == {"id": ada.id, "name": "Ada"}
    stored = await db_session.scalars(select(Comment.body).where(Comment.post_id == post["id"]))
    assert set(stored) == {"first", "second"}


async def test_a_comment_below_no_post_is_404(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    body = {"author_id": (await make_user()).id, "body": "hello?"}

    assert (await client.post("/posts/2147483647/comments", json=body)).status_code == 404


async def test_a_post_that_does_not_exist_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/posts/2147483647")).status_code == 404


@pytest.mark.parametrize("post_id", ["0", "2147483648", "x"])
async def test_an_id_of_no_possible_post_is_422(client: httpx.AsyncClient, post_id: str) -> None:
    assert (await client.get(f"/posts/{post_id}")).status_code == 422
