"""The work that the faults of this package do, and what they take and answer.

A module of its own because a fault and its twin must differ in nothing but the fault: both count
the users, and both are slow by the same number of milliseconds.
"""

import asyncio
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as SyncSession

from target_app.models import User

LONGEST_MILLISECONDS = 5_000
"""The longest that a request may ask to be slow: a fault must end by itself."""

Milliseconds = Annotated[int, Query(ge=0, le=LONGEST_MILLISECONDS)]
"""How long the slow part of the request takes."""

DEFAULT_MILLISECONDS = 50

_COUNT = select(func.count()).select_from(User)


class UserCount(BaseModel):
    """How many users there are."""

    users: int


async def count_users(session: AsyncSession) -> int:
    """Return the number of users; the session has a connection and a transaction from here on."""
    return (await session.execute(_COUNT)).scalar_one()


def count_users_blocking(session: SyncSession) -> int:
    """Return the number of users, in a thread or, where that is the fault, on the event loop."""
    return session.execute(_COUNT).scalar_one()


async def sleep_in_database(session: AsyncSession, milliseconds: int) -> None:
    """Run one slow statement: the connection is busy meanwhile, not only held."""
    await session.execute(select(func.pg_sleep(milliseconds / 1000)))


async def sleep_in_process(milliseconds: int) -> None:
    """Wait as code does that waits for something else than the database; the loop is free."""
    await asyncio.sleep(milliseconds / 1000)
