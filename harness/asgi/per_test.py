"""Keeps an application's lifespan for one test: ``lifespan = "test"``.

A module of its own because of the order in which things end. A shutdown may work with the database,
so it comes before the test is undone; that happens at the end of the test, or as its event loop
ends, whichever is first, and on the loop that the application has started on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakSet

from harness.loops import Residents

__all__ = ["UntilTestEnds"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class UntilTestEnds:
    """Keeps what is started in a test until the test ends.

    Args:
        residents: What lives as long as an event loop, and is needed by what lives shorter.
        at_end: Has something called before the running test is undone; False if none is running.
    """

    residents: Residents
    at_end: Callable[[Callable[[], None]], bool]
    _tenants: Residents | None = None
    """Of the running test."""
    _guarded: WeakSet[asyncio.AbstractEventLoop] = field(default_factory=WeakSet)

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context; one that a wider fixture asks for stays as long as the loop."""
        if self._tenants is None:
            if not self.at_end(self._leave):
                return await self.residents.enter(context)
            self._tenants = Residents()
        tenants, loop = self._tenants, asyncio.get_running_loop()
        if loop not in self._guarded:
            self._guarded.add(loop)
            await self.residents.enter(self._tenants_first(), is_left_first=True)
        return await tenants.enter(context)

    def _leave(self) -> None:
        tenants, self._tenants = self._tenants, None
        if tenants is not None:
            tenants.leave()

    @asynccontextmanager
    async def _tenants_first(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            # The loop ends within the test, and has told the tenants, too: all at once.
            if self._tenants is not None:
                await self._tenants.left()
