"""N+1: one query for a list, then one more for a relationship of every row of it.

Each fault differs from its twin by a loader option. The endpoint loads the list, that is where
the fix goes; what loads row by row stands in a function of its own (`_*_one_by_one`), that is
where the symptom shows.
"""

from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import joinedload, selectinload

from target_app.db import Session
from target_app.faults.catalogue import Fault
from target_app.faults.schemas import (
    AuthorWithPosts,
    AuthorWithThreads,
    CommentWithReplies,
    PostWithAuthor,
    PostWithTags,
)
from target_app.models import Comment, Post, User
from target_app.parameters import Page
from target_app.repository import one_page

router = APIRouter()

_FAMILY = "n-plus-one"
_KIND = "n-plus-one"

_USERS = select(User).order_by(User.id)
_POSTS = select(Post).order_by(Post.id)
_THREADS = select(Comment).where(Comment.parent_id.is_(None)).order_by(Comment.id)

AUTHORS = Fault(
    family=_FAMILY,
    name="authors",
    cause="awaits the `awaitable_attrs` of a one-to-many relationship in a loop",
    symptom="the page gets slower with every user on it",
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(User.posts)`",
)


@router.get(AUTHORS.path, response_model=list[AuthorWithPosts])
async def authors_with_lazy_posts(session: Session, page: Page) -> Sequence[User]:
    """One-to-many, loaded through `awaitable_attrs`."""
    authors = await session.scalars(one_page(_USERS, page))
    return await _posts_one_by_one(authors.all())


async def _posts_one_by_one(authors: Sequence[User]) -> Sequence[User]:
    for author in authors:
        await author.awaitable_attrs.posts
    return authors


@router.get(AUTHORS.twin_path, response_model=list[AuthorWithPosts])
async def authors_with_selected_posts(session: Session, page: Page) -> Sequence[User]:
    """The twin of `authors_with_lazy_posts`."""
    authors = await session.scalars(one_page(_USERS.options(selectinload(User.posts)), page))
    return authors.all()


POST_AUTHORS = Fault(
    family=_FAMILY,
    name="post-authors",
    cause="reads a many-to-one relationship in a loop inside `run_sync`",
    symptom="slow with many authors, fast in a test where one author wrote everything",
    of_twin=1,
    kind=_KIND,
    fix="`joinedload(Post.author)`",
)


@router.get(POST_AUTHORS.path)
async def posts_with_lazy_author(session: Session, page: Page) -> list[PostWithAuthor]:
    """Many-to-one, loaded inside `run_sync`: one statement per distinct author."""
    posts = await session.scalars(one_page(_POSTS, page))
    return await session.run_sync(_authors_one_by_one, posts.all())


def _authors_one_by_one(_session: SyncSession, posts: Sequence[Post]) -> list[PostWithAuthor]:
    return [PostWithAuthor.model_validate(post) for post in posts]


@router.get(POST_AUTHORS.twin_path, response_model=list[PostWithAuthor])
async def posts_with_joined_author(session: Session, page: Page) -> Sequence[Post]:
    """The twin of `posts_with_lazy_author`."""
    posts = await session.scalars(one_page(_POSTS.options(joinedload(Post.author)), page))
    return posts.all()


POST_TAGS = Fault(
    family=_FAMILY,
    name="post-tags",
    cause="awaits the `awaitable_attrs` of a many-to-many relationship in a loop",
    symptom="the page gets slower with every post on it, tagged or not",
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(Post.tags)`",
)


@router.get(POST_TAGS.path, response_model=list[PostWithTags])
async def posts_with_lazy_tags(session: Session, page: Page) -> Sequence[Post]:
    """Many-to-many, loaded through `awaitable_attrs`."""
    posts = await session.scalars(one_page(_POSTS, page))
    return await _tags_one_by_one(posts.all())


async def _tags_one_by_one(posts: Sequence[Post]) -> Sequence[Post]:
    for post in posts:
        await post.awaitable_attrs.tags
    return posts


