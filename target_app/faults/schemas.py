"""What the faulty endpoints and their twins answer."""

from target_app.posts.schemas import PostSummary, TagRead
from target_app.users.schemas import UserSummary


class AuthorWithPosts(UserSummary):
    """A user and the posts written by that user."""

    posts: list[PostSummary]


class PostWithAuthor(PostSummary):
    """A post and its author."""

    author: UserSummary


class PostWithTags(PostSummary):
    """A post and its tags."""

    tags: list[TagRead]
