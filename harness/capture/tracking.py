"""Telling requests apart: a pure ASGI application around the user's.

Not Starlette's ``BaseHTTPMiddleware``: that one moves the endpoint into another task.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from time import perf_counter
from types import FrameType
from typing import Protocol
from weakref import ref

from harness.capture.called import called_through
from harness.capture.requests import (
    ActiveLifespan,
    ActiveRequest,
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
    active_request,
    current_lifespan,
    enter_request,
    leave_request,
    request_of_context,
)
from harness.capture.sockets import ActiveSocket, current_socket

__all__ = ["TRACKED", "RequestTracker", "TrackedApp", "route_of_stack"]

TRACKED = "harness.tracked"
"""In the scope of what is tracked. Its context would not tell: on asyncio, uvicorn calls what comes
behind a long body on the same connection in the context of the request that had sent that body, and
what was pipelined in that of the one before."""


class RequestObserver(Protocol):
    """Whoever wants to hear of requests."""

    def on_request(self, request: ActiveRequest) -> None:
        """Called when the ASGI call of a request has returned or raised."""


@dataclass(slots=True)
class RequestTracker:
    """Wraps an ASGI application and tells observers of every request that it served."""

    under_way: int = 0
    """Requests that the application is working on, without WebSockets."""
    _observers: tuple[RequestObserver, ...] = ()
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
        self._observers = (*self._observers, observer)
        try:
            yield
        finally:
            self._observers = tuple(one for one in self._observers if one is not observer)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """The application, tracked."""
        return TrackedApp(app, self)

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
        own_task = ref(task) if task is not None else None
        number, now_seconds = next(self._numbers), perf_counter()
        return ActiveRequest(number, scope, now_seconds, own_task, get_ident(), self)

    def active(self) -> ActiveRequest | None:
        """The request that is being worked on, if it came through this tracker."""
        request = request_of_context() or active_request()
        return request if request is not None and request.tracker is self else None

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
        for observer in self._observers:
            observer.on_request(request)


class TrackedApp:
    """An application around which requests are tracked.

    Whoever wants to do more with them than to look derives from it: a second wrapper would be a
    frame more to resume whenever the application has waited for something.
    """

    def __init__(self, app: ASGIApp, tracker: RequestTracker) -> None:
        self._app = app
        self._tracker = tracker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer."""
        other = self.instead(scope)
        if other is not None:
            await other(scope, receive, send)
            return
        scope[TRACKED] = True
        if scope["type"] != "http":
            try:
                whole = self.live if scope["type"] == "lifespan" else self.talk
                await whole(scope, receive, send)
            finally:
                scope.pop(TRACKED, None)
            return
        app, tracker = self._app, self._tracker
        request = tracker.begin(scope)

        def send_and_note(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                request.is_answered = True
                message = self.starting(request, message)
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                request.answer()
            return send(message)

        token = enter_request(request)
        tracker.under_way += 1
        try:
            await app(scope, receive, send_and_note)
        finally:
            tracker.under_way -= 1
            leave_request(token)
            scope.pop(TRACKED, None)  # who calls again with the same scope is tracked again
            tracker.end(request)

    def instead(self, scope: Scope) -> ASGIApp | None:  # noqa: ARG002 - for those who derive
        """What is called instead of tracking the application, unseen; None for nothing."""
        return None

    def starting(self, request: ActiveRequest, start: Message) -> Message:  # noqa: ARG002 - as above
        """The start of a response, as the client gets it."""
        return start

    async def talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer on a WebSocket."""
        with self._tracker.talking(scope) as socket:

            async def receive_and_note() -> Message:
                socket.ask()
                message = await receive()
                socket.hear(message)
                return message

            async def send_and_note(message: Message) -> None:
                socket.say(message)
                await send(message)

            await self._app(scope, receive_and_note, send_and_note)

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application start up and, in the end, shut down."""
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
            await self._app(scope, receive_and_note, send_and_note)
        finally:
            current_lifespan.reset(token)


def route_of_stack(frame: FrameType | None) -> str:
    """``GET /template`` of the request that a stack works for; empty where it shows none.

    Found by our own frame around the application: a thread that looks at the stack of another has
    no access to its context.
    """
    served = TrackedApp.__call__.__code__
    while frame is not None:
        if frame.f_code is served:
            request: ActiveRequest | None = frame.f_locals.get("request")
            if request is not None:  # else it left the call to the one around it
                return f"{request.method} {request.route}"
        frame = frame.f_back
    return ""


def _is_at_work(scope: Scope) -> bool:
    """Whether a wrapper has seen this call, or it is made by an application that one watches.

    A server may call the application in the context of the request before (see `TRACKED`).
    """
    request = active_request()
    is_of_request = request is not None and not request.has_ended
    return TRACKED in scope or is_of_request or current_lifespan.get() is not None
