"""The client of an application in this process: a server's behaviour without the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from starlette.responses import StreamingResponse

from harness.asgi.client import AppClient, ClientOptions
from harness.capture.requests import Message, Receive, Scope, Send
from harness.errors import UnfinishedRequestError

colour: ContextVar[str] = ContextVar("colour", default="none")


class Gate:
    """An application that streams three parts, each when the test lets it, and notes its end."""

    def __init__(self) -> None:
        self.open = asyncio.Semaphore(0)
        self.ended = asyncio.Event()
        self.app = FastAPI()
        self.app.add_api_route("/", self.serve)

    async def serve(self) -> StreamingResponse:
        return StreamingResponse(self.parts())

    async def parts(self) -> AsyncIterator[str]:
        try:
            for part in "abc":
                await self.open.acquire()
                yield part
        finally:
            self.ended.set()


async def test_parts_of_a_stream_arrive_as_they_are_sent() -> None:
    gate = Gate()
    async with AppClient(gate.app) as client, client.stream("GET", "/") as response:
        parts = response.aiter_text()
        gate.open.release()

        assert await anext(parts) == "a"
        gate.open.release()
        assert await anext(parts) == "b"
        gate.open.release()
        assert [part async for part in parts] == ["c"]


async def test_a_client_that_leaves_a_stream_ends_it() -> None:
    gate = Gate()
    client = AppClient(gate.app)
    async with client.stream("GET", "/") as response:
        gate.open.release()
        await anext(response.aiter_text())

    assert gate.ended.is_set()


async def test_a_request_that_times_out_ends_its_stream() -> None:
    gate = Gate()
    async with AppClient(gate.app) as client:
        with pytest.raises(httpx.ReadTimeout, match=r"nothing came for 0\.01 s"):
            await client.get("/", timeout=0.01)

    assert gate.ended.is_set()


async def test_a_cancelled_request_ends_its_stream() -> None:
    gate = Gate()
    async with AppClient(gate.app) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.get("/")

    assert gate.ended.is_set()


async def test_a_request_that_is_cancelled_before_its_answer_disconnects() -> None:
    has_noticed = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        has_noticed.set()

    async with AppClient(app) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.get("/")

        async with asyncio.timeout(5):
            await has_noticed.wait()


async def test_the_client_has_no_time_out_of_its_own() -> None:
    async with AppClient(FastAPI()) as client:
        assert client.timeout == httpx.Timeout(None)


async def test_a_producer_waits_for_a_reader_once_64_kib_are_unread() -> None:
    sent = 0

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
            sent += 1
        await send({"type": "http.response.body"})

    async with AppClient(app) as client, client.stream("GET", "/") as response:
        for _ in range(20):
            await asyncio.sleep(0)
        unread = sent
        body = await response.aread()

    assert unread == 7
    assert len(body) == 1_000_000


async def test_an_endpoint_that_asks_learns_of_a_disconnect() -> None:
    received: list[str] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        received.extend([(await receive())["type"] for _ in range(3)])

    async with AppClient(app) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/", content=b"body", timeout=0.01)

    assert received == ["http.request", "http.request", "http.disconnect"]


async def test_what_is_sent_to_a_client_that_has_gone_is_dropped() -> None:
    has_returned = False

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal has_returned
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"too late, and out of order"})
        has_returned = True

    async with AppClient(app) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/", timeout=0.01)

    assert has_returned


async def test_a_request_that_outlives_its_client_and_the_test_is_an_error() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    client = AppClient(app, ClientOptions(grace_seconds=0.01))
    with pytest.raises(httpx.ReadTimeout):
        await client.get("/slow", timeout=0.01)

    with pytest.raises(UnfinishedRequestError, match=r"GET /slow went on for 0\.01 s"):
        await client.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "GET /slow"]


def test_a_loop_that_ends_takes_unfinished_requests_with_it() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    client = AppClient(app)
    with asyncio.Runner() as runner, pytest.raises(httpx.ReadTimeout):
        runner.run(client.get("/", timeout=0.01))

    client.app_transport.finish()


def test_a_client_whose_loop_was_closed_over_its_requests_can_be_finished() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.get_running_loop().create_future()

    client, loop = AppClient(app), asyncio.new_event_loop()
    with pytest.raises(httpx.ReadTimeout):
        loop.run_until_complete(client.get("/", timeout=0.01))
    loop.close()

    client.app_transport.finish()


async def failing() -> None:
    raise ZeroDivisionError


def failing_app() -> FastAPI:
    app = FastAPI()
    app.add_api_route("/", failing)

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(failing)
        return "done"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            await failing()

        return StreamingResponse(parts())

    return app


@pytest.mark.parametrize("path", ["/", "/later", "/stream"])
async def test_what_the_application_raises_is_raised(path: str) -> None:
    async with AppClient(failing_app()) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get(path)


async def test_by_choice_what_the_application_raises_is_a_500() -> None:
    app = failing_app()

    async def apologise(_request: Request, _error: Exception) -> StreamingResponse:
        return StreamingResponse(iter(["sorry"]), status_code=500)

    app.add_exception_handler(Exception, apologise)
    async with AppClient(app, ClientOptions(raise_app_exceptions=False)) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.text) == (500, "sorry")


async def test_the_choice_may_be_made_in_the_middle_of_a_test() -> None:
    async with AppClient(failing_app()) as client:
        client.raise_app_exceptions = False

        assert (await client.get("/")).status_code == 500
        assert (await client.get("/later")).text == '"done"'


async def test_a_stream_that_breaks_off_is_what_a_network_client_sees() -> None:
    async with AppClient(failing_app(), ClientOptions(raise_app_exceptions=False)) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            await client.get("/stream")


async def test_an_application_that_raises_before_it_answers_is_a_500_by_choice() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    async with AppClient(app) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/")
        client.raise_app_exceptions = False

        assert (await client.get("/")).text == "Internal Server Error"


async def test_an_application_that_returns_without_an_answer_is_an_error() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async with AppClient(app) as client:
        with pytest.raises(RuntimeError, match="returned without completing its response"):
            await client.get("/")
        client.raise_app_exceptions = False

        assert (await client.get("/")).status_code == 500


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (["http.response.body"], "expected ASGI message 'http.response.start'"),
        (["http.response.start", "http.response.start"], "expected ASGI message 'http.response.b"),
        (
            ["http.response.start", "http.response.body", "http.response.body"],
            "after the response was complete",
        ),
    ],
)
async def test_messages_out_of_order_are_refused(messages: list[str], said: str) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send({"type": message, "status": 200})

    async with AppClient(app) as client:
        with pytest.raises(RuntimeError, match=said):
            await client.get("/")


async def test_background_tasks_are_done_when_the_answer_has_been_read() -> None:
    app, done = FastAPI(), []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    @app.get("/")
    async def root(tasks: BackgroundTasks) -> None:
        tasks.add_task(work)

    async with AppClient(app) as client:
        await client.get("/")

        assert done == [1]


async def test_each_request_has_a_context_of_its_own_that_begins_as_the_tests() -> None:
    app = FastAPI()

    @app.get("/{value}")
    async def change(value: str) -> str:
        before = colour.get()
        colour.set(value)
        return before

    token = colour.set("the test's")
    async with AppClient(app) as client:
        seen = [(await client.get(path)).json() for path in ("/red", "/blue")]

    assert seen == ["the test's", "the test's"]
    assert colour.get() == "the test's"
    colour.reset(token)


async def scope_of(path: str, options: ClientOptions, **headers: str) -> Scope:
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with AppClient(app, options) as client:
        await client.get(path, headers=headers)
    return seen[0]


async def test_the_scope_is_a_servers() -> None:
    options = ClientOptions(
        base_url="https://shop.example", root_path="/api", http_version="2", address=("10.0.0.1", 5)
    )

    scope = await scope_of("/caf%C3%A9?q=a%20b", options, Accept="text/html")

    assert scope["headers"].count((b"accept", b"text/html")) == 1
    assert {key: value for key, value in scope.items() if key != "headers"} == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "method": "GET",
        "scheme": "https",
        "path": "/api/café",
        "raw_path": b"/api/caf%C3%A9",
        "query_string": b"q=a%20b",
        "root_path": "/api",
        "server": ("shop.example", 443),
        "client": ("10.0.0.1", 5),
    }


async def test_a_root_path_leads_to_the_same_routes() -> None:
    app = FastAPI()

    @app.get("/where")
    async def where(request: Request) -> str:
        return str(request.url)

    async with AppClient(app, ClientOptions(root_path="/api")) as client:
        answer = await client.get("/where")

    assert answer.json() == "http://test/api/where"


async def test_a_body_is_sent_in_the_parts_in_which_it_is_made() -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while not received or received[-1]["more_body"]:
            received.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async with AppClient(app) as client:
        await client.post("/", content=parts())

    assert [message["body"] for message in received] == [b"a", b"b", b""]


async def test_a_head_request_has_no_body() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"never sent"})

    async with AppClient(app) as client:
        answer = await client.head("/")

    assert answer.content == b""
