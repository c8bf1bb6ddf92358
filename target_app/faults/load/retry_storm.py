"""A retry storm: whoever found no connection asks again, at once, and so do all the others.

An exhausted pool needs fewer requests; here each of them becomes several, and answers the client
when it has long gone. The twin says "not now" after the first timeout, and when to come back.
"""

import logging

from fastapi import APIRouter
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from target_app.db import Database, DatabaseOfApp
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
    sleep_in_database,
)

logger = logging.getLogger(__name__)
router = APIRouter()

ATTEMPTS = 4
"""How often a request asks the pool before it gives up."""

POOL_TIMEOUT = LoadFault(
    family="retry-storm",
    name="pool-timeout",
    cause=f"tries {ATTEMPTS} times to get a connection, without a pause between",
    symptom="a short peak becomes a long outage; failures take minutes and not seconds",
    signal=f"{ATTEMPTS} pool timeouts per failed request, which takes {ATTEMPTS} times as long",
    fix="503 with `Retry-After` after the first timeout",
)


@router.get(POOL_TIMEOUT.path)
async def count_with_retries(
    database: DatabaseOfApp, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """A pool timeout, retried at once.

    Where it was met: the timeout on a list of errors to retry (dagster #9908). It shows as more
    pool timeouts than failed requests, and as a recovery that takes longer than the peak.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return await _count_slowly(database, milliseconds)
        except PoolTimeoutError:
            logger.info("no connection at attempt %d of %d, trying again", attempt, ATTEMPTS)
    return await _count_slowly(database, milliseconds)


@router.get(POOL_TIMEOUT.twin_path)
async def count_or_shed(
    database: DatabaseOfApp, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `count_with_retries`: `target_app.errors` makes a 503 of the first timeout."""
    return await _count_slowly(database, milliseconds)


async def _count_slowly(database: Database, milliseconds: int) -> UserCount:
    async with database.sessions() as session:
        await sleep_in_database(session, milliseconds)
        return UserCount(users=await count_users(session))


FAULTS = (POOL_TIMEOUT,)
