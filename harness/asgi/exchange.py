"""One request and its response in ASGI's messages, from a server's side of the protocol.

Apart from any client library, so that the async and the sync client are the same server to the
application. It behaves as uvicorn does: the application runs in a task of its own, a body is held
back while nobody reads it, and a client that goes away is told by ``http.disconnect`` while what is
sent from then on is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from harness.capture.requests import ASGIApp, Message, Scope

__all__ = ["Exchange"]

# uvicorn holds a body back from here on: what is smaller never waits for its reader.
_MOST_UNREAD_BYTES = 64 * 1024


@dataclass(slots=True, eq=False)
class Exchange:
    """A request that an application is working on.

    Args:
        app: The application.
        scope: Of the request.
        request_body: Read as the application asks for it.
        read_seconds: How long to wait for each next part of the response; None for ever.
    """

    app: ASGIApp
    scope: Scope
    request_body: AsyncIterator[bytes]
    read_seconds: float | None = None
    status: int | None = None
    """Of the response, once it has begun."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_complete: bool = False
    """Whether the application has sent the end of the response."""
    is_disconnected: bool = False
    """Whether the client is gone."""
    task: asyncio.Task[None] = field(init=False)
    _is_request_read: bool = False
    _has_returned: bool = False
    _unread: deque[bytes] = field(default_factory=deque)
    _change: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once, when anything changes; whoever goes on waiting waits for the next one."""

    def begin(self) -> None:
        """Call the application, with a copy of the caller's context."""
        name = f"{self.scope['method']} {self.scope['path']}"
        self.task = asyncio.get_running_loop().create_task(self._serve(), name=name)

    async def started(self) -> bool:
        """Wait for the response to begin.

        Returns:
            False if the application has ended without one.

        Raises:
            TimeoutError: `read_seconds` have passed.
        """
        await self._arrival(lambda: self.status is not None)
        return self.status is not None

    async def chunk(self) -> bytes | None:
        """The next part of the body, as it was sent; None at its end.

        Raises:
            TimeoutError: `read_seconds` have passed.
        """
        await self._arrival(lambda: bool(self._unread) or self.is_complete)
        if not self._unread:
            return None
        sent = self._unread.popleft()
        self._notify()
        return sent

    async def ended(self) -> BaseException | None:
        """Wait until the application has done what comes after the response.

        Returns:
            What it raised.
        """
        await asyncio.wait([self.task])
        return self.failure

    @property
    def failure(self) -> BaseException | None:
        """What the application raised, if it has ended by that."""
        if not self.task.done() or self.task.cancelled():
            return None
        return self.task.exception()

    def disconnect(self) -> None:
        """Let the application know that the client is gone."""
        self.is_disconnected = True
        self._unread.clear()
        self._notify()

    async def _serve(self) -> None:
        try:
            await self.app(self.scope, self._receive, self._send)
        finally:
            self._has_returned = True
            self._notify()

    async def _receive(self) -> Message:
        if not (self._is_request_read or self._is_over()):
            chunk = await anext(self.request_body, None)
            self._is_request_read = chunk is None
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}
        await self._until(self._is_over)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self._until(self._has_room)
        if not self.is_disconnected:
            self._take(message)
            self._notify()

    def _take(self, message: Message) -> None:
        expected = "http.response.start" if self.status is None else "http.response.body"
        if message["type"] != expected or self.is_complete:
            came = " after the response was complete" if self.is_complete else ""
            raise RuntimeError(f"expected ASGI message {expected!r}, got {message['type']!r}{came}")
        if self.status is None:
            self.status = message["status"]
            self.headers = [*message.get("headers", ())]
            return
        body = message.get("body", b"")
        if body and self.scope["method"] != "HEAD":
            self._unread.append(body)
        self.is_complete = not message.get("more_body", False)

    def _has_room(self) -> bool:
        return self.is_disconnected or sum(map(len, self._unread)) <= _MOST_UNREAD_BYTES

    def _is_over(self) -> bool:
        return self.is_disconnected or self.is_complete

    async def _arrival(self, has_come: Callable[[], bool]) -> None:
        async with asyncio.timeout(self.read_seconds):
            await self._until(lambda: has_come() or self.is_disconnected or self._has_returned)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await self._change.wait()

    def _notify(self) -> None:
        self._change.set()
        self._change = asyncio.Event()
