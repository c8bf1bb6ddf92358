"""Columns loaded late: the row is there, parts of it are not, and each row fetches its own.

No relationship is involved, so the advice for N+1, an eager loader, does not apply: the columns
must come with the query of the list, or come back with one query for all.
"""

from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import defer

from target_app.db import Session
from target_app.faults.catalogue import Fault
from target_app.faults.schemas import PostWithBody
from target_app.models import Post
from target_app.parameters import Page
from target_app.repository import one_page

router = APIRouter()

_FAMILY = "columns"
_KIND = "column-reload"

_POSTS = select(Post).order_by(Post.id)

DEFERRED = Fault(
    family=_FAMILY,
    name="deferred",
    cause="leaves a large column out of the list by `defer`, and then reads it of every row",
    symptom="an option that was meant to make the page faster makes it slower",
    of_twin=1,
    kind=_KIND,
    fix="no `defer(Post.body)` where the body is read",
)


@router.get(DEFERRED.path, response_model=list[PostWithBody])
async def posts_with_deferred_body(session: Session, page: Page) -> Sequence[Post]:
    """A deferred column, loaded through `awaitable_attrs`."""
    posts = await session.scalars(one_page(_POSTS.options(defer(Post.body)), page))
    return await _bodies_one_by_one(posts.all())


async def _bodies_one_by_one(posts: Sequence[Post]) -> Sequence[Post]:
    for post in posts:
        await post.awaitable_attrs.body
    return posts


@router.get(DEFERRED.twin_path, response_model=list[PostWithBody])
async def posts_with_body(session: Session, page: Page) -> Sequence[Post]:
    """The twin of `posts_with_deferred_body`."""
    posts = await session.scalars(one_page(_POSTS, page))
    return posts.all()


EXPIRED = Fault(
    family=_FAMILY,
    name="expired",
    cause="expires all rows (as a commit does by default) and then reads them one by one",
    symptom="slow after every commit; as many reads as rows where nothing seems to read",
    of_twin=2,
    kind=_KIND,
    fix="`expire_on_commit=False`, or the list once more with `populate_existing`",
)


@router.get(EXPIRED.path, response_model=list[PostWithBody])
async def posts_expired(session: Session, page: Page) -> Sequence[Post]:
    """Rows that are to be fresh, each of them reloaded by itself."""
    posts = (await session.scalars(one_page(_POSTS, page))).all()
    session.expire_all()
    return await _bodies_one_by_one(posts)


@router.get(EXPIRED.twin_path, response_model=list[PostWithBody])
async def posts_read_again(session: Session, page: Page) -> Sequence[Post]:
    """The twin of `posts_expired`."""
    listing = one_page(_POSTS, page)
    await session.scalars(listing)
    posts = await session.scalars(listing.execution_options(populate_existing=True))
    return posts.all()


FAULTS = (DEFERRED, EXPIRED)
