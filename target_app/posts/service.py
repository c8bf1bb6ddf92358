"""The rules of writing: authors and posts must exist, tags are shared.

A module of its own because it needs two repositories and no HTTP.
"""

from typing import Annotated

from fastapi import Depends

from target_app.models import Comment, Post
from target_app.posts.repository import Posts
from target_app.posts.schemas import CommentCreate, PostCreate
from target_app.users.repository import Users


class Writing:
    """Writes posts and comments in the name of users."""

    def __init__(self, posts: Posts, users: Users) -> None:
        self._posts = posts
        self._users = users

    async def publish(self, new: PostCreate) -> Post:
        """Create a post with its tags.

        Raises:
            NotFoundError: The author does not exist.
        """
        author = await self._users.get(new.author_id)
        tags = await self._posts.tags_named(new.tags)
        post = Post(author=author, title=new.title, body=new.body, tags=tags)
        return await self._posts.rows.add(post)

    async def comment(self, post_id: int, new: CommentCreate) -> Comment:
        """Create a comment below a post.

        Raises:
            NotFoundError: The post or the author does not exist.
        """
        post = await self._posts.rows.get(post_id)
        author = await self._users.get(new.author_id)
        return await self._posts.comments.add(
            Comment(post_id=post.id, author=author, body=new.body)
        )


WritingService = Annotated[Writing, Depends(Writing)]
"""The service, as endpoints ask for it."""
