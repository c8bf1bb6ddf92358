"""Requests are known by the template of their route, and what runs belongs to one of them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from harness.asgi.lifespan import lifespan
from harness.capture import RequestRecord, RequestTracker, SourceMap, recording
from harness.capture.requests import ASGIApp, Scope, current_lifespan

Ask = Callable[..., Awaitable[RequestRecord]]


async def _no_work(number: int = 0) -> int:
    return number


@pytest.fixture
def ask(source: SourceMap) -> Ask:
    """Send one request to an application and return its record."""

    async def asked(app: ASGIApp, path: str, *, root_path: str = "") -> RequestRecord:
        tracker = RequestTracker()
        transport = httpx.ASGITransport(
            tracker.wrap(app), raise_app_exceptions=False, root_path=root_path
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with recording(source, requests=tracker) as recorder:
                await client.get(path)
        (record,) = recorder.snapshot().requests
        return record

    return asked


async def test_a_route_has_its_template(ask: Ask) -> None:
    app = FastAPI()
    app.get("/users/{number}")(_no_work)

    record = await ask(app, "/users/7")

    assert (record.name, record.path) == ("GET /users/{number}", "/users/7")


async def test_the_endpoint_is_the_function_of_the_route(ask: Ask) -> None:
    app = FastAPI()
    app.get("/users")(_no_work)

    record = await ask(app, "/users")

    assert record.endpoint is not None
    assert record.endpoint.function == "_no_work"
    assert record.endpoint.path == "tests/capture/test_requests.py"


async def test_the_prefix_of_an_included_router_is_part_of_the_template(ask: Ask) -> None:
    router = APIRouter(prefix="/users")
    router.get("/{number}")(_no_work)
    app = FastAPI()
    app.include_router(router, prefix="/api")

    assert (await ask(app, "/api/users/7")).route == "/api/users/{number}"


async def test_the_prefixes_of_nested_routers_are_part_of_the_template(ask: Ask) -> None:
    inner = APIRouter(prefix="/posts")
    inner.get("/{number}")(_no_work)
    middle = APIRouter(prefix="/users")
    middle.include_router(inner, prefix="/own")
    app = FastAPI()
    app.include_router(middle, prefix="/v1")

    assert (await ask(app, "/v1/users/own/posts/7")).route == "/v1/users/own/posts/{number}"


async def test_a_router_that_is_included_twice_has_two_templates(ask: Ask) -> None:
    router = APIRouter()
    router.get("/users/{number}")(_no_work)
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")

    assert (await ask(app, "/v1/users/7")).route == "/v1/users/{number}"
    assert (await ask(app, "/v2/users/7")).route == "/v2/users/{number}"


async def test_the_path_of_a_mount_is_part_of_the_template(ask: Ask) -> None:
    inner = FastAPI()
    inner.get("/users/{number}")(_no_work)
    outer = FastAPI()
    outer.mount("/admin", inner)

    assert (await ask(outer, "/admin/users/7")).route == "/admin/users/{number}"


async def test_mounts_within_mounts_are_part_of_the_template(ask: Ask) -> None:
    router = APIRouter(prefix="/users")
    router.get("/{number}")(_no_work)
    innermost, middle, outer = FastAPI(), FastAPI(), FastAPI()
    innermost.include_router(router)
    middle.mount("/b", innermost)
    outer.mount("/a", middle)

    assert (await ask(outer, "/a/b/users/7")).route == "/a/b/users/{number}"


async def test_a_starlette_application_has_templates_too(ask: Ask) -> None:
    def answer(_: object) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Mount("/a", routes=[Route("/users/{number}", answer)])])

    assert (await ask(app, "/a/users/7")).route == "/a/users/{number}"


async def test_the_root_path_of_the_server_is_no_part_of_the_template(ask: Ask) -> None:
    inner, outer = FastAPI(), FastAPI()
    inner.get("/users")(_no_work)
    outer.get("/users/{number}")(_no_work)
    outer.mount("/admin", inner)

    direct = await ask(outer, "/api/users/7", root_path="/api")
    mounted = await ask(outer, "/api/admin/users", root_path="/api")

    assert (direct.route, mounted.route) == ("/users/{number}", "/admin/users")


async def test_the_root_path_of_the_application_is_no_part_of_the_template(ask: Ask) -> None:
    app = FastAPI()
    app.root_path = "/api"
    app.get("/users/{number}")(_no_work)

    assert (await ask(app, "/users/7")).route == "/users/{number}"


@pytest.mark.parametrize("path", ["/nowhere", "/users/7/nowhere", "/admin/nowhere"])
async def test_an_unknown_path_has_no_route(ask: Ask, path: str) -> None:
    app = FastAPI()
    app.get("/users/{number}")(_no_work)
    app.mount("/admin", FastAPI())

    record = await ask(app, path)

    assert (record.status, record.name) == (404, "GET (no route)")


async def test_a_request_that_raises_has_no_status(source: SourceMap) -> None:
    async def failing(*_: object) -> None:
        raise KeyError

    tracker = RequestTracker()
    transport = httpx.ASGITransport(tracker.wrap(failing))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with recording(source, requests=tracker) as recorder, pytest.raises(KeyError):
            await client.get("/")

    assert [record.status for record in recorder.snapshot().requests] == [None]


async def test_concurrent_requests_keep_their_statements_apart(
    blog: Engine, source: SourceMap
) -> None:
    app, all_are_here = FastAPI(), asyncio.Barrier(3)

    @app.get("/times/{number}")
    async def times(number: int) -> None:
        await all_are_here.wait()
        for _ in range(number):
            await asyncio.sleep(0)  # lets the others run
            with blog.connect() as connection:
                connection.execute(text("SELECT 1"))

    tracker = RequestTracker()
    transport = httpx.ASGITransport(tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with recording(source, requests=tracker) as recorder:
            await asyncio.gather(*(client.get(f"/times/{n}") for n in (1, 2, 3)))

    taken = recorder.snapshot()
    counts = {item.path: len(taken.of_request(item.number).round_trips) for item in taken.requests}
    assert counts == {"/times/1": 1, "/times/2": 2, "/times/3": 3}


async def test_what_the_lifespan_runs_is_not_counted(blog: Engine, source: SourceMap) -> None:
    def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def pinging(_: FastAPI) -> AsyncIterator[None]:
        ping()
        yield
        ping()

    app = RequestTracker().wrap(FastAPI(lifespan=pinging))

    with recording(source) as recorder:
        async with lifespan(app):
            ping()

    (trip,) = recorder.snapshot().round_trips
    assert trip.call_site is not None
    assert trip.call_site.function.endswith("ping")


async def test_a_worker_that_the_lifespan_starts_is_counted(
    blog: Engine, source: SourceMap
) -> None:
    is_told, has_worked = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await is_told.wait()
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))
        has_worked.set()

    @asynccontextmanager
    async def employing(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(work())
        yield
        await worker

    app = RequestTracker().wrap(FastAPI(lifespan=employing))

    with recording(source) as recorder:
        async with lifespan(app):
            is_told.set()
            await has_worked.wait()

    assert len(recorder.snapshot().round_trips) == 1


async def test_the_lifespan_ends_where_its_call_returns() -> None:
    async def refusing(*_: object) -> None:
        """Speaks no lifespan protocol."""

    async def silence() -> Scope:
        return {}

    async def nobody(_: object) -> None:
        """Hears nothing."""

    await RequestTracker().wrap(refusing)({"type": "lifespan"}, silence, nobody)

    assert current_lifespan.get() is None


async def test_an_observer_that_left_hears_nothing(source: SourceMap) -> None:
    app, tracker = FastAPI(), RequestTracker()
    transport = httpx.ASGITransport(tracker.wrap(app))
    with recording(source, requests=tracker) as recorder:
        pass

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/")

    assert not recorder.snapshot().requests


async def test_a_plain_thread_belongs_to_no_request_and_is_named(
    blog: Engine, source: SourceMap
) -> None:
    app, tracker = FastAPI(), RequestTracker()

    def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    @app.get("/")
    async def threaded() -> None:
        thread = threading.Thread(target=ping, name="mailer")
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.to_thread(ping)

    transport = httpx.ASGITransport(tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with recording(source, requests=tracker) as recorder:
            await client.get("/")

    plain, copied = recorder.snapshot().round_trips
    assert (plain.request, plain.thread, plain.task) == (None, "mailer", None)
    assert copied.request == 1
    assert list(recorder.snapshot().unattributed) == [plain]


async def test_tasks_of_one_request_are_told_apart(blog: Engine, source: SourceMap) -> None:
    app, tracker = FastAPI(), RequestTracker()

    async def ping() -> None:
        with blog.connect() as connection:
            connection.execute(text("SELECT 1"))

    @app.get("/")
    async def fanned_out() -> None:
        await asyncio.gather(ping(), ping())

    transport = httpx.ASGITransport(tracker.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with recording(source, requests=tracker) as recorder:
            await client.get("/")

    one, other = recorder.snapshot().round_trips
    assert None not in {one.task, other.task}
    assert one.task != other.task
    assert one.request == other.request == 1
