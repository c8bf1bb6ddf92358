"""Work that lives as long as an event loop: entered on it, left on it, in one task.

Connections and lifespans belong to a loop, and under pytest loops come and go by rules of the
plugin in use. `asyncio.Runner` (and with it pytest-asyncio and anyio) cancels all tasks before it
closes a loop; a resident takes that cancellation as the signal to leave its contexts in order.
Code that cannot await gets a loop that is nobody's but the harness's, in a thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from harness.errors import SyncInAsyncError

__all__ = ["LoopThread", "Residents", "calling_thread"]

T = TypeVar("T")

calling_thread: contextvars.ContextVar[threading.Thread | None] = contextvars.ContextVar(
    "calling_thread", default=None
)
"""The thread that waits for what runs on a `LoopThread`."""


@dataclass(slots=True, eq=False)
class _Resident:
    """The task of one loop that holds contexts open."""

    _requests: asyncio.Queue[tuple[AbstractAsyncContextManager[Any], asyncio.Future[Any], bool]] = (
        field(default_factory=asyncio.Queue)
    )
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        # In a context of its own: it belongs to no request, whoever asked for it first.
        self.task = asyncio.get_running_loop().create_task(
            self._live(), name="harness resident", context=contextvars.Context()
        )

    async def enter(
        self, context: AbstractAsyncContextManager[T], *, is_left_first: bool = False
    ) -> T:
        entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._requests.put_nowait((context, entered, is_left_first))
        return await entered

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def _live(self) -> None:
        async with AsyncExitStack() as others, AsyncExitStack() as first:
            while True:
                try:
                    context, entered, is_left_first = await self._requests.get()
                except asyncio.CancelledError:
                    return  # the loop is about to close: leave all contexts
                try:
                    async with AsyncExitStack() as inner:
                        value = await inner.enter_async_context(context)
                        if not entered.cancelled():  # else whoever asked is gone: left at once
                            stack = first if is_left_first else others
                            stack.push_async_exit(inner.pop_all())
                            entered.set_result(value)
                except Exception as error:  # noqa: BLE001 - handed to whoever asked
                    if not entered.done():
                        entered.set_exception(error)


@dataclass(slots=True, eq=False)
class Residents:
    """One resident for each event loop that asked for one."""

    arriving: Callable[[asyncio.AbstractEventLoop], None] = lambda _: None
    """Told of an event loop before anything lives there."""
    _by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Resident] = field(
        default_factory=WeakKeyDictionary
    )

    async def enter(
        self, context: AbstractAsyncContextManager[T], *, is_left_first: bool = False
    ) -> T:
        """Enter a context that stays open until the running loop ends or `close` is called.

        Args:
            context: Entered and left in the resident's task.
            is_left_first: Whether it is left before all others, also those entered later.
        """
        loop = asyncio.get_running_loop()
        resident = self._by_loop.get(loop)
        if resident is None or resident.task.done():
            self.arriving(loop)
            resident = self._by_loop[loop] = _Resident()
        return await resident.enter(context, is_left_first=is_left_first)

    async def left(self) -> None:
        """Wait until the contexts of the running loop, which is about to end, have been left."""
        resident = self._by_loop.get(asyncio.get_running_loop())
        if resident is not None:
            await asyncio.wait([resident.task])

    def leave(self) -> None:
        """Leave the contexts of all loops now, wherever they run, and raise what that raised."""
        for loop, resident in list(self._by_loop.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(resident.leave(), loop).result()
            elif not loop.is_closed():
                loop.run_until_complete(resident.leave())
        for resident in self._by_loop.values():
            # Otherwise its loop ended without it.
            if resident.task.done() and not resident.task.cancelled():
                resident.task.result()

    def close(self) -> None:
        """Leave the contexts of all loops that are idle; the others leave theirs as they end."""
        for loop, resident in list(self._by_loop.items()):
            if loop.is_closed() or loop.is_running() or resident.task.done():
                continue
            resident.task.cancel()
            loop.run_until_complete(asyncio.wait([resident.task]))


@dataclass(slots=True, eq=False)
class LoopThread:
    """An event loop in a thread of its own, started on first use.

    Args:
        instead: What code that runs on an event loop should use, for the error's last line.
    """

    instead: str = "await it there"
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on this loop."""
        return self._thread is threading.current_thread()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, with a copy of the caller's context, and wait for it.

        Raises:
            SyncInAsyncError: The caller runs on an event loop itself, which would stand still.
        """
        if _is_on_a_loop():
            work.close()
            raise SyncInAsyncError(
                "a coroutine called what blocks until another event loop has answered: its own "
                "would stand still, and the two have different connections",
                remedy=self.instead,
            )
        context, loop = contextvars.copy_context(), self._started()
        context.run(calling_thread.set, threading.current_thread())
        running = context.run(asyncio.run_coroutine_threadsafe, work, loop)
        try:
            return running.result()
        except BaseException:  # the work's own, or Ctrl-C while it goes on
            running.cancel()
            raise

    def close(self) -> None:
        """End the loop: its tasks are cancelled, and its residents leave in order."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            self._loop = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._thread is None or self._loop is None:
                self._stop = asyncio.Event()
                started: Future[asyncio.AbstractEventLoop] = Future()
                # A daemon: an interpreter that ends without `close` must not wait for it.
                self._thread = threading.Thread(
                    target=self._live, args=[started], name="harness loop", daemon=True
                )
                self._thread.start()
                self._loop = started.result()
            return self._loop

    def _live(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        async def stay() -> None:
            started.set_result(asyncio.get_running_loop())
            await self._stop.wait()

        with asyncio.Runner() as runner:
            runner.run(stay())


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
