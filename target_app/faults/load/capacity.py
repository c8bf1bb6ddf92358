"""Workloads whose capacity is known, to check a measurement of capacity with.

No faults, so no twins: what a request waits for is said in its parameters, and the throughput that
it cannot exceed follows by arithmetic.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import BaseModel
from sqlalchemy import func, select

from target_app.db import Session
from target_app.faults.catalogue import Workload
from target_app.faults.load.sync_on_loop import compute
from target_app.faults.load.work import Milliseconds, sleep_in_database
from target_app.faults.schemas import Accepted

_MILLISECONDS = 40
# The first half of the key of an advisory lock; the second is one of the request's keys.
_LOCK_SPACE = 0x10AD


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.turns = count()
    yield


router = APIRouter(lifespan=_lifespan)

LOCKS = Workload(
    path="/capacity/locks",
    work="takes one of `keys` advisory locks, in turn, and sleeps in the transaction",
    limit="keys / milliseconds: from `keys` connections on, more of them only wait",
)
SLEEP = Workload(
    path="/capacity/sleep",
    work="sleeps in the database, and shares nothing with other requests",
    limit="connections / milliseconds: every further connection adds as much as the first",
)
CPU = Workload(
    path="/capacity/cpu",
    work="computes on the event loop, without the database",
    limit="processes / milliseconds: connections add nothing",
)
WORKLOADS = (LOCKS, SLEEP, CPU)


class TakenLock(BaseModel):
    """Which lock the request had."""

    key: int


@router.get(LOCKS.path)
async def sleep_with_a_lock(
    request: Request,
    session: Session,
    keys: Annotated[int, Query(ge=1, le=1_000)] = 8,
    milliseconds: Milliseconds = _MILLISECONDS,
) -> TakenLock:
    """Have exactly `keys` requests work at a time, however many connections there are.

    In turn and not at random: dice leave some keys idle while others have a queue. Measured with
    random keys, 8 of them and 40 ms, throughput still grew from 121 to 172 requests per second
    after the eighth connection. The turn is taken with the connection in hand, so that those who
    wait for one do not mix up the order. Several processes each have an order of their own.
    """
    await session.connection()
    turns: Iterator[int] = request.app.state.turns
    key = next(turns) % keys
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK_SPACE, key)))
    await sleep_in_database(session, milliseconds)
    return TakenLock(key=key)


@router.get(SLEEP.path)
async def sleep_without_a_lock(
    session: Session, milliseconds: Milliseconds = _MILLISECONDS
) -> Accepted:
    """Sleep in the database, as many at a time as there are connections."""
    await sleep_in_database(session, milliseconds)
    return Accepted()


@router.get(CPU.path)
async def compute_without_the_database(milliseconds: Milliseconds = _MILLISECONDS) -> Accepted:
    """Compute on the event loop: one request at a time per process."""
    compute(milliseconds)
    return Accepted()
