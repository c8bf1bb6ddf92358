"""Which request the application is working on: a context variable, and what is known of it.

The variable holds one mutable object, so that tasks, threads and greenlets that copy the context
all see the same request, and so that what routing puts into the scope later (the route, the
endpoint) is read when the request has ended. Beside `tracking`, which sets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from typing import Any
from weakref import ReferenceType

from harness.capture.recording import RequestRecord
from harness.capture.routing import Scope, endpoint_line, named, template_of
from harness.capture.sockets import current_socket
from harness.capture.usage import Usage
from harness.findings import SourceLine

__all__ = [
    "ASGIApp",
    "ActiveLifespan",
    "ActiveRequest",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "active_request",
    "current_lifespan",
    "current_request",
    "enter_request",
    "leave_request",
    "request_of_context",
]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True, eq=False)
class ActiveRequest:
    """A request that the application is working on."""

    number: int
    scope: Scope
    started_seconds: float
    own_task: ReferenceType[asyncio.Task[Any]] | None = None
    """The task in which it came."""
    own_thread: int = 0
    """The thread of that task."""
    tracker: object = None
    """Whose it is: a process may serve several applications that are watched apart."""
    usage: Usage = field(default_factory=Usage)
    status: int | None = None
    is_answered: bool = False
    """Whether the response has been started: what runs now no longer delays the client."""
    answered_seconds: float | None = None
    """When the last part of the response was sent."""
    when_answered: tuple[Callable[[], None], ...] = ()
    """Called just before that."""
    socket: int | None = None
    """Number of the first exchange of its WebSocket."""
    ended_seconds: float | None = None
    """When the work on it was done, if that is before it ends."""
    has_ended: bool = False
    """Whether its ASGI call has returned or raised."""

    @property
    def method(self) -> str:
        """``GET``, or ``WEBSOCKET``."""
        method: str = self.scope["method"] if self.socket is None else "WEBSOCKET"
        return method

    @property
    def is_routed(self) -> bool:
        """Whether a route has been found."""
        return "endpoint" in self.scope

    def answer(self) -> None:
        """The last part of the response is about to be sent."""
        if self.answered_seconds is None:
            for call in self.when_answered:
                call()
            self.answered_seconds = perf_counter()

    def let_go(self) -> None:
        """Keep of the scope what names the request, and let go of the application's state.

        A session in it that was never closed would otherwise live as long as we remember the
        request, and the garbage collector could not give its connection back.
        """
        self.scope = named(self.scope)

    def finish(self, describe: Callable[[CodeType], SourceLine]) -> RequestRecord:
        """What is known of the request now that its ASGI call has returned."""
        return RequestRecord(
            number=self.number,
            method=self.method,
            path=self.scope["path"],
            route=self.route,
            status=self.status,
            started_seconds=self.started_seconds,
            seconds=(self.ended_seconds or perf_counter()) - self.started_seconds,
            endpoint=endpoint_line(self.scope.get("endpoint"), describe),
            answered_seconds=self.answered_seconds,
            socket=self.socket,
        )

    @property
    def route(self) -> str:
        """Template of the matched route with the prefixes of mounts; known once routing ran."""
        template = template_of(self.scope)
        if template is None:
            return "(no route)"
        # A mount extends `root_path` and keeps what it was before, which is deployment, as
        # `app_root_path`; without a mount, all of `root_path` is deployment.
        root_path = self.scope.get("root_path", "")
        prefix = root_path.removeprefix(self.scope.get("app_root_path", root_path))
        return f"{prefix}{template}"


@dataclass(slots=True, eq=False)
class ActiveLifespan:
    """An application's lifespan, in the context of which its schedulers and workers are born."""

    is_working: bool = False
    """Whether it is starting up or shutting down: in between, what runs is the application's."""


current_request: ContextVar[ActiveRequest | None] = ContextVar("current_request", default=None)
current_lifespan: ContextVar[ActiveLifespan | None] = ContextVar("current_lifespan", default=None)


# At a third of the cost: looking up a method of C's takes longer than calling it.
request_of_context = current_request.get
enter_request, leave_request = current_request.set, current_request.reset


def active_request() -> ActiveRequest | None:
    """The request that the context carries, or the exchange of its WebSocket.

    What is called for every statement asks `request_of_context` first, which saves this call.
    """
    request = request_of_context()
    if request is None:
        socket = current_socket.get()
        return None if socket is None else socket.exchange
    return request
