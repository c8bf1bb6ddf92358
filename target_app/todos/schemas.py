"""What clients send and receive about todos."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from target_app.parameters import Pagination, RowId, ShortText

# A day inside what `datetime` can hold: psycopg converts to the time zone of the server, and at
# the very end of the calendar that overflows, a 500.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


DueMoment = Annotated[AwareDatetime, Field(ge=_EARLIEST, le=_LATEST), AfterValidator(_in_utc)]
"""A moment that a client sends; without a time zone nobody could know which one."""


class TodoCreate(BaseModel):
    """A new todo; it is not done."""

    owner_id: RowId
    title: ShortText
    due_at: DueMoment | None = None


class TodoChanges(BaseModel):
    """What shall be different; what is not sent stays as it is, and null means "not due".

    The defaults are never used, because only what was sent is read (`exclude_unset`).
    """

    title: ShortText = Field(default_factory=str)
    done: bool = Field(default_factory=bool)
    due_at: DueMoment | None = None


class TodoFilter(Pagination):
    """Which todos to list; what is not sent does not matter."""

    owner_id: RowId | None = None
    done: bool | None = None


class TodoRead(BaseModel):
    """A todo."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    owner_id: int
    title: str
    done: bool
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Completion(BaseModel):
    """Whose open todos are done now."""

    owner_id: RowId


class Completed(BaseModel):
    """How many todos were open and are done now."""

    completed: int
