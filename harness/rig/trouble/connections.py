"""Leave the application no room on the server: all connections taken, or its role limited.

What a neighbour's deployment does that opens twice its usual connections: the server answers 53300
to whoever comes next. Connections that the application has open already are not touched; end them
(`backends`) to see what happens to a pool that has to start from nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy import URL

from harness.rig.trouble.line import Line, connected, new_line, refusals_explained, shown
from harness.rig.trouble.own_loop import own_loop, run_apart
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["TakenSlots", "role_limited", "slots_taken"]

_TAKE_SECONDS = 60.0
_GIVE_BACK_SECONDS = 10.0
_AT_ONCE = 8
_AGAIN_SECONDS = 0.05
_POLL_SECONDS = 0.01
_ROLE = "SELECT rolsuper, rolconnlimit FROM pg_roles WHERE rolname = $1"
_LIMIT = "SELECT format('ALTER ROLE %I CONNECTION LIMIT %s', $1::text, $2::int)"
_NO_ROOM = (asyncpg.TooManyConnectionsError,)


@dataclass(slots=True, eq=False)
class TakenSlots:
    """The connections that keep others out."""

    url: URL
    _held: list[Line] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there are at this moment."""
        return sum(not line.is_closed() for line in self._held)

    async def fill(self, leave: int) -> None:
        """Connect until the server refuses, then give some back."""
        await asyncio.gather(*(self._take_all() for _ in range(_AT_ONCE)))
        for line in self._held[:leave]:
            line.terminate()
        self._held = self._held[leave:]

    async def keep(self) -> None:
        """Take what others give back, too."""
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            try:
                await self._take_all()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                continue  # the server may be away for other reasons: another trouble

    async def _take_all(self) -> None:
        while True:
            try:
                self._held.append(await new_line(self.url))
            except _NO_ROOM:
                return

    async def give_back(self) -> None:
        """Close all of them, and wait until the server has room again."""
        for line in self._held:
            line.terminate()
        deadline = time.monotonic() + _GIVE_BACK_SECONDS
        while time.monotonic() < deadline:
            try:
                (await new_line(self.url)).terminate()
            except _NO_ROOM:
                await asyncio.sleep(_POLL_SECONDS)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return  # there is no server any more that could have too little room
            else:
                return


@contextmanager
def slots_taken(url: URL, *, leave: int = 0) -> Iterator[TakenSlots]:
    """Take every connection that a role can get, and those that others give back meanwhile.

    Args:
        url: The application's database, as the application's own role. The server keeps some
            connections for superusers: they stay free unless that role is one, which would get
            them, too. Connections that are needed meanwhile have to be open before.
        leave: How many to leave free; what others give back is left to them, then.

    Yields:
        What has been taken.

    Raises:
        CannotTroubleError: The server does not answer, or has room for ever.
    """
    taken = TakenSlots(url)
    with own_loop("harness takes connections") as loop:
        try:
            try:
                loop.call(taken.fill(leave), within_seconds=_TAKE_SECONDS)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                reason = str(error) or f"not all taken within {_TAKE_SECONDS:.0f} s"
                what = f"the server's connections could not be taken: {reason}"
                raise CannotTroubleError(what, where=shown(url)) from error
            if not leave:
                loop.start(taken.keep())
            yield taken
        finally:
            loop.cancel_all()
            loop.call(taken.give_back(), within_seconds=2 * _GIVE_BACK_SECONDS)


@contextmanager
def role_limited(url: URL, *, role: str, connections: int) -> Iterator[None]:
    """Let a role have so many connections and no more; the lighter way, which nobody else feels.

    Connections that it has already stay open, and count.

    Args:
        url: Any database of the server, as a role that may change the other one.
        role: The application's; not a superuser, whom no limit holds.
        connections: How many it may have. 0 is none.

    Raises:
        CannotTroubleError: There is no such role, it is a superuser, or we may not change it.
        UnreachableTargetError: The server does not answer.
    """
    before = run_apart(lambda: _limit_of(url, role))
    run_apart(lambda: _set_limit(url, role, connections))
    try:
        yield
    finally:
        run_apart(lambda: _set_limit(url, role, before))


async def _limit_of(url: URL, role: str) -> int:
    async with connected(url) as line:
        rows = await line.fetch(_ROLE, role)
    if not rows:
        raise CannotTroubleError(f"there is no role {role!r}", where=shown(url))
    if rows[0]["rolsuper"]:
        what = f"the role {role!r} is a superuser, whom no connection limit holds"
        remedy = "let the application connect as a role of its own, or take all connections"
        raise CannotTroubleError(what, where=shown(url), remedy=remedy)
    return int(rows[0]["rolconnlimit"])


async def _set_limit(url: URL, role: str, connections: int) -> None:
    remedy = "connect as a superuser, or as a role with CREATEROLE and ADMIN OPTION on it"
    async with connected(url) as line:
        with refusals_explained(url, f"change the role {role!r}", remedy=remedy):
            await line.execute(await line.fetchval(_LIMIT, role, connections))
