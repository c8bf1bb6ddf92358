"""The database that one test has for itself: who is connected to it, and when that ends.

Connections to it are real ones, of the driver's own, in the application's pools. They must be gone
before the database is: sessions and idle connections are closed at the end of the test, or before
their loop ends, whichever comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from harness.loops import Residents

__all__ = ["OwnConnections", "OwnDatabase"]

_LONGEST_CLOSING_SECONDS = 10


class OwnDatabase(Protocol):
    """A database that one test has for itself."""

    @property
    def is_made(self) -> bool:
        """Whether somebody has asked for it."""
        ...

    def name(self) -> str:
        """What it is called; it is made when this is first asked, in whatever thread."""
        ...

    async def before_it_is_made(self) -> None:
        """Do what has to be in it: awaited where the first to ask can wait."""
        ...


@dataclass(slots=True, eq=False)
class OwnConnections:
    """The pooled connections to the databases that tests have for themselves.

    Args:
        residents: Run what has to be done before a loop ends.
        closers: Of the test's sessions, to be awaited when it is over.
    """

    residents: Residents
    closers: list[Callable[[], Awaitable[None]]]
    database: OwnDatabase | None = None
    """Of the running test; None where it is rolled back."""
    _pooled: WeakKeyDictionary[ConnectionPoolEntry, asyncio.AbstractEventLoop | None] = field(
        default_factory=WeakKeyDictionary
    )
    """By the loop that they belong to; None where the driver is not asynchronous."""
    _loops: WeakSet[asyncio.AbstractEventLoop] = field(default_factory=WeakSet)
    """That close what a test has opened before they end."""
    _used: list[asyncio.AbstractEventLoop] = field(default_factory=list)
    """By the running test, in the order of its first connections: sessions are closed on the loop
    that they were used on."""

    async def ready(self, database: OwnDatabase) -> None:
        """Wait for whatever has to be in it; and see to it that what is opened is closed."""
        if not database.is_made:
            await database.before_it_is_made()
        loop = asyncio.get_running_loop()
        if loop not in self._used:
            self._used.append(loop)
        if loop not in self._loops:
            self._loops.add(loop)
            await self.residents.enter(self._closing())

    def note(self, entry: ConnectionPoolEntry, loop: asyncio.AbstractEventLoop | None) -> None:
        """A pool is about to have a connection to it."""
        self._pooled[entry] = loop

    def end_test(self) -> None:
        """Close sessions and idle connections: the database is about to go."""
        if self.database is None:
            return
        used, self._used = self._used, []
        for loop in [loop for loop in used if not loop.is_closed()]:
            if loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(self._close(), loop)
                closing.result(timeout=_LONGEST_CLOSING_SECONDS)
            else:
                loop.run_until_complete(self._close())
        self._close_pooled(None)

    @asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self.database is not None:  # the loop ends within the test
                await self._close()

    async def _close(self) -> None:
        while self.closers:
            await self.closers.pop()()
        await greenlet_spawn(self._close_pooled, asyncio.get_running_loop())

    def _close_pooled(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The pools connect anew when they are asked."""
        mine = [entry for entry, home in self._pooled.items() if home is loop and not entry.in_use]
        for entry in mine:
            entry.invalidate()
            del self._pooled[entry]
