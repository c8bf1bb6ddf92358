"""What clients send and receive about users.

Requests and answers apart: a password is only ever received, as a `SecretStr` that shows asterisks
wherever it is printed; its hash is not in any of these models.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from target_app.parameters import ShortText

Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]

# The upper bound: what is hashed costs time, so nobody may send a book.
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]


class UserCreate(BaseModel):
    """A new user."""

    email: Email
    name: ShortText
    password: Password


class UserChanges(BaseModel):
    """What shall be different; what is not sent stays as it is.

    The defaults are never used, because only what was sent is read (`exclude_unset`). They are
    not `None`: null would then be valid, and the columns cannot hold it.
    """

    email: Email = Field(default_factory=str)
    name: ShortText = Field(default_factory=str)
    password: Password = Field(default_factory=lambda: SecretStr(""))


class Credentials(BaseModel):
    """What a user proves to be that user with."""

    email: Email
    password: Annotated[SecretStr, Field(max_length=128)]


class UserSummary(BaseModel):
    """A user inside another answer."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class UserRead(UserSummary):
    """A user."""

    email: str
    created_at: datetime
