"""The queries about posts, comments and tags.

Every query names what the answer will read (`options`): in an AsyncSession an attribute that
was not loaded cannot be loaded by touching it.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from target_app.db import Session
from target_app.errors import NotFoundError
from target_app.models import Comment, Post, Tag
from target_app.parameters import Pagination
from target_app.repository import Repository, one_page


class PostRepository:
    """Posts, comments and tags through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rows = Repository(session, Post)
        self.comments = Repository(session, Comment)
        self.tags = Repository(session, Tag)

    async def page(self, page: Pagination) -> Sequence[Post]:
        """Return one page of posts with author and tags, in two statements."""
        with_author_and_tags = (
            select(Post).options(joinedload(Post.author), selectinload(Post.tags)).order_by(Post.id)
        )
        posts = await self._session.scalars(one_page(with_author_and_tags, page))
        return posts.all()

    async def detail(self, post_id: int) -> Post:
        """Return one post with author, tags, and comments with their authors.

        Raises:
            NotFoundError: There is no such post.
        """
        post = await self._session.scalar(
            select(Post)
            .options(
                joinedload(Post.author),
                selectinload(Post.tags),
                selectinload(Post.comments).joinedload(Comment.author),
            )
            .where(Post.id == post_id)
        )
        if post is None:
            raise NotFoundError(Post.__tablename__, post_id)
        return post

    async def tags_named(self, names: Iterable[str]) -> list[Tag]:
        """Return the tags with these names, creating those that are missing.

        Two requests may create the same tag at once: `ON CONFLICT` lets the second one wait
        and reuse it, and sorted names keep them from waiting for each other in a circle.
        """
        ordered = sorted(set(names))
        if not ordered:
            return []
        await self.tags.add_missing([{"name": name} for name in ordered])
        tags = await self._session.scalars(
            select(Tag).where(Tag.name.in_(ordered)).order_by(Tag.name)
        )
        return list(tags)


async def get_posts(session: Session) -> PostRepository:
    """Return the posts of this request's session; tests override this dependency."""
    return PostRepository(session)


Posts = Annotated[PostRepository, Depends(get_posts)]
"""The posts, as endpoints and services ask for them; tests override `get_posts`."""
