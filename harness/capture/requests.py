"""Which request the application is working on: a pure ASGI wrapper and a context variable.

The variable holds one mutable object, so that tasks, threads and greenlets that copy the context
all see the same request, and so that what routing puts into the scope later (the route, the
endpoint) is read when the request has ended. A wrapper, not Starlette's ``BaseHTTPMiddleware``:
that one moves the endpoint into another task.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import get_ident
from time import perf_counter
from types import CodeType, FrameType
from typing import Any, Protocol
from weakref import ReferenceType, ref

from harness.capture.called import called_through
from harness.capture.recording import RequestRecord
from harness.capture.routing import Scope, endpoint_line, named, template_of
from harness.capture.sockets import ActiveSocket, current_socket
from harness.capture.usage import Usage
from harness.findings import SourceLine

__all__ = [
    "ASGIApp",
    "ActiveRequest",
    "RequestTracker",
    "Scope",
    "active_request",
    "current_lifespan",
    "current_request",
    "route_of_stack",
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
    status: int | None = None
    is_answered: bool = False
    """Whether the response has been started: what runs now no longer delays the client."""
    statements: int = 0
    """Counted by whoever keeps no records."""
    round_trips: int = 0
    answered_seconds: float | None = None
    """When the last part of the response was sent."""
    when_answered: tuple[Callable[[], None], ...] = ()
    """Called just before that."""
    own_task: ReferenceType[asyncio.Task[Any]] | None = None
    """The task in which it came."""
    own_thread: int = 0
    """The thread of that task."""
    socket: int | None = None
    """Number of the first exchange of its WebSocket."""
    ended_seconds: float | None = None
    """When the work on it was done, if that is before it ends."""
    has_ended: bool = False
    """Whether its ASGI call has returned or raised."""
    usage: Usage = field(default_factory=Usage)

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


def active_request() -> ActiveRequest | None:
    """The request that the context carries, or the exchange of its WebSocket."""
    request = current_request.get()
    if request is None:
        socket = current_socket.get()
        return None if socket is None else socket.exchange
    return request


class RequestObserver(Protocol):
    """Whoever wants to hear of requests."""

    def on_request(self, request: ActiveRequest) -> None:
        """Called when the ASGI call of a request has returned or raised."""


@dataclass(slots=True)
class RequestTracker:
    """Wraps an ASGI application and tells observers of every request that it served."""

    starting: Callable[[ActiveRequest, Message], Message] | None = None
    """Called with the start of each response, which it may replace."""
    under_way: int = 0
    """Requests that the application is working on, without WebSockets."""
    _observers: list[RequestObserver] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _sockets: set[ActiveSocket] = field(default_factory=set)
    _followed: list[object] = field(default_factory=list)
    _following: ExitStack = field(default_factory=ExitStack)

    @property
    def open_exchanges(self) -> tuple[ActiveRequest, ...]:
        """What is under way on WebSockets: nobody has been told of it yet, and it may last."""
        return tuple(socket.exchange for socket in tuple(self._sockets))

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

    def following(self, app: object) -> AbstractContextManager[None]:
        """Track an application inside a block, whoever calls it."""
        return called_through(app, self.wrap, is_known=_is_at_work)

    def follow(self, app: object) -> None:
        """Track an application from now on until `close`."""
        if not any(known is app for known in self._followed):
            self._followed.append(app)
            self._following.enter_context(self.following(app))

    def close(self) -> None:
        """Leave the applications that were followed."""
        self._following.close()
        self._followed.clear()

    def begin(self, scope: Scope) -> ActiveRequest:
        """A new request; its scope is read again when it ends."""
        try:
            task = asyncio.current_task()
        except RuntimeError:  # outside of a loop, or on one that is not asyncio's
            task = None
        return ActiveRequest(
            next(self._numbers),
            scope,
            perf_counter(),
            own_task=ref(task) if task is not None else None,
            own_thread=get_ident(),
        )

    @contextmanager
    def talking(self, scope: Scope) -> Iterator[ActiveSocket]:
        """A WebSocket connection, whose exchanges are requests."""
        first = self.begin(scope)
        first.socket = first.number

        def begin() -> ActiveRequest:
            exchange = self.begin(scope)
            exchange.own_task, exchange.socket = first.own_task, first.socket
            exchange.own_thread = first.own_thread
            return exchange

        socket = ActiveSocket(first, begin, self.end)
        self._sockets.add(socket)
        token = current_socket.set(socket)
        try:
            yield socket
        finally:
            current_socket.reset(token)
            self._sockets.discard(socket)
            socket.close()

    def end(self, request: ActiveRequest) -> None:
        """Tell the observers."""
        request.has_ended = True
        for observer in tuple(self._observers):
            observer.on_request(request)


@dataclass(frozen=True, slots=True)
class _TrackedApp:
    app: ASGIApp
    tracker: RequestTracker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._talk(scope, receive, send)
            return
        # Here and not in a function of its own: each frame of ours is one more to resume whenever
        # the application has waited for something.
        tracker = self.tracker
        request = tracker.begin(scope)

        def send_and_note(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                request.is_answered = True
                if tracker.starting is not None:
                    message = tracker.starting(request, message)
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                request.answer()
            return send(message)

        token = current_request.set(request)
        tracker.under_way += 1
        try:
            await self.app(scope, receive, send_and_note)
        finally:
            tracker.under_way -= 1
            current_request.reset(token)
            tracker.end(request)

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.tracker.talking(scope) as socket:

            async def receive_and_note() -> Message:
                socket.ask()
                message = await receive()
                socket.hear(message)
                return message

            async def send_and_note(message: Message) -> None:
                socket.say(message)
                await send(message)

            await self.app(scope, receive_and_note, send_and_note)

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


def route_of_stack(frame: FrameType | None) -> str:
    """``GET /template`` of the request that a stack works for; empty where it shows none.

    Found by our own frame around the application: a thread that looks at the stack of another has
    no access to its context.
    """
    served = _TrackedApp.__call__.__code__
    while frame is not None:
        if frame.f_code is served:
            request: ActiveRequest | None = frame.f_locals.get("request")
            return f"{request.method} {request.route}" if request is not None else ""
        frame = frame.f_back
    return ""


def _is_at_work() -> bool:
    return active_request() is not None or current_lifespan.get() is not None
