"""The event loop, blocked: while one request does this, no other request does anything.

Not even those that need no database: the health check stands still too. More connections, or a
larger pool, cannot help. The twins wait where waiting is free: in a thread, or in an `await`.
"""

import asyncio
import hashlib
import time

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session as SyncSession

from target_app.db import BlockingSession
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.work import (
    DEFAULT_MILLISECONDS,
    Milliseconds,
    UserCount,
    count_users_blocking,
    sleep_in_process,
)
from target_app.faults.schemas import Accepted

router = APIRouter()

_FAMILY = "sync-on-loop"

# One round of hashing takes about a millisecond, so the work ends close to the time asked for.
_ITERATIONS_PER_ROUND = 2_000

SESSION = LoadFault(
    family=_FAMILY,
    name="session",
    cause="an `async def` endpoint runs its queries in a sync session",
    symptom="every request waits for every query; under load even the health check times out",
    signal="the loop stands still in the driver; never more than one statement runs at a time",
    fix="`def` instead of `async def`, or an async session",
)


@router.get(SESSION.path)
async def count_on_the_loop(
    session: BlockingSession, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """Blocking queries in a coroutine.

    Where it was met: an application on sync SQLAlchemy whose endpoints became `async def`
    (open-webui #11233). It shows as a loop that stands still for the time of each query; with the
    pool used up, for the pool's timeout, one request after the other.
    """
    return _count_slowly(session, milliseconds)


@router.get(SESSION.twin_path)
def count_in_a_thread(
    session: BlockingSession, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> UserCount:
    """The twin of `count_on_the_loop`."""
    return _count_slowly(session, milliseconds)


def _count_slowly(session: SyncSession, milliseconds: int) -> UserCount:
    session.execute(select(func.pg_sleep(milliseconds / 1000)))
    return UserCount(users=count_users_blocking(session))


SLEEP = LoadFault(
    family=_FAMILY,
    name="sleep",
    cause="calls `time.sleep`, or anything else that waits without `await`, in `async def`",
    symptom="throughput is one request at a time, with an idle process and an idle database",
    signal="the loop stands still; no processor time is used",
    fix="`await asyncio.sleep`, or a client that awaits",
)


@router.get(SLEEP.path)
async def wait_on_the_loop(milliseconds: Milliseconds = DEFAULT_MILLISECONDS) -> Accepted:
    """A wait that blocks.

    Where it was met: `requests`, a file share or a retry with a pause, inside of `async def`. It
    shows as a loop that stands still while nothing in the machine is busy.
    """
    time.sleep(milliseconds / 1000)  # noqa: ASYNC251 - the fault
    return Accepted()


@router.get(SLEEP.twin_path)
async def wait_beside_the_loop(milliseconds: Milliseconds = DEFAULT_MILLISECONDS) -> Accepted:
    """The twin of `wait_on_the_loop`."""
    await sleep_in_process(milliseconds)
    return Accepted()


CPU = LoadFault(
    family=_FAMILY,
    name="cpu",
    cause="computes for long in `async def`",
    symptom="short requests are as slow as the long one that runs beside them",
    signal="the loop stands still; one processor is busy",
    fix="`asyncio.to_thread`, where the computation lets go of the interpreter; else a process",
)


@router.get(CPU.path)
async def compute_on_the_loop(milliseconds: Milliseconds = DEFAULT_MILLISECONDS) -> Accepted:
    """A computation that does not let go.

    Where it was met: passwords hashed in the coroutine that signs users in. It shows as a loop that
    stands still, while one processor is busy.
    """
    compute(milliseconds)
    return Accepted()


@router.get(CPU.twin_path)
async def compute_in_a_thread(milliseconds: Milliseconds = DEFAULT_MILLISECONDS) -> Accepted:
    """The twin of `compute_on_the_loop`; hashing lets the loop's thread run meanwhile."""
    await asyncio.to_thread(compute, milliseconds)
    return Accepted()


def compute(milliseconds: int) -> None:
    """Use up so much time of a processor, measured by the thread's own clock."""
    until = time.thread_time() + milliseconds / 1000
    while time.thread_time() < until:
        hashlib.pbkdf2_hmac("sha256", b"work", b"salt", _ITERATIONS_PER_ROUND)


FAULTS = (SESSION, SLEEP, CPU)
