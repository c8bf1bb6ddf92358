"""Work that lives as long as an event loop: entered on it, left on it, in one task.

Connections and lifespans belong to a loop, and under pytest loops come and go by rules of the
plugin in use. `asyncio.Runner` (and with it pytest-asyncio and anyio) cancels all tasks before it
closes a loop; a resident takes that cancellation as the signal to leave its contexts in order.
"""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Residents"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Resident:
    """The task of one loop that holds contexts open."""

    _requests: asyncio.Queue[tuple[AbstractAsyncContextManager[Any], asyncio.Future[Any]]] = field(
        default_factory=asyncio.Queue
    )
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        # In a context of its own: it belongs to no request, whoever asked for it first.
        self.task = asyncio.get_running_loop().create_task(
            self._live(), name="harness resident", context=contextvars.Context()
        )

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._requests.put_nowait((context, entered))
        return await entered

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            while True:
                try:
                    context, entered = await self._requests.get()
                except asyncio.CancelledError:
                    return  # the loop is about to close: leave all contexts
                try:
                    async with AsyncExitStack() as inner:
                        value = await inner.enter_async_context(context)
                        if not entered.cancelled():  # else whoever asked is gone: left at once
                            stack.push_async_exit(inner.pop_all())
                            entered.set_result(value)
                except Exception as error:  # noqa: BLE001 - handed to whoever asked
                    if not entered.done():
                        entered.set_exception(error)


@dataclass(slots=True, eq=False)
class Residents:
    """One resident for each event loop that asked for one."""

    _by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Resident] = field(
        default_factory=WeakKeyDictionary
    )

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context that stays open until the running loop ends or `close` is called."""
        loop = asyncio.get_running_loop()
        resident = self._by_loop.get(loop)
        if resident is None or resident.task.done():
            resident = self._by_loop[loop] = _Resident()
        return await resident.enter(context)

    def close(self) -> None:
        """Leave the contexts of all loops that are idle; the others leave theirs as they end."""
        for loop, resident in list(self._by_loop.items()):
            if loop.is_closed() or loop.is_running() or resident.task.done():
                continue
            resident.task.cancel()
            loop.run_until_complete(asyncio.wait([resident.task]))
