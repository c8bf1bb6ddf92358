"""End the application's connections from the server's side, as a failover or an operator does.

``pg_terminate_backend`` is what poolers, failovers and impatient administrators come down to: the
next use of the connection fails with 57P01, or with a closed connection, and a pool that does not
look first hands the dead ones out one by one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy import URL

from harness.errors import HarnessError
from harness.rig.trouble.line import Line, connected, refusals_explained
from harness.rig.trouble.own_loop import own_loop, run_apart
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["Kill", "Killed", "kill_backends", "killing_backends"]

_GONE_SECONDS = 5.0
_POLL_SECONDS = 0.01
_REMEDY = "GRANT pg_signal_backend TO it; backends of a superuser only a superuser can end"
# Whoever may not see other roles' backends gets NULL for their type. The oldest first, so that a
# share of them is the same one whoever asks.
_THEIRS = """
SELECT pid, coalesce(state, 'hidden') AS state FROM pg_stat_activity
WHERE datname = current_database() AND coalesce(backend_type, 'client backend') = 'client backend'
AND pid <> pg_backend_pid() AND NOT pid = ANY($1::int[])
ORDER BY backend_start NULLS LAST, pid
"""
_KILL = "SELECT pg_terminate_backend($1)"
_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])"


@dataclass(frozen=True, slots=True)
class Killed:
    """A connection that was ended."""

    pid: int
    state: str
    """What it did, in the server's words: ``"idle"``, ``"active"``, ``"idle in transaction"``."""


@dataclass(frozen=True, slots=True)
class Kill:
    """What one stroke has ended."""

    at_seconds: float
    """On the clock of `time.monotonic`."""
    killed: tuple[Killed, ...]
    spared: int
    """Connections to the same database that were left alone by the share."""


def kill_backends(url: URL, *, share: float = 1.0, spare: Collection[int] = ()) -> Kill:
    """End connections to a database, and return when they are gone.

    Args:
        url: The application's database, as a role that may end its connections. Ours, which asks
            for it, is not among them.
        share: How many of them, from 0 to 1, rounded up; those that have lasted longest.
        spare: Server processes to leave alone, such as an observer's.

    Raises:
        CannotTroubleError: The role may not; or they did not go within five seconds.
        UnreachableTargetError: The server does not answer.
    """

    async def kill() -> Kill:
        async with connected(url) as line:
            return await _stroke(line, url, share, spare)

    return run_apart(kill)


@contextmanager
def killing_backends(
    url: URL, *, every_seconds: float, share: float = 1.0, spare: Collection[int] = ()
) -> Iterator[list[Kill]]:
    """End connections to a database again and again while the block lasts.

    Args:
        url: As for `kill_backends`.
        every_seconds: From one stroke to the next; the first comes at once.
        share: How many of the connections that there are each time.
        spare: As for `kill_backends`.

    Yields:
        What has been ended so far; it grows.

    Raises:
        CannotTroubleError: At once if the role may not, at the end if it went wrong later.
        UnreachableTargetError: As above.
    """
    kills = [kill_backends(url, share=share, spare=spare)]
    failures: list[HarnessError] = []

    async def go_on() -> None:
        try:
            async with connected(url) as line:
                while True:
                    await asyncio.sleep(every_seconds)
                    kills.append(await _stroke(line, url, share, spare))
        except HarnessError as error:
            failures.append(error)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            failures.append(CannotTroubleError(f"killing backends ended early: {error}"))

    with own_loop("harness kills backends") as loop:
        loop.start(go_on())
        yield kills
    if failures:
        raise failures[0]


async def _stroke(line: Line, url: URL, share: float, spare: Collection[int]) -> Kill:
    found = [Killed(row["pid"], row["state"]) for row in await line.fetch(_THEIRS, list(spare))]
    chosen = found[: math.ceil(len(found) * share)]
    moment = time.monotonic()
    with refusals_explained(url, "end the application's connections", remedy=_REMEDY):
        # False is one that has gone by itself meanwhile.
        killed = [each for each in chosen if await line.fetchval(_KILL, each.pid)]
    await _until_gone(line, [each.pid for each in killed])
    return Kill(moment, tuple(killed), spared=len(found) - len(chosen))


async def _until_gone(line: Line, pids: list[int]) -> None:
    deadline = time.monotonic() + _GONE_SECONDS
    while left := await line.fetchval(_LEFT, pids):
        if time.monotonic() > deadline:
            what = f"{left} of {len(pids)} connections did not end within {_GONE_SECONDS:.0f} s"
            raise CannotTroubleError(what)
        await asyncio.sleep(_POLL_SECONDS)
