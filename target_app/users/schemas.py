"""What clients send and receive about users."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from target_app.parameters import ShortText

Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]


class UserCreate(BaseModel):
    """A new user."""

    email: Email
    name: ShortText


class UserSummary(BaseModel):
    """A user inside another answer."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class UserRead(UserSummary):
    """A user."""

    email: str
    created_at: datetime
