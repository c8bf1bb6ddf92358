"""Run an application's lifespan: start-up before the first request, shutdown at the end.

httpx sends no lifespan events, and an application whose engine is made in its lifespan does not
work without them. The protocol runs in a task of its own, as servers do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness.capture.requests import ASGIApp, Message
from harness.errors import ApplicationStartError

__all__ = ["lifespan"]

_START_SECONDS = 60.0


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[dict[str, Any]]:
    """Start the application and, on leaving, shut it down.

    Yields:
        The lifespan state, which every request's scope must carry a copy of.

    Raises:
        ApplicationStartError: If start-up fails or takes longer than a minute.
    """
    state: dict[str, Any] = {}
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stopping = asyncio.Event()
    task = asyncio.create_task(_speak(app, state, started, stopping), name="application lifespan")
    try:
        async with asyncio.timeout(_START_SECONDS):
            await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError as error:
        task.cancel()
        raise ApplicationStartError(
            f"the application's lifespan did not start within {_START_SECONDS:.0f} s"
        ) from error
    if task.done():
        _explain(task, started)
    try:
        yield state
    finally:
        stopping.set()
        await asyncio.wait([task])
        if started.done() and not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc] # just checked not to be None


async def _speak(
    app: ASGIApp,
    state: dict[str, Any],
    started: asyncio.Future[None],
    stopping: asyncio.Event,
) -> None:
    is_first = True

    async def receive() -> Message:
        nonlocal is_first
        if is_first:
            is_first = False
            return {"type": "lifespan.startup"}
        try:
            await stopping.wait()
        except asyncio.CancelledError:
            # The loop is closing: that is the shutdown.
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            started.set_result(None)
        elif message["type"] == "lifespan.startup.failed":
            started.set_exception(_failure(message.get("message", "").strip()))

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    await app(scope, receive, send)


def _explain(task: asyncio.Task[None], started: asyncio.Future[None]) -> None:
    """The lifespan ended before anybody asked it to."""
    error = None if task.cancelled() else task.exception()
    if started.done() and started.exception() is None:
        return  # it returned early, which the protocol allows
    if error is not None and started.done():
        started.exception()
        raise _failure(f"{type(error).__name__}: {error}") from error
    # An application without lifespan support raises at once: the protocol's way to say so.


def _failure(text: str) -> ApplicationStartError:
    lines = text.splitlines()
    return ApplicationStartError(
        f"the application failed to start: {lines[-1] if lines else 'no message'}",
        remedy="the same happens under uvicorn: start it there to see the whole traceback",
    )
