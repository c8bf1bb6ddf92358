"""An application that starts itself: its lifespan runs before the first request on a loop.

In-process clients send no lifespan events. Wrapping the application, instead of making a client of
our own, serves every client: httpx, Starlette's TestClient, a user's own transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from harness.asgi.lifespan import lifespan
from harness.capture.requests import ASGIApp, Receive, Scope, Send
from harness.loops import Residents

__all__ = ["RunningApp"]


@dataclass(slots=True, eq=False)
class RunningApp:
    """An ASGI application whose lifespan is run on first use and ends with the event loop.

    Args:
        app: The application.
        residents: Keeps the lifespan for as long as the loop lives.
        around_lifespan: Entered around start-up and shutdown, e.g. to write base-line rows.
    """

    app: ASGIApp
    residents: Residents
    around_lifespan: Callable[[], AbstractContextManager[None]] = nullcontext
    _states: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Any]] = field(
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

    async def _state(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        async with self._starting.setdefault(loop, asyncio.Lock()):
            if loop not in self._states:
                self._states[loop] = await self.residents.enter(self._living())
            return self._states[loop]

    @asynccontextmanager
    async def _living(self) -> AsyncIterator[dict[str, Any]]:
        with self.around_lifespan():
            async with lifespan(self.app) as state:
                yield state
