"""The client for code that cannot await: the same server side, on a loop in another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from harness.asgi.blocking import SyncAppClient
from harness.asgi.client import ClientOptions
from harness.errors import SyncInAsyncError
from harness.loops import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with closing(LoopThread()) as loop:
        yield loop


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> str:
        return f"{(await request.body()).decode()} in {threading.current_thread().name}"

    @app.get("/sync")
    def sync() -> str:
        return "from a worker thread"

    @app.get("/failing")
    async def failing() -> None:
        raise ZeroDivisionError

    return app


def test_a_request_runs_on_the_loop(app: FastAPI, loop: LoopThread) -> None:
    with SyncAppClient(app, loop) as client:
        assert client.post("/echo", content=b"hello").json() == "hello in harness loop"


def test_a_sync_endpoint_answers(app: FastAPI, loop: LoopThread) -> None:
    with SyncAppClient(app, loop) as client:
        assert client.get("/sync").json() == "from a worker thread"


def test_a_body_may_be_made_in_the_callers_thread(app: FastAPI, loop: LoopThread) -> None:
    makers: list[str] = []

    def parts() -> Iterator[bytes]:
        makers.append(threading.current_thread().name)
        yield b"made here"

    with SyncAppClient(app, loop) as client:
        answer = client.post("/echo", content=parts())

    assert answer.json() == "made here in harness loop"
    assert makers == [threading.current_thread().name]


def test_what_the_application_raises_is_raised_unless_500s_are_chosen(
    app: FastAPI, loop: LoopThread
) -> None:
    with SyncAppClient(app, loop) as client:
        with pytest.raises(ZeroDivisionError):
            client.get("/failing")
        client.raise_app_exceptions = False

        assert client.get("/failing").status_code == 500


def test_parts_of_a_stream_arrive_as_they_are_sent(loop: LoopThread) -> None:
    app, gate, ended = FastAPI(), threading.Semaphore(0), threading.Event()

    async def parts() -> AsyncIterator[bytes]:
        try:
            for part in (b"a", b"b", b"c"):
                await asyncio.to_thread(gate.acquire)
                yield part
        finally:
            ended.set()

    @app.get("/")
    async def root() -> StreamingResponse:
        return StreamingResponse(parts())

    with SyncAppClient(app, loop) as client, client.stream("GET", "/") as response:
        received = response.iter_bytes()
        gate.release()
        assert next(received) == b"a"
        gate.release(2)

        assert list(received) == [b"b", b"c"]
    assert ended.is_set()


def test_a_client_that_leaves_a_stream_ends_it(loop: LoopThread) -> None:
    app, ended = FastAPI(), threading.Event()

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await asyncio.Event().wait()
        finally:
            ended.set()

    @app.get("/")
    async def root() -> StreamingResponse:
        return StreamingResponse(parts())

    with SyncAppClient(app, loop) as client:
        with client.stream("GET", "/") as response:
            next(response.iter_bytes())

        assert ended.is_set()


def test_the_options_are_those_of_the_async_client(loop: LoopThread) -> None:
    app = FastAPI()

    @app.get("/where")
    async def where(request: Request) -> str:
        return str(request.url)

    with SyncAppClient(app, loop, ClientOptions(base_url="https://shop.example")) as client:
        assert client.get("/where").json() == "https://shop.example/where"


async def test_in_a_coroutine_it_is_refused(app: FastAPI, loop: LoopThread) -> None:
    with SyncAppClient(app, loop) as client, pytest.raises(SyncInAsyncError):
        client.get("/sync")
