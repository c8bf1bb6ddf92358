"""An event loop in a thread of its own, for what has to go on while the caller does other things.

A proxy, or a row of connections that are only held, lives as long as a block of the caller's, who
may have a loop that is busy, or none. `harness.loops.LoopThread` is for code under test and refuses
callers that could await; this one takes any caller, and cancels what is left at the end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Calling", "own_loop", "run_apart"]

T = TypeVar("T")

_END_SECONDS = 10.0


class Calling:
    """Runs coroutines on the thread's loop, from any other thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call(self, work: Coroutine[Any, Any, T], *, within_seconds: float) -> T:
        """Run a coroutine to its end and return what it returns.

        Raises:
            TimeoutError: It did not end in time, and was cancelled.
        """
        begun = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return begun.result(within_seconds)
        except BaseException:  # an interrupt, too: nobody waits for it any more
            begun.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine until the block ends."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def cancel_all(self) -> None:
        """End what was started, and wait until it has ended."""
        self.call(_cancel_all(), within_seconds=_END_SECONDS)


@contextmanager
def own_loop(name: str) -> Iterator[Calling]:
    """A loop for the block; what still runs at its end is cancelled, and waited for.

    Args:
        name: Of the thread, for whoever looks at a dump of all stacks.
    """
    loop = asyncio.new_event_loop()
    # A daemon: an interpreter that is ended half way must not wait for it.
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    calling = Calling(loop)
    try:
        yield calling
    finally:
        try:
            calling.cancel_all()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_END_SECONDS)
            if not thread.is_alive():
                loop.close()


def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a loop that lives as long as it does, whatever the caller's loop does."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="harness-trouble") as executor:
        return executor.submit(lambda: asyncio.run(work())).result()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
