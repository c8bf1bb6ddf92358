"""What clients send and receive about posts, comments and tags."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from target_app.parameters import LongText, RowId, ShortText
from target_app.users.schemas import UserSummary

TagName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,50}$")]
ImportKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,50}$")]


class PostCreate(BaseModel):
    """A new post; tags that do not exist yet are created."""

    author_id: RowId
    title: ShortText
    body: LongText
    tags: list[TagName] = Field(default=[], max_length=10)


class CommentCreate(BaseModel):
    """A new comment; with `parent_id`, a reply to that one."""

    author_id: RowId
    body: LongText
    parent_id: RowId | None = None


class ThreadComment(BaseModel):
    """A comment that has no id yet; it and its replies know each other by the client's keys."""

    key: ImportKey
    parent_key: ImportKey | None = None
    author_id: RowId
    body: LongText


class ThreadImport(BaseModel):
    """A whole thread, in any order."""

    comments: list[ThreadComment] = Field(min_length=1, max_length=500)


class ImportedComment(BaseModel):
    """Which id a comment of an import has got."""

    key: str
    id: int


class TagRead(BaseModel):
    """A tag."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class PostSummary(BaseModel):
    """A post inside another answer."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str


class PostRead(PostSummary):
    """A post in a listing."""

    created_at: datetime
    author: UserSummary
    tags: list[TagRead]


class CommentRead(BaseModel):
    """A comment."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    parent_id: int | None
    body: str
    created_at: datetime
    author: UserSummary


class PostDetail(PostRead):
    """A post with its text and its comments: a flat list, whose `parent_id` make it a tree."""

    body: str
    comments: list[CommentRead]
