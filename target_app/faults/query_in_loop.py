"""Queries in a loop: N+1 without any relationship, written by hand.

No loader option helps here; the twins ask once for all rows. What runs in the loop stands in a
function of its own, as in `n_plus_one`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from sqlalchemy import func, select, text

from target_app.db import Database, DatabaseOfApp, Session
from target_app.faults.catalogue import Fault
from target_app.faults.schemas import PostWithCommentCount
from target_app.models import Comment, Post, User
from target_app.parameters import Page
from target_app.repository import one_page
from target_app.users.schemas import UserSummary

router = APIRouter()

_FAMILY = "query-in-loop"

_POSTS = select(Post).order_by(Post.id)
_AUTHOR_IDS = select(Post.author_id).order_by(Post.id)

PROFILES = Fault(
    family=_FAMILY,
    name="profiles",
    cause="calls `session.get` in a loop",
    symptom="slow with many authors, fast in a test where one author wrote everything",
    of_twin=2,
    kind="n-plus-one",
    fix="one query with `IN`",
)


@router.get(PROFILES.path, response_model=list[UserSummary])
async def profiles_by_get(session: Session, page: Page) -> list[User]:
    """Rows by primary key: one statement per distinct author."""
    author_ids = await session.scalars(one_page(_AUTHOR_IDS, page))
    return await _users_one_by_one(session, author_ids.all())


async def _users_one_by_one(session: Session, user_ids: Sequence[int]) -> list[User]:
    return [await session.get_one(User, user_id) for user_id in user_ids]


@router.get(PROFILES.twin_path, response_model=list[UserSummary])
async def profiles_by_in(session: Session, page: Page) -> list[User]:
    """The twin of `profiles_by_get`."""
    author_ids = await session.scalars(one_page(_AUTHOR_IDS, page))
    return await _users_at_once(session, author_ids.all())


async def _users_at_once(session: Session, user_ids: Sequence[int]) -> list[User]:
    users = await session.scalars(select(User).where(User.id.in_(user_ids)))
    user_by_id = {user.id: user for user in users}
    return [user_by_id[user_id] for user_id in user_ids]


CORE_COUNTS = Fault(
    family=_FAMILY,
    name="core-counts",
    cause="executes a Core `select` in a loop",
    symptom="the page gets slower with every post on it",
    of_twin=2,
    kind="n-plus-one",
    fix="one query with `GROUP BY`",
)


@router.get(CORE_COUNTS.path)
async def counts_by_core(session: Session, page: Page) -> list[PostWithCommentCount]:
    """An aggregate, selected for one post after the other."""
    posts = (await session.scalars(one_page(_POSTS, page))).all()
    return _with_counts(posts, await _counts_one_by_one(session, posts))


async def _counts_one_by_one(session: Session, posts: Sequence[Post]) -> dict[int, int]:
    comments = Comment.__table__
    counts = {}
    for post in posts:
        of_post = select(func.count()).where(comments.c.post_id == post.id)
        counts[post.id] = (await session.execute(of_post)).scalar_one()
    return counts


@router.get(CORE_COUNTS.twin_path)
async def counts_by_group(session: Session, page: Page) -> list[PostWithCommentCount]:
    """The twin of `counts_by_core` and `counts_by_text`."""
    posts = (await session.scalars(one_page(_POSTS, page))).all()
    grouped = await session.execute(
        select(Comment.post_id, func.count())
        .where(Comment.post_id.in_([post.id for post in posts]))
        .group_by(Comment.post_id)
    )
    return _with_counts(posts, {post_id: count for post_id, count in grouped})  # noqa: C416 - rows are no tuples to `dict`


def _with_counts(
    posts: Sequence[Post], count_by_post: Mapping[int, int]
) -> list[PostWithCommentCount]:
    return [
        PostWithCommentCount(
            id=post.id, title=post.title, comment_count=count_by_post.get(post.id, 0)
        )
        for post in posts
    ]


TEXT_COUNTS = Fault(
    family=_FAMILY,
    name="text-counts",
    cause="executes `text()` in a loop, with the values formatted into it",
    symptom="slow, and in the database's statistics a thousand statements that ran once each",
    of_twin=2,
    kind="n-plus-one",
    fix="one query with `GROUP BY`, values bound",
)


@router.get(TEXT_COUNTS.path)
async def counts_by_text(session: Session, page: Page) -> list[PostWithCommentCount]:
    """An aggregate in SQL of one's own: no two statements have the same text."""
    posts = (await session.scalars(one_page(_POSTS, page))).all()
    return _with_counts(posts, await _texts_one_by_one(session, posts))


async def _texts_one_by_one(session: Session, posts: Sequence[Post]) -> dict[int, int]:
    counts = {}
    for post in posts:
        # The value is an integer of our own, so nothing can be injected: slow, not open.
        sql = f"SELECT count(*) FROM comments WHERE post_id = {post.id:d}"  # noqa: S608 - the fault
        counts[post.id] = (await session.execute(text(sql))).scalar_one()
    return counts


router.add_api_route(
    TEXT_COUNTS.twin_path, counts_by_group, response_model=list[PostWithCommentCount]
)

FAN_OUT = Fault(
    family=_FAMILY,
    name="fan-out",
    cause="awaits `asyncio.gather` over tasks with one query and one session each",
    symptom="fast alone; under load one request takes the whole pool and others get 503",
    of_twin=2,
    kind="fan-out",
    fix="one query with `IN`, on the request's own connection",
)


@router.get(FAN_OUT.path, response_model=list[UserSummary])
async def profiles_in_parallel(database: DatabaseOfApp, page: Page) -> list[User]:
    """One connection per row, as many at once as the pool has."""
    # Closed before the tasks begin: with its connection kept, a pool of one could never answer.
    async with database.sessions() as session:
        author_ids = (await session.scalars(one_page(_AUTHOR_IDS, page))).all()
    return await asyncio.gather(*(_user_apart(database, user_id) for user_id in author_ids))


async def _user_apart(database: Database, user_id: int) -> User:
    async with database.sessions() as session:
        return await session.get_one(User, user_id)


router.add_api_route(FAN_OUT.twin_path, profiles_by_in, response_model=list[UserSummary])

FAULTS = (PROFILES, CORE_COUNTS, TEXT_COUNTS, FAN_OUT)
