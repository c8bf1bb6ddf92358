"""The request types that every domain shares: row ids, text and pages.

A module of its own because PostgreSQL's limits are the same for every endpoint; without them
an id beyond `integer` or a NUL character would surface as a driver error, a 500.
"""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

LARGEST_INTEGER = 2**31 - 1

RowId = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
"""An id inside a request body."""

PathId = Annotated[int, Path(ge=1, le=LARGEST_INTEGER)]
"""An id inside a path."""

ShortText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""One line: a name or a title. PostgreSQL's text cannot hold NUL."""

LongText = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]
"""A post's or a comment's body."""


class Pagination(BaseModel):
    """Which part of a listing to return; listings are ordered by id."""

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=LARGEST_INTEGER)


Page = Annotated[Pagination, Query()]
"""The pagination of a request, from its query string."""
