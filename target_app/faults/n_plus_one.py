"""N+1: one query for a list, then one more for every row of it.

Each fault differs from its twin by one loader option, or by one `IN` instead of a loop. The
endpoint loads the list, that is where the fix goes; what loads row by row stands in a function
of its own (`_*_one_by_one`), that is where the symptom shows.
"""

from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import joinedload, selectinload

from target_app.db import Session
from target_app.faults.schemas import AuthorWithPosts, PostWithAuthor, PostWithTags
from target_app.models import Post, User
from target_app.parameters import Page
from target_app.posts.schemas import PostSummary, TagRead
from target_app.users.schemas import UserSummary

router = APIRouter()


@router.get("/faults/n-plus-one/authors")
async def authors_with_lazy_posts(session: Session, page: Page) -> list[AuthorWithPosts]:
    """One-to-many, loaded through `awaitable_attrs`: n + 1 statements."""
    authors = await session.scalars(
        select(User).order_by(User.id).limit(page.limit).offset(page.offset)
    )
    return await _posts_one_by_one(authors.all())


async def _posts_one_by_one(authors: Sequence[User]) -> list[AuthorWithPosts]:
    answer = []
    for author in authors:
        posts = await author.awaitable_attrs.posts
        summaries = [PostSummary.model_validate(post) for post in posts]
        answer.append(AuthorWithPosts(id=author.id, name=author.name, posts=summaries))
    return answer


@router.get("/twins/n-plus-one/authors", response_model=list[AuthorWithPosts])
async def authors_with_selected_posts(session: Session, page: Page) -> Sequence[User]:
    """The twin of `authors_with_lazy_posts`: 2 statements."""
    authors = await session.scalars(
        select(User)
        .options(selectinload(User.posts))
        .order_by(User.id)
        .limit(page.limit)
        .offset(page.offset)
    )
    return authors.all()


@router.get("/faults/n-plus-one/post-authors")
async def posts_with_lazy_author(session: Session, page: Page) -> list[PostWithAuthor]:
    """Many-to-one, loaded inside `run_sync`: 1 statement, and 1 per distinct author."""
    posts = await session.scalars(
        select(Post).order_by(Post.id).limit(page.limit).offset(page.offset)
    )
    return await session.run_sync(_authors_one_by_one, posts.all())


def _authors_one_by_one(_session: SyncSession, posts: Sequence[Post]) -> list[PostWithAuthor]:
    answer = []
    for post in posts:
        author = UserSummary.model_validate(post.author)
        answer.append(PostWithAuthor(id=post.id, title=post.title, author=author))
    return answer


@router.get("/twins/n-plus-one/post-authors", response_model=list[PostWithAuthor])
async def posts_with_joined_author(session: Session, page: Page) -> Sequence[Post]:
    """The twin of `posts_with_lazy_author`: 1 statement."""
    posts = await session.scalars(
        select(Post)
        .options(joinedload(Post.author))
        .order_by(Post.id)
        .limit(page.limit)
        .offset(page.offset)
    )
    return posts.all()


@router.get("/faults/n-plus-one/post-tags")
async def posts_with_lazy_tags(session: Session, page: Page) -> list[PostWithTags]:
    """Many-to-many, loaded through `awaitable_attrs`: n + 1 statements."""
    posts = await session.scalars(
        select(Post).order_by(Post.id).limit(page.limit).offset(page.offset)
    )
    return await _tags_one_by_one(posts.all())


async def _tags_one_by_one(posts: Sequence[Post]) -> list[PostWithTags]:
    answer = []
    for post in posts:
        tags = [TagRead.model_validate(tag) for tag in await post.awaitable_attrs.tags]
        answer.append(PostWithTags(id=post.id, title=post.title, tags=tags))
    return answer


@router.get("/twins/n-plus-one/post-tags", response_model=list[PostWithTags])
async def posts_with_selected_tags(session: Session, page: Page) -> Sequence[Post]:
    """The twin of `posts_with_lazy_tags`: 2 statements."""
    posts = await session.scalars(
        select(Post)
        .options(selectinload(Post.tags))
        .order_by(Post.id)
        .limit(page.limit)
        .offset(page.offset)
    )
    return posts.all()


@router.get("/faults/n-plus-one/profiles", response_model=list[UserSummary])
async def profiles_by_get(session: Session, page: Page) -> list[User]:
    """No relationship at all, `session.get` in a loop: 1 statement, and 1 per distinct author."""
    author_ids = await session.scalars(
        select(Post.author_id).order_by(Post.id).limit(page.limit).offset(page.offset)
    )
    return await _users_one_by_one(session, author_ids.all())


async def _users_one_by_one(session: Session, user_ids: Sequence[int]) -> list[User]:
    return [await session.get_one(User, user_id) for user_id in user_ids]


@router.get("/twins/n-plus-one/profiles", response_model=list[UserSummary])
async def profiles_by_in(session: Session, page: Page) -> list[User]:
    """The twin of `profiles_by_get`: 2 statements."""
    author_ids = await session.scalars(
        select(Post.author_id).order_by(Post.id).limit(page.limit).offset(page.offset)
    )
    return await _users_at_once(session, author_ids.all())


async def _users_at_once(session: Session, user_ids: Sequence[int]) -> list[User]:
    users = await session.scalars(select(User).where(User.id.in_(user_ids)))
    user_by_id = {user.id: user for user in users}
    return [user_by_id[user_id] for user_id in user_ids]
