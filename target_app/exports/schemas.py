"""The lines of exports."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class CommentLine(BaseModel):
    """A comment."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    post_id: int
    author_id: int
    parent_id: int | None
    body: str
    created_at: datetime


class BalanceLine(BaseModel):
    """An account and what was on it at the moment of the export."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    owner_id: int
    balance_cents: int
