"""An application that is followed: tracked once, whoever calls it, and as before afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from harness.asgi.lifespan import lifespan
from harness.capture import RequestTracker, SourceMap, recording
from harness.capture.requests import ASGIApp, Receive, Scope, Send


@pytest.fixture
def app(blog: Engine) -> FastAPI:
    """One statement at its start, and one for each request."""

    def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def pinging(_: FastAPI) -> AsyncIterator[None]:
        ping()
        yield

    app = FastAPI(lifespan=pinging)

    @app.get("/")
    async def pinged() -> None:
        ping()

    return app


async def _get(app: ASGIApp) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        (await client.get("/")).raise_for_status()


async def test_a_call_of_the_application_itself_is_a_request(
    app: FastAPI, source: SourceMap
) -> None:
    tracker = RequestTracker()

    with tracker.following(app), recording(source, requests=tracker) as recorder:
        await _get(app)

    taken = recorder.snapshot()
    assert [(item.name, item.status) for item in taken.requests] == [("GET /", 200)]
    assert [trip.request for trip in taken.round_trips] == [taken.requests[0].number]


async def test_a_call_through_a_wrapper_is_one_request(app: FastAPI, source: SourceMap) -> None:
    tracker = RequestTracker()

    with tracker.following(app), recording(source, requests=tracker) as recorder:
        await _get(tracker.wrap(app))

    assert len(recorder.snapshot().requests) == 1


async def test_what_its_own_lifespan_runs_is_not_counted(app: FastAPI, source: SourceMap) -> None:
    tracker = RequestTracker()

    with tracker.following(app), recording(source, requests=tracker) as recorder:
        async with lifespan(app):
            await _get(app)

    assert recorder.snapshot().statement_count == 1


async def test_another_application_of_the_class_is_left_alone(
    app: FastAPI, source: SourceMap
) -> None:
    tracker, other = RequestTracker(), FastAPI()
    other.get("/")(_no_work)

    with tracker.following(app), recording(source, requests=tracker) as recorder:
        await _get(other)

    assert recorder.snapshot().requests == ()


async def test_the_class_is_as_before_afterwards(app: FastAPI) -> None:
    class Own(FastAPI):
        """Inherits its call."""

    before = vars(FastAPI)["__call__"]

    with pytest.raises(KeyboardInterrupt), RequestTracker().following(app):
        raise KeyboardInterrupt
    with RequestTracker().following(Own()):
        pass

    assert vars(FastAPI)["__call__"] is before
    assert "__call__" not in vars(Own)


def test_what_is_followed_twice_is_followed_once_and_left() -> None:
    before = vars(FastAPI)["__call__"]
    app, tracker = FastAPI(), RequestTracker()

    tracker.follow(app)
    tracker.follow(app)
    inside = vars(FastAPI)["__call__"]
    tracker.close()

    assert inside.__wrapped__ is before
    assert vars(FastAPI)["__call__"] is before


async def test_a_function_is_called_as_it_is(app: FastAPI, source: SourceMap) -> None:
    async def passing(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    tracker = RequestTracker()

    with tracker.following(passing), recording(source, requests=tracker) as recorder:
        await _get(passing)

    taken = recorder.snapshot()
    assert (taken.requests, taken.statement_count) == ((), 1)


async def _no_work() -> None:
    """Runs no statement."""
