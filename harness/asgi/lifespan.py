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
    _require_start(task, started)
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


def _require_start(task: asyncio.Task[None], started: asyncio.Future[None]) -> None:
    """Raise if start-up failed.

    An application without lifespan support raises, or returns, before it said anything: the
    protocol's way to say so.
    """
    if not started.done():
        if task.done() and not task.cancelled():
            task.exception()  # seen
        return
    failure = started.exception()
    if failure is None:
        return
    error = task.exception() if task.done() and not task.cancelled() else None
    if error is not None:
        raise _failure(f"{type(error).__name__}: {error}") from error
    raise failure


def _failure(text: str) -> ApplicationStartError:
    return ApplicationStartError(
        f"the application failed to start: {_reason(text)}",
        remedy="the same happens under uvicorn: start it there to see the whole traceback",
    )


def _reason(text: str) -> str:
    """The line of a traceback that names the exception: SQLAlchemy's errors have more behind it."""
    lines = text.splitlines() or ["no message"]
    traces = [number for number, line in enumerate(lines) if line.startswith("Traceback (")]
    if not traces:
        return lines[-1]
    behind = lines[traces[-1] + 1 :]
    return next((line for line in behind if line and not line[0].isspace()), lines[-1])
