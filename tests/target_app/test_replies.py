"""Replies below comments, and threads that arrive in any order."""

from collections.abc import Mapping, Sequence

import httpx
import pytest
from sqlalchemy import URL, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from harness.database.admin import run_admin
from harness.database.server import PostgresServer
from target_app.models import Comment, Post, User
from tests.target_app.in_process import running


async def _two_posts(session: AsyncSession) -> tuple[Post, Post]:
    ada = User(email="ada@replies.example", name="Ada", password_hash="x")
    posts = [Post(author=ada, title=title, body="B") for title in ("One", "Two")]
    session.add_all(posts)
    await session.commit()
    return posts[0], posts[1]


def _thread(author_id: int, *keys: tuple[str, str | None]) -> dict[str, Sequence[object]]:
    return {
        "comments": [
            {"key": key, "parent_key": parent, "author_id": author_id, "body": f"I am {key}"}
            for key, parent in keys
        ]
    }


async def _comment(
    client: httpx.AsyncClient, post: Post, **more: object
) -> tuple[int, Mapping[str, object]]:
    body = {"author_id": post.author_id, "body": "hm", **more}
    answer = await client.post(f"/posts/{post.id}/comments", json=body)
    return answer.status_code, answer.json()


async def test_a_reply_names_its_parent_in_the_flat_list(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)
    _, first = await _comment(client, post)

    status, reply = await _comment(client, post, parent_id=first["id"])

    assert (status, reply["parent_id"], first["parent_id"]) == (201, first["id"], None)
    assert (await client.get(f"/posts/{post.id}")).json()["comments"] == [first, reply]


async def test_a_reply_below_another_post_is_400_and_not_stored(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, other = await _two_posts(db_session)
    _, elsewhere = await _comment(client, other)

    status, _ = await _comment(client, post, parent_id=elsewhere["id"])

    assert status == 400
    assert await db_session.scalar(select(func.count()).where(Comment.post_id == post.id)) == 0


async def test_a_reply_to_nothing_is_404(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)

    assert (await _comment(client, post, parent_id=2147483647))[0] == 404


async def test_a_thread_may_come_with_replies_first(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)
    _, earlier = await _comment(client, post)
    thread = _thread(post.author_id, ("leaf", "branch"), ("branch", "root"), ("root", None))

    answer = await client.post(f"/posts/{post.id}/comments/import", json=thread)

    assert answer.status_code == 201
    ids = {comment["key"]: comment["id"] for comment in answer.json()}
    assert list(ids) == ["leaf", "branch", "root"]
    stored = (await client.get(f"/posts/{post.id}")).json()["comments"]
    assert {comment["id"]: comment["parent_id"] for comment in stored} == {
        earlier["id"]: None,
        ids["root"]: None,
        ids["branch"]: ids["root"],
        ids["leaf"]: ids["branch"],
    }


async def test_a_comment_after_an_import_gets_an_id_of_its_own(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)
    thread = _thread(post.author_id, ("a", None), ("b", "a"))
    imported = (await client.post(f"/posts/{post.id}/comments/import", json=thread)).json()

    status, comment = await _comment(client, post)

    assert status == 201
    assert comment["id"] not in [row["id"] for row in imported]


@pytest.mark.parametrize(
    "keys",
    [
        [("a", "b"), ("b", "a")],
        [("a", "a")],
        [("root", None), ("a", "c"), ("b", "a"), ("c", "b")],
        [("a", None), ("a", None)],
    ],
    ids=["two", "itself", "three", "twice"],
)
async def test_a_circle_or_a_key_that_is_there_twice_is_400(
    client: httpx.AsyncClient, db_session: AsyncSession, keys: Sequence[tuple[str, str | None]]
) -> None:
    post, _ = await _two_posts(db_session)

    thread = _thread(post.author_id, *keys)
    answer = await client.post(f"/posts/{post.id}/comments/import", json=thread)

    assert answer.status_code == 400
    assert await db_session.scalar(select(func.count()).where(Comment.post_id == post.id)) == 0


async def test_a_thread_below_no_post_is_404(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)
    thread = _thread(post.author_id, ("a", None))

    answer = await client.post("/posts/2147483647/comments/import", json=thread)

    assert answer.status_code == 404


async def test_a_thread_by_nobody_is_409(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)

    thread = _thread(2147483647, ("a", None))
    answer = await client.post(f"/posts/{post.id}/comments/import", json=thread)

    assert answer.status_code == 409


async def test_a_thread_has_500_comments_at_most(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    post, _ = await _two_posts(db_session)
    path = f"/posts/{post.id}/comments/import"
    chain: list[tuple[str, str | None]] = [(str(n), str(n + 1)) for n in range(499)]

    full = await client.post(path, json=_thread(post.author_id, *chain, ("499", None)))
    over = await client.post(
        path, json=_thread(post.author_id, *chain, ("499", None), ("500", None))
    )

    assert (full.status_code, over.status_code) == (201, 422)


@pytest.mark.parametrize("unit_of_work", ["dependency", "middleware"])
async def test_a_parent_that_never_came_fails_at_the_commit_and_is_409(
    real_url: URL, unit_of_work: str
) -> None:
    async with running(real_url, unit_of_work=unit_of_work) as run:
        ada = await run.add_user()
        post = Post(author_id=ada.id, title="T", body="B")
        await run.add(post)
        path = f"/posts/{post.id}/comments/import"
        refused = await run.client.post(path, json=_thread(ada.id, ("leaf", "lost"), ("a", None)))

        accepted = await run.client.post(path, json=_thread(ada.id, ("leaf", "a"), ("a", None)))

        assert refused.status_code == 409, refused.text
        assert accepted.status_code == 201, accepted.text
        async with run.database.sessions() as session:
            assert await session.scalar(select(func.count()).select_from(Comment)) == 2


async def test_a_constraint_that_is_not_deferred_would_refuse_replies_first(
    harness_postgres: PostgresServer, emptied_postgresql: URL
) -> None:
    alter = "ALTER TABLE comments ALTER CONSTRAINT fk_comments_parent_id_comments"
    name = str(emptied_postgresql.database)
    run_admin(harness_postgres.address, [f"{alter} NOT DEFERRABLE"], database=name)
    try:
        async with running(emptied_postgresql) as run:
            ada = await run.add_user()
            post = Post(author_id=ada.id, title="T", body="B")
            await run.add(post)
            thread = _thread(ada.id, ("leaf", "root"), ("root", None))

            answer = await run.client.post(f"/posts/{post.id}/comments/import", json=thread)
    finally:
        deferred = f"{alter} DEFERRABLE INITIALLY DEFERRED"
        run_admin(harness_postgres.address, [deferred], database=name)

    assert answer.status_code == 409
