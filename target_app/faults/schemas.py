"""What the faulty endpoints and their twins take and answer."""

from pydantic import BaseModel, ConfigDict, Field

from target_app.parameters import RowId, ShortText
from target_app.posts.schemas import PostSummary, TagRead
from target_app.users.schemas import UserSummary

MOST_ROWS = 100
"""Rows that one request may write, as many as a page may show."""


class AuthorWithPosts(UserSummary):
    """A user and the posts written by that user."""

    posts: list[PostSummary]


class PostWithAuthor(PostSummary):
    """A post and its author."""

    author: UserSummary


class PostWithTags(PostSummary):
    """A post and its tags."""

    tags: list[TagRead]


class PostWithBody(PostSummary):
    """A post and its text."""

    body: str


class PostWithCommentCount(PostSummary):
    """A post and how many comments it has."""

    comment_count: int


class CommentText(BaseModel):
    """A comment inside another answer."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    body: str


class CommentWithReplies(CommentText):
    """A comment and the replies to it."""

    replies: list[CommentText]


class PostWithComments(PostSummary):
    """A post and its comments."""

    comments: list[CommentText]


class AuthorWithThreads(UserSummary):
    """A user, the posts written by that user, and what others said below them."""

    posts: list[PostWithComments]


class Accepted(BaseModel):
    """The work has been taken on and is done after the answer."""

    status: str = "accepted"


class NewTodos(BaseModel):
    """Several todos of one owner."""

    owner_id: RowId
    titles: list[ShortText] = Field(min_length=1, max_length=MOST_ROWS)


class DoneTodos(BaseModel):
    """The todos that are done."""

    todo_ids: set[RowId] = Field(min_length=1, max_length=MOST_ROWS)


class Written(BaseModel):
    """How many rows were written."""

    rows: int
