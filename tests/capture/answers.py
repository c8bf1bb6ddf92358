"""Response models whose validation loads a relationship: what serialisation runs SQL for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["UserOut"]


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    posts: list[PostOut]
