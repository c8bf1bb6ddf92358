"""Serve an application with uvicorn in this process, on a socket that is bound beforehand.

Binding first makes the port known (0 picks a free one) and a taken port a clear error instead of a
log line. A failing start-up is an error with the application's own words.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvicorn

from harness.capture.requests import ASGIApp, Message, Receive, Scope, Send
from harness.errors import ApplicationStartError, PortTakenError

__all__ = ["bound_socket", "serve_on"]


def bound_socket(host: str, port: int) -> socket.socket:
    """Bind a TCP socket.

    Raises:
        PortTakenError: If somebody else has the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; without, answers wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            remedy="choose another with --port; 0 takes any free one",
        ) from error
    return listener


def serve_on(
    app: ASGIApp,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    also: Sequence[socket.socket] = (),
) -> None:
    """Serve until the process is told to stop.

    Args:
        app: The application.
        listener: A bound socket.
        also: Further ones.
        ready: Called once requests are answered.

    Raises:
        ApplicationStartError: If the lifespan fails.
    """
    watched = _StartWatch(app)
    server = uvicorn.Server(uvicorn.Config(watched, log_config=None, access_log=False))
    asyncio.run(_serve(server, [listener, *also], ready))
    if watched.failure is not None:
        raise watched.failure


async def _serve(
    server: uvicorn.Server, listeners: list[socket.socket], ready: Callable[[], None]
) -> None:
    serving = asyncio.create_task(server.serve(sockets=listeners))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        ready()
    await serving


@dataclass(slots=True, eq=False)
class _StartWatch:
    """Notes why a lifespan failed; uvicorn would only log it."""

    app: ASGIApp
    failure: ApplicationStartError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                lines = message.get("message", "").strip().splitlines()
                self.failure = ApplicationStartError(
                    f"the application failed to start: {lines[-1] if lines else 'no message'}"
                )
            await send(message)

        await self.app(scope, receive, noting if scope["type"] == "lifespan" else send)
