"""Start-up and shutdown as a server does them, with applications that do not behave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from harness.asgi.lifespan import lifespan
from harness.capture.requests import Message, Receive, Scope, Send
from harness.errors import ApplicationStartError


class Diary(list[str]):
    """An application's lifespan that notes what happens."""

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[dict[str, str]]:
        self.append("start")
        try:
            yield {"greeting": "hello"}
        finally:
            await asyncio.sleep(0)
            self.append("stop")


async def test_the_application_is_started_before_the_block_and_stopped_after_it() -> None:
    diary = Diary()

    async with lifespan(FastAPI(lifespan=diary.lifespan)):
        diary.append("block")

    assert diary == ["start", "block", "stop"]


async def test_the_state_of_the_lifespan_is_handed_out() -> None:
    async with lifespan(Starlette(lifespan=Diary().lifespan)) as state:
        assert state == {"greeting": "hello"}


async def test_an_error_in_the_block_still_stops_the_application() -> None:
    diary = Diary()

    async def fail() -> None:
        async with lifespan(FastAPI(lifespan=diary.lifespan)):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert diary == ["start", "stop"]


async def enter(app: object) -> None:
    async with lifespan(app):  # type: ignore[arg-type]  # applications of all kinds
        pass


async def test_a_start_up_that_raises_is_told_in_the_applications_words() -> None:
    @asynccontextmanager
    async def failing(app: FastAPI) -> AsyncIterator[None]:
        if not hasattr(app.state, "redis"):
            raise RuntimeError("no redis at localhost:6379")
        yield

    with pytest.raises(ApplicationStartError) as caught:
        await enter(FastAPI(lifespan=failing))
    assert caught.value.what == (
        "the application failed to start: RuntimeError: no redis at localhost:6379"
    )
    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_a_start_up_that_says_it_failed_and_returns_has_failed() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no redis"})

    with pytest.raises(ApplicationStartError, match="the application failed to start: no redis"):
        await enter(app)


async def test_of_a_traceback_the_line_is_told_that_names_the_exception() -> None:
    told = (
        "Traceback (most recent call last):\n"
        '  File "app.py", line 3, in lifespan\n'
        "    create_tables()\n"
        "sqlalchemy.exc.ProgrammingError: (DuplicateTable) relation already exists\n"
        "[SQL: CREATE TABLE users (\n"
        "  id INTEGER)]\n"
        "(Background on this error at: https://sqlalche.me/e/21/f405)\n"
    )

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": told})

    with pytest.raises(ApplicationStartError) as caught:
        await enter(app)
    assert caught.value.what.endswith("(DuplicateTable) relation already exists")


async def test_a_start_up_that_says_it_failed_and_goes_on_has_failed() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})
        await receive()

    with pytest.raises(ApplicationStartError, match="no message"):
        await enter(app)


async def test_an_application_without_a_lifespan_that_raises_is_let_be() -> None:
    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        raise NotImplementedError(scope["type"])

    await enter(app)


async def test_an_application_without_a_lifespan_that_returns_is_let_be() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    await enter(app)


async def test_an_error_at_shutdown_is_the_callers() -> None:
    @asynccontextmanager
    async def failing(_app: object) -> AsyncIterator[None]:
        yield
        raise RuntimeError("at shutdown")

    with pytest.raises(RuntimeError, match="at shutdown"):
        await enter(FastAPI(lifespan=failing))


async def test_the_messages_are_those_of_the_protocol() -> None:
    received: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            message: Message = await receive()
            received.append(message["type"])
            await send({"type": answer})

    await enter(app)

    assert received == ["lifespan.startup", "lifespan.shutdown"]


def test_a_loop_that_ends_shuts_the_application_down() -> None:
    diary = Diary()

    async def stay() -> None:
        async with lifespan(FastAPI(lifespan=diary.lifespan)):
            is_started.set()
            await asyncio.Event().wait()

    async def start() -> None:
        staying.append(asyncio.create_task(stay()))
        await is_started.wait()

    is_started = asyncio.Event()
    staying: list[asyncio.Task[None]] = []
    with asyncio.Runner() as runner:
        runner.run(start())

    assert diary == ["start", "stop"]
