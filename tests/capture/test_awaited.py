"""Tasks and threads of the application: their phase is what the request awaits meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import anyio
import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from harness.capture import Phase, RequestTracker, RoundTrip, SourceMap, recording
from harness.capture.requests import ASGIApp, Receive, Scope, Send

Ping = Callable[[], None]
Trips = Callable[[ASGIApp], Awaitable[list[RoundTrip]]]


@pytest.fixture
def ping(blog: Engine) -> Ping:
    """One statement."""

    def pinged() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    return pinged


@pytest.fixture
def trips(source: SourceMap) -> Trips:
    """What ``GET /`` runs, in order."""

    async def of(app: ASGIApp) -> list[RoundTrip]:
        tracker = RequestTracker()
        transport = httpx.ASGITransport(tracker.wrap(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with recording(source, requests=tracker) as recorder:
                await client.get("/")
        found = list(recorder.snapshot().round_trips)
        assert {trip.request for trip in found} == {1}
        return found

    return of


def _passing_on(app: FastAPI) -> FastAPI:
    """With two middlewares that run the application in tasks of their own."""

    async def passed(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=passed)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passed)
    return app


def _ways(ping: Ping) -> dict[str, Callable[[], Awaitable[None]]]:
    """The ways in which a coroutine has a statement run by somebody else."""

    async def pinged() -> None:
        await asyncio.sleep(0)
        ping()

    async def gathered() -> None:
        await asyncio.gather(pinged(), pinged())

    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(pinged())

    async def grouped_by_anyio() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(pinged)

    async def in_time() -> None:
        await asyncio.wait_for(pinged(), timeout=10)

    async def nested() -> None:
        await asyncio.create_task(gathered())

    async def threaded() -> None:
        await asyncio.to_thread(ping)

    async def pooled() -> None:
        await run_in_threadpool(ping)

    ways = (gathered, grouped, grouped_by_anyio, in_time, nested, threaded, pooled)
    return {way.__name__: way for way in ways}


WAYS = ["gathered", "grouped", "grouped_by_anyio", "in_time", "nested", "threaded", "pooled"]
TASKS = WAYS[:5]


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_handler_awaits_is_the_handlers(trips: Trips, ping: Ping, way: str) -> None:
    app = FastAPI()
    app.get("/")(_awaiting(_ways(ping)[way]))

    assert {trip.phase for trip in await trips(app)} == {Phase.HANDLER}


@pytest.mark.parametrize("way", TASKS)
async def test_it_is_behind_a_middleware_that_runs_the_application_in_a_task(
    trips: Trips, ping: Ping, way: str
) -> None:
    app = FastAPI()
    app.get("/")(_awaiting(_ways(ping)[way]))

    assert {trip.phase for trip in await trips(_passing_on(app))} == {Phase.HANDLER}


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_dependency_awaits_is_the_dependencys(
    trips: Trips, ping: Ping, way: str
) -> None:
    app, wait = FastAPI(), _awaiting(_ways(ping)[way])

    @app.get("/", dependencies=[Depends(wait)])
    async def answered() -> None:
        """Nothing more."""

    assert {trip.phase for trip in await trips(app)} == {Phase.DEPENDENCY}


@pytest.mark.parametrize("way", TASKS)
async def test_what_a_clean_up_awaits_is_a_teardown(trips: Trips, ping: Ping, way: str) -> None:
    app, wait = FastAPI(), _ways(ping)[way]

    async def around() -> AsyncIterator[None]:
        yield
        await wait()

    @app.get("/")
    async def answered(_: Annotated[None, Depends(around, scope="function")]) -> None:
        """Nothing more."""

    assert {trip.phase for trip in await trips(app)} == {Phase.TEARDOWN}


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_background_task_awaits_is_in_the_background(
    trips: Trips, ping: Ping, way: str
) -> None:
    app = FastAPI()

    @app.get("/")
    async def answered(tasks: BackgroundTasks) -> None:
        tasks.add_task(_ways(ping)[way])

    assert {trip.phase for trip in await trips(app)} == {Phase.BACKGROUND}


async def test_a_task_that_nobody_awaits_comes_after_the_response(trips: Trips, ping: Ping) -> None:
    app, is_answered = FastAPI(), asyncio.Event()

    async def later() -> None:
        await is_answered.wait()
        ping()

    @app.get("/")
    async def answered() -> None:
        app.state.forgotten = asyncio.create_task(later())

    async def outliving(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        is_answered.set()
        await app.state.forgotten

    (trip,) = await trips(outliving)

    assert trip.phase is Phase.AFTER_RESPONSE


@pytest.mark.parametrize("is_behind", [False, True], ids=["alone", "behind-another"])
async def test_a_middleware_is_told_before_and_after_the_application(
    trips: Trips, ping: Ping, is_behind: bool
) -> None:
    app = FastAPI()
    app.get("/")(_no_work)

    async def pinging(request: Request, call_next: RequestResponseEndpoint) -> Response:
        ping()
        answer = await call_next(request)
        ping()
        return answer

    app.add_middleware(BaseHTTPMiddleware, dispatch=pinging)

    found = await trips(_passing_on(app) if is_behind else app)

    assert [trip.phase for trip in found] == [Phase.MIDDLEWARE, Phase.MIDDLEWARE]


async def test_a_middleware_of_asgi_is_told_and_what_it_awaits(trips: Trips, ping: Ping) -> None:
    app = FastAPI()
    app.get("/")(_no_work)
    wait = _ways(ping)["gathered"]

    async def pinging(scope: Scope, receive: Receive, send: Send) -> None:
        ping()
        await wait()
        await app(scope, receive, send)
        ping()

    found = await trips(pinging)

    before = [Phase.MIDDLEWARE] * 3
    assert [trip.phase for trip in found] == [*before, Phase.AFTER_RESPONSE]


async def test_an_application_without_routes_has_no_middleware(trips: Trips, ping: Ping) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        ping()
        await PlainTextResponse("ok")(scope, receive, send)

    assert [trip.phase for trip in await trips(answer)] == [Phase.UNKNOWN]


async def test_an_endpoint_that_is_a_class_is_a_handler(trips: Trips, ping: Ping) -> None:
    class Answer(HTTPEndpoint):
        async def get(self, _: Request) -> PlainTextResponse:
            ping()
            return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/", Answer)])

    assert [trip.phase for trip in await trips(app)] == [Phase.HANDLER]


class Pinging:
    """A dependency that is an object."""

    def __init__(self, ping: Ping) -> None:
        self.ping = ping

    def __call__(self) -> None:
        self.ping()


async def test_a_def_dependency_behind_a_middleware_is_one(trips: Trips, ping: Ping) -> None:
    app = FastAPI()

    def pinging() -> None:
        ping()

    app.get("/", dependencies=[Depends(pinging), Depends(Pinging(ping))])(_no_work)

    found = await trips(_passing_on(app))

    assert [trip.phase for trip in found] == [Phase.DEPENDENCY, Phase.DEPENDENCY]


async def test_work_that_a_handler_sends_to_a_thread_behind_a_middleware_is_not_guessed(
    trips: Trips, ping: Ping
) -> None:
    app = FastAPI()
    app.get("/")(_awaiting(_ways(ping)["threaded"]))

    assert [trip.phase for trip in await trips(_passing_on(app))] == [Phase.UNKNOWN]


def _awaiting(wait: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def waited() -> None:
        await wait()

    return waited


async def _no_work() -> None:
    """Runs no statement."""