@router.get(POST_TAGS.twin_path, response_model=list[PostWithTags])
async def posts_with_selected_tags(session: Session, page: Page) -> Sequence[Post]:
    """The twin of `posts_with_lazy_tags`."""
    posts = await session.scalars(one_page(_POSTS.options(selectinload(Post.tags)), page))
    return posts.all()


REPLIES = Fault(
    family=_FAMILY,
    name="replies",
    cause="awaits a relationship of a table to itself in a loop",
    symptom="slow discussions: one query per comment, answered or not",
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(Comment.replies)`",
)


@router.get(REPLIES.path, response_model=list[CommentWithReplies])
async def comments_with_lazy_replies(session: Session, page: Page) -> Sequence[Comment]:
    """A table related to itself, loaded through `awaitable_attrs`."""
    comments = await session.scalars(one_page(_THREADS, page))
    return await _replies_one_by_one(comments.all())


async def _replies_one_by_one(comments: Sequence[Comment]) -> Sequence[Comment]:
    for comment in comments:
        await comment.awaitable_attrs.replies
    return comments


@router.get(REPLIES.twin_path, response_model=list[CommentWithReplies])
async def comments_with_selected_replies(session: Session, page: Page) -> Sequence[Comment]:
    """The twin of `comments_with_lazy_replies`."""
    comments = await session.scalars(
        one_page(_THREADS.options(selectinload(Comment.replies)), page)
    )
    return comments.all()


TWO_LEVELS = Fault(
    family=_FAMILY,
    name="two-levels",
    cause="a loop in a loop: the posts of every user, the comments of every post",
    symptom="unbearably slow with few users: the statements of both levels add up",
    per_row=2,  # where each user has one post
    of_twin=3,
    kind=_KIND,
    fix="`selectinload(User.posts).selectinload(Post.comments)`",
)


@router.get(TWO_LEVELS.path, response_model=list[AuthorWithThreads])
async def authors_with_lazy_threads(session: Session, page: Page) -> Sequence[User]:
    """Two relationships, one below the other."""
    authors = await session.scalars(one_page(_USERS, page))
    return await _threads_one_by_one(authors.all())


async def _threads_one_by_one(authors: Sequence[User]) -> Sequence[User]:
    for author in authors:
        for post in await author.awaitable_attrs.posts:
            await post.awaitable_attrs.comments
    return authors


@router.get(TWO_LEVELS.twin_path, response_model=list[AuthorWithThreads])
async def authors_with_selected_threads(session: Session, page: Page) -> Sequence[User]:
    """The twin of `authors_with_lazy_threads`."""
    threads = selectinload(User.posts).selectinload(Post.comments)
    authors = await session.scalars(one_page(_USERS.options(threads), page))
    return authors.all()


REFRESH = Fault(
    family=_FAMILY,
    name="refresh",
    cause='cures `MissingGreenlet` by `session.refresh(row, ["posts"])` in a loop',
    symptom="the error is gone and the page is slow",
    per_row=2,  # the row is looked up again before its relationship is
    of_twin=2,
    kind=_KIND,
    fix="`selectinload(User.posts)`",
)


@router.get(REFRESH.path, response_model=list[AuthorWithPosts])
async def authors_refreshed(session: Session, page: Page) -> Sequence[User]:
    """One-to-many, loaded by refreshing it."""
    authors = await session.scalars(one_page(_USERS, page))
    return await _refreshed_one_by_one(session, authors.all())


async def _refreshed_one_by_one(session: Session, authors: Sequence[User]) -> Sequence[User]:
    for author in authors:
        await session.refresh(author, ["posts"])
    return authors


router.add_api_route(
    REFRESH.twin_path, authors_with_selected_posts, response_model=list[AuthorWithPosts]
)

FAULTS = (AUTHORS, POST_AUTHORS, POST_TAGS, REPLIES, TWO_LEVELS, REFRESH)
