"""What the framework was doing: handler, dependency, serialisation, clean-up or background."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Annotated
from warnings import catch_warnings

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from harness.capture import Phase, RequestTracker, SourceMap, recording
from harness.capture.requests import ASGIApp
from target_app.models import User
from tests.capture.answers import UserOut

Phases = Callable[[ASGIApp, str], Awaitable[list[Phase]]]


@pytest.fixture
def phases(source: SourceMap) -> Phases:
    """The phases of what a request runs, in order."""

    async def of(app: ASGIApp, path: str) -> list[Phase]:
        tracker = RequestTracker()
        transport = httpx.ASGITransport(tracker.wrap(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with recording(source, requests=tracker) as recorder:
                await client.get(path)
        return [trip.phase for trip in recorder.snapshot().round_trips]

    return of


@pytest.fixture
def ping(blog: Engine) -> Callable[[], None]:
    """One statement."""

    def pinged() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    return pinged


@pytest.fixture
def app(blog: Engine, ping: Callable[[], None]) -> FastAPI:  # noqa: C901 - many small places
    """A statement in each place, on the event loop and in the thread pool."""
    app = FastAPI()

    def around_in_threads() -> Iterator[None]:
        ping()
        yield
        ping()

    async def around() -> AsyncIterator[None]:
        ping()
        yield
        ping()

    def before() -> None:
        ping()

    async def ping_later() -> None:
        ping()

    @app.get("/async", dependencies=[Depends(around)])
    async def on_the_loop(tasks: BackgroundTasks) -> None:
        ping()
        tasks.add_task(ping_later)

    @app.get("/threads", dependencies=[Depends(around_in_threads), Depends(before)])
    def in_a_thread(tasks: BackgroundTasks) -> None:
        ping()
        tasks.add_task(ping)

    @app.get("/stream")
    async def streamed() -> StreamingResponse:
        def lines() -> Iterator[str]:
            ping()
            yield "line"

        return StreamingResponse(lines())

    def session() -> Iterator[Session]:
        with Session(blog) as opened:
            yield opened

    @app.get("/serialised", response_model=list[UserOut])
    def serialised(db: Annotated[Session, Depends(session)]) -> Sequence[User]:
        return db.scalars(select(User).limit(1)).all()

    return app


async def test_on_the_event_loop_every_phase_is_told(phases: Phases, app: FastAPI) -> None:
    assert sorted(await phases(app, "/async")) == sorted(
        [Phase.DEPENDENCY, Phase.HANDLER, Phase.TEARDOWN, Phase.BACKGROUND]
    )


async def test_in_the_thread_pool_every_phase_is_told(phases: Phases, app: FastAPI) -> None:
    assert sorted(await phases(app, "/threads")) == sorted(
        [Phase.DEPENDENCY, Phase.DEPENDENCY, Phase.HANDLER, Phase.TEARDOWN, Phase.BACKGROUND]
    )


async def test_the_serialisation_of_a_def_endpoint_is_told(phases: Phases, app: FastAPI) -> None:
    assert await phases(app, "/serialised") == [Phase.HANDLER, Phase.SERIALISATION]


async def test_a_streaming_body_comes_after_the_response(phases: Phases, app: FastAPI) -> None:
    assert await phases(app, "/stream") == [Phase.AFTER_RESPONSE]


async def test_an_endpoint_without_fastapi_is_a_handler(
    phases: Phases, ping: Callable[[], None]
) -> None:
    async def answer(_: Request) -> PlainTextResponse:
        ping()
        return PlainTextResponse("ok")

    assert await phases(Starlette(routes=[Route("/", answer)]), "/") == [Phase.HANDLER]


def test_the_test_client_makes_no_difference(app: FastAPI, source: SourceMap) -> None:
    with catch_warnings(action="ignore"):  # that it prefers another httpx
        from starlette.testclient import TestClient  # noqa: PLC0415
    tracker = RequestTracker()
    with recording(source, requests=tracker) as recorder, TestClient(tracker.wrap(app)) as client:
        client.get("/serialised")

    trips = recorder.snapshot().round_trips
    assert [trip.phase for trip in trips] == [Phase.HANDLER, Phase.SERIALISATION]
    assert {trip.request for trip in trips} == {1}
