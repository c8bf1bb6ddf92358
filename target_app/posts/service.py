"""The rules of writing: authors and posts must exist, tags are shared, replies stay below a post.

A module of its own because it needs two repositories and no HTTP.
"""

from typing import Annotated

from fastapi import Depends

from target_app.errors import RuleError
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
            NotFoundError: The post, the author or the parent does not exist.
            RuleError: The parent is below another post.
        """
        post = await self._posts.rows.get(post_id)
        author = await self._users.get(new.author_id)
        if new.parent_id is not None:
            await self._require_parent(new.parent_id, post)
        return await self._posts.comments.add(
            Comment(post_id=post.id, author=author, body=new.body, parent_id=new.parent_id)
        )

    async def _require_parent(self, parent_id: int, post: Post) -> None:
        parent = await self._posts.comments.get(parent_id)
        if parent.post_id != post.id:
            message = f"comment {parent_id} is below another post than {post.id}"
            raise RuleError(message)


async def get_writing(posts: Posts, users: Users) -> Writing:
    """Return the writing of this request."""
    return Writing(posts, users)


WritingService = Annotated[Writing, Depends(get_writing)]
"""The service, as endpoints ask for it."""
