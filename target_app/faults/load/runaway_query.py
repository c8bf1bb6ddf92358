"""Runaway queries: nobody waits for the answer any more, and the database still works on it.

What limits them is `statement_timeout`, which this application sets for every connection (30 s);
these endpoints set their own. The bounds of the requests keep the faults from running for ever.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import Session
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
    sleep_in_database,
)

router = APIRouter()

_FAMILY = "runaway-query"

PATIENCE_MILLISECONDS = 250
"""What the twins grant a statement."""

# `SET LOCAL` takes no bind values; `set_config(..., is_local)` is the same and does.
_LIMIT = text("SELECT set_config('statement_timeout', :milliseconds, true)")

# Two lists and no condition between them: each row of one with each of the other. SQLAlchemy warns
# of it where it writes the SQL itself, and cannot where it is given as text.
_PAIRS = text("SELECT count(*) FROM generate_series(1, :rows) a, generate_series(1, :rows) b")

_SIGNAL = "statements that are active for longer than any request may take"
_FIX = "`statement_timeout`, shorter than the client's patience; the client gets a 503"

SLEEP = LoadFault(
    family=_FAMILY,
    name="sleep",
    cause="runs a statement that takes as long as it likes, with `statement_timeout = 0`",
    symptom="a few slow requests hold the whole pool, long after their clients have gone",
    signal=_SIGNAL,
    fix=_FIX,
)


@router.get(SLEEP.path)
async def count_without_a_limit(
    session: Session, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """A slow statement, on a connection without a limit.

    Where it was met: searches without an index, of a minute each, until the server had no
    connection left (fojin #737). It shows as active statements that are older than any request.
    """
    await _limit(session, 0)
    return await _count_slowly(session, milliseconds)


@router.get(SLEEP.twin_path)
async def count_within_a_limit(
    session: Session, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `count_without_a_limit`: the same answer in time, 503 instead of a late one."""
    await _limit(session, PATIENCE_MILLISECONDS)
    return await _count_slowly(session, milliseconds)


async def _count_slowly(session: AsyncSession, milliseconds: int) -> UserCount:
    await sleep_in_database(session, milliseconds)
    return UserCount(users=await count_users(session))


class PairCount(BaseModel):
    """How many pairs two lists have."""

    pairs: int


_Rows = Annotated[int, Query(ge=1, le=5_000)]

CARTESIAN = LoadFault(
    family=_FAMILY,
    name="cartesian",
    cause="forgets the condition of a join, with `statement_timeout = 0`",
    symptom="fast in a test with ten rows; with ten thousand the database does nothing else",
    signal=_SIGNAL + "; one processor of the database is busy for each",
    fix=_FIX,
)


@router.get(CARTESIAN.path)
async def pair_without_a_limit(session: Session, rows: _Rows = 300) -> PairCount:
    """A product of two lists, on a connection without a limit.

    Where it was met: a table in FROM that a filter named and no join did. It shows as a statement
    whose time grows with the square of the rows.
    """
    await _limit(session, 0)
    return await _pair(session, rows)


@router.get(CARTESIAN.twin_path)
async def pair_within_a_limit(session: Session, rows: _Rows = 300) -> PairCount:
    """The twin of `pair_without_a_limit`."""
    await _limit(session, PATIENCE_MILLISECONDS)
    return await _pair(session, rows)


async def _pair(session: AsyncSession, rows: int) -> PairCount:
    return PairCount(pairs=(await session.execute(_PAIRS, {"rows": rows})).scalar_one())


async def _limit(session: AsyncSession, milliseconds: int) -> None:
    await session.execute(_LIMIT, {"milliseconds": str(milliseconds)})


FAULTS = (SLEEP, CARTESIAN)
