"""An application that starts itself: its lifespan runs before the first request.

In-process clients send no lifespan events. Wrapping the application, instead of making a client of
our own, serves every client: httpx, Starlette's TestClient, a user's own transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from harness.asgi.lifespan import lifespan
from harness.capture.requests import ASGIApp, Receive, Scope, Send

__all__ = ["Keeper", "RunningApp"]

T = TypeVar("T")


class Keeper(Protocol):
    """Keeps what has been started: for as long as its event loop lives, or for a test."""

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context, and leave it when the time has come."""
        ...


@dataclass(slots=True, eq=False)
class RunningApp:
    """An ASGI application whose lifespan is run on first use.

    Args:
        app: The application.
        keeper: Keeps the lifespan, of which there is one on each event loop.
        around_lifespan: Entered around the whole of it, e.g. to write base-line rows.
        around_work: Entered around start-up, and again around shutdown.
    """

    app: ASGIApp
    keeper: Keeper
    around_lifespan: Callable[[], AbstractContextManager[None]] = nullcontext
    around_work: Callable[[], AbstractContextManager[None]] = nullcontext
    test: Callable[[], object] = lambda: None
    """The running test, where each has a lifespan of its own, beside that of wider fixtures."""
    _states: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, dict[str, Any]]] = field(
        default_factory=WeakKeyDictionary
    )
    _starting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = field(
        default_factory=WeakKeyDictionary
    )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, after the application has started."""
        if scope["type"] != "lifespan":
            scope["state"] = {**await self._state(), **scope.get("state", {})}
        await self.app(scope, receive, send)

    async def started(self) -> None:
        """Wait until the application has started on the running loop."""
        await self._state()

    async def begun(self) -> None:
        """Start the application on the running loop, unless it has started or is starting there.

        For who blocks a thread that the starting application may be waiting for.
        """
        if asyncio.get_running_loop() not in self._starting:
            await self._state()

    async def _state(self) -> dict[str, Any]:
        loop, test = asyncio.get_running_loop(), self.test()
        states = self._states.setdefault(loop, {})
        async with self._starting.setdefault(loop, asyncio.Lock()):
            if test not in states:
                await self.keeper.enter(self._living(states, test))
            return states[test]

    @asynccontextmanager
    async def _living(
        self, states: dict[object, dict[str, Any]], test: object
    ) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(self.around_lifespan())
            with self.around_work():
                states[test] = await stack.enter_async_context(lifespan(self.app))
            try:
                yield
            finally:
                del states[test]
                with self.around_work():
                    await stack.aclose()
