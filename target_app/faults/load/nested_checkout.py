"""Nested checkouts: a request that holds a connection asks the same pool for another.

As many requests at once as the pool has connections, and each holds one and waits for one: a
deadlock, which only the pool's timeout ends. For `t` requests that hold `c` connections each, the
smallest pool without it has `t * (c - 1) + 1`. As measured: ten requests of two connections stood
still with a pool of 10 and ran through with 11. The twins pass their session down.
"""

from fastapi import APIRouter

from target_app.db import DatabaseOfApp, Session
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users,
    sleep_in_database,
)

router = APIRouter()

_FAMILY = "nested-checkout"

TWO = LoadFault(
    family=_FAMILY,
    name="two",
    cause="opens a second session while the request's own holds its connection",
    symptom="fast, until as many requests come at once as the pool has connections: then nothing",
    signal="two connections per request; at the standstill all are idle in transaction",
    fix="the session is passed to whatever needs it",
)


@router.get(TWO.path)
async def audit_in_a_second_session(
    session: Session, database: DatabaseOfApp, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """A function that opens a session for itself, called with one open.

    Where it was met: two dependencies with a connection each (the RealWorld example application
    for FastAPI, #64). It shows as a throughput of zero for as long as the pool waits.
    """
    await sleep_in_database(session, milliseconds)
    async with database.sessions() as audit:
        await sleep_in_database(audit, milliseconds)
        return UserCount(users=await count_users(audit))


@router.get(TWO.twin_path)
async def audit_in_the_same_session(
    session: Session, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `audit_in_a_second_session`."""
    await sleep_in_database(session, milliseconds)
    await sleep_in_database(session, milliseconds)
    return UserCount(users=await count_users(session))


THREE = LoadFault(
    family=_FAMILY,
    name="three",
    cause="opens a session inside a session inside the request's own",
    symptom="stands still with half as many requests at once as `two`",
    signal="three connections per request; at the standstill all are idle in transaction",
    fix="the session is passed to whatever needs it",
)


@router.get(THREE.path)
async def permit_and_audit_in_sessions_of_their_own(
    session: Session, database: DatabaseOfApp, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The same with three levels.

    Where it was met: tracing that opens four to six sessions per request (mcp-context-forge
    #4645). It shows earlier: five requests need eleven connections to be safe.
    """
    await sleep_in_database(session, milliseconds)
    async with database.sessions() as permission:
        await sleep_in_database(permission, milliseconds)
        async with database.sessions() as audit:
            await sleep_in_database(audit, milliseconds)
            return UserCount(users=await count_users(audit))


@router.get(THREE.twin_path)
async def permit_and_audit_in_the_same_session(
    session: Session, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `permit_and_audit_in_sessions_of_their_own`."""
    for _ in range(3):
        await sleep_in_database(session, milliseconds)
    return UserCount(users=await count_users(session))


FAULTS = (TWO, THREE)
