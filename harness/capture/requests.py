"""Which request the application is working on: a pure ASGI wrapper and a context variable.

The variable holds one mutable object, so that tasks, threads and greenlets that copy the context
all see the same request, and so that what routing puts into the scope later (the route, the
endpoint) is read when the request has ended. A wrapper, not Starlette's ``BaseHTTPMiddleware``:
that one moves the endpoint into another task.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from typing import Any, Protocol

from harness.capture.recording import RequestRecord
from harness.findings import SourceLine

__all__ = [
    "ASGIApp",
    "ActiveRequest",
    "RequestTracker",
    "current_lifespan",
    "current_request",
    "is_in_websocket",
]

Scope = MutableMapping[str, Any]
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
    status: int | None = None
    is_answered: bool = False
    """Whether the response has been started: what runs now no longer delays the client."""
    statements: int = 0
    """Counted by whoever keeps no records."""
    round_trips: int = 0
    answered_seconds: float | None = None
    """When the last part of the response was sent."""
    when_answered: list[Callable[[], None]] = field(default_factory=list)
    """Called just before that."""

    def answer(self) -> None:
        """The last part of the response is about to be sent."""
        if self.answered_seconds is None:
            for call in self.when_answered:
                call()
            self.answered_seconds = perf_counter()

    def finish(self, describe: Callable[[CodeType], SourceLine]) -> RequestRecord:
        """What is known of the request now that its ASGI call has returned."""
        return RequestRecord(
            number=self.number,
            method=self.scope["method"],
            path=self.scope["path"],
            route=self.route,
            status=self.status,
            started_seconds=self.started_seconds,
            seconds=perf_counter() - self.started_seconds,
            endpoint=_endpoint_line(self.scope.get("endpoint"), describe),
            answered_seconds=self.answered_seconds,
        )

    @property
    def route(self) -> str:
        """Template of the matched route with the prefixes of mounts; known once routing ran."""
        template = _template(self.scope)
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
is_in_websocket: ContextVar[bool] = ContextVar("is_in_websocket", default=False)


class RequestObserver(Protocol):
    """Whoever wants to hear of requests."""

    def on_request(self, request: ActiveRequest) -> None:
        """Called when the ASGI call of a request has returned or raised."""


@dataclass(slots=True)
class RequestTracker:
    """Wraps an ASGI application and tells observers of every request that it served."""

    _observers: list[RequestObserver] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def observed_by(self, observer: RequestObserver) -> Iterator[None]:
        """Tell an observer of the requests that end inside the block."""
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """The application, tracked."""
        return _TrackedApp(app=app, tracker=self)

    def begin(self, scope: Scope) -> ActiveRequest:
        """A new request; its scope is read again when it ends."""
        return ActiveRequest(next(self._numbers), scope, perf_counter())

    def end(self, request: ActiveRequest) -> None:
        """Tell the observers."""
        for observer in tuple(self._observers):
            observer.on_request(request)


@dataclass(frozen=True, slots=True)
class _TrackedApp:
    app: ASGIApp
    tracker: RequestTracker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await self._talk(scope, receive, send)

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = is_in_websocket.set(True)
        try:
            await self.app(scope, receive, send)
        finally:
            is_in_websocket.reset(token)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        lifespan = ActiveLifespan()

        async def receive_and_note() -> Message:
            message = await receive()
            lifespan.is_working = True
            return message

        async def send_and_note(message: Message) -> None:
            lifespan.is_working = False
            await send(message)

        token = current_lifespan.set(lifespan)
        try:
            await self.app(scope, receive_and_note, send_and_note)
        finally:
            current_lifespan.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self.tracker.begin(scope)

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                request.is_answered = True
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                request.answer()
            await send(message)

        token = current_request.set(request)
        try:
            await self.app(scope, receive, send_and_note)
        finally:
            current_request.reset(token)
            self.tracker.end(request)


def _template(scope: Scope) -> str | None:
    route = scope.get("route")
    # Newer FastAPI includes routers without copying their routes: the route then knows only its
    # own part of the template, and this context of the scope knows the whole.
    included = scope.get("fastapi", {}).get("effective_route_context")
    if included is not None and getattr(included, "original_route", None) is route:
        route = included
    path: str | None = getattr(route, "path_format", None) or getattr(route, "path", None)
    return path


def _endpoint_line(
    endpoint: object, describe: Callable[[CodeType], SourceLine]
) -> SourceLine | None:
    function = inspect.unwrap(endpoint) if callable(endpoint) else None
    code = getattr(function, "__code__", None)
    return describe(code) if code is not None else None
