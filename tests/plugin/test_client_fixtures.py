"""`client` and its kin in a user's project: streams, exceptions, disconnects and websockets."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import MAIN, SESSION_LOOPS, Project

MORE = """
import asyncio
from fastapi import BackgroundTasks, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from shop.database import sessions

@app.get("/names")
async def names(session: Session):
    async def lines():
        for author in await session.scalars(select(Author).order_by(Author.id)):
            yield f"{author.name}\\n"
    return StreamingResponse(lines())

@app.get("/endless")
async def endless(session: Session):
    async def lines():
        session.add(Author(name="left half way"))
        await session.flush()
        yield "begun"
        await asyncio.Event().wait()
    return StreamingResponse(lines())

@app.get("/failing")
async def failing(session: Session):
    session.add(Author(name="lost"))
    await session.flush()
    raise ZeroDivisionError

@app.exception_handler(ZeroDivisionError)
async def sorry(request: Request, error: Exception):
    return JSONResponse("sorry", 500)

@app.exception_handler(Exception)
async def very_sorry(request: Request, error: Exception):
    return JSONResponse("very sorry", 500)

@app.get("/unexpected")
async def unexpected(session: Session):
    raise KeyError("unexpected")

@app.websocket("/ws")
async def ws(socket: WebSocket, session: Session):
    await socket.accept()
    async for name in socket.iter_text():
        session.add(Author(name=name))
        await session.commit()
        count = await session.scalar(select(func.count()).select_from(Author))
        await socket.send_json(count)
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """The project with routes that stream, fail and talk."""
    project.write("shop/main.py", MAIN + MORE)
    return project


def test_streams_disconnects_and_exceptions(shop: Project) -> None:
    result = shop.run("""
        import pytest
        from sqlalchemy import text

        COUNT = text("SELECT count(*) FROM authors")

        async def test_stream(client):
            async with client.stream("GET", "/names") as response:
                lines = [line async for line in response.aiter_lines()]
            assert lines == [f"author {n}" for n in range(5)]

        async def test_a_client_that_leaves_rolls_the_request_back(client, db_session):
            async with client.stream("GET", "/endless") as response:
                assert await anext(response.aiter_text()) == "begun"
            assert await db_session.scalar(COUNT) == 5

        async def test_an_exception_with_a_handler_of_its_own(client, db_session):
            assert (await client.get("/failing")).json() == "sorry"
            assert await db_session.scalar(COUNT) == 5

        async def test_raised(client):
            with pytest.raises(KeyError, match="unexpected"):
                await client.get("/unexpected")

        async def test_answered(client):
            client.raise_app_exceptions = False
            answer = await client.get("/unexpected")
            assert (answer.status_code, answer.json()) == (500, "very sorry")

        async def test_a_test_may_close_its_client(client):
            async with client:
                assert (await client.get("/authors")).json() == 5

        def test_a_def_test_may_close_its_client(sync_client):
            with sync_client:
                assert sync_client.get("/authors").json() == 5

        def test_the_sync_client_is_alike(sync_client, sync_db_session):
            with sync_client.stream("GET", "/endless") as response:
                assert next(response.iter_text()) == "begun"
            assert sync_db_session.scalar(COUNT) == 5
            sync_client.raise_app_exceptions = False
            assert sync_client.get("/unexpected").json() == "very sorry"
    """)

    result.assert_outcomes(passed=8)


def test_a_module_has_client_options_of_its_own(project: Project) -> None:
    result = project.run("""
        import pytest
        from harness.asgi.client import ClientOptions

        @pytest.fixture
        def harness_client_options():
            return ClientOptions(base_url="https://shop.example", address=("10.0.0.1", 1))

        async def test_options(client):
            answer = await client.get("/authors")
            assert answer.request.url == "https://shop.example/authors"
    """)

    result.assert_outcomes(passed=1)


# Starlette's client warns of httpx where httpx2 is not installed.
LENIENT = SESSION_LOOPS.replace('["error"]', '["error", "ignore:Using `httpx`"]')


def test_websockets_work_through_starlettes_client(shop: Project) -> None:
    shop.configure(pytest_options=LENIENT)

    result = shop.run("""
        import pytest
        from starlette.testclient import TestClient

        @pytest.mark.parametrize("turn", [1, 2])
        def test_alone(app, turn):
            with TestClient(app) as client, client.websocket_connect("/ws") as socket:
                socket.send_text("ada")
                assert socket.receive_json() == 6
                assert client.get("/authors").json() == 6

        @pytest.mark.parametrize("turn", [1, 2])
        def test_in_one_transaction_with_a_session(websockets, sync_db_session, sync_client, turn):
            from shop.database import Author

            sync_db_session.add(Author(name="grace"))
            sync_db_session.commit()
            with websockets.websocket_connect("/ws") as socket:
                socket.send_text("ada")
                assert socket.receive_json() == 7
            assert sync_client.get("/authors").json() == 7

        async def test_the_base_line_is_left(client):
            assert (await client.get("/authors")).json() == 5
    """)

    result.assert_outcomes(passed=5)


def test_a_request_that_goes_on_after_its_client_fails_its_test_by_name(project: Project) -> None:
    project.write(
        "shop/main.py",
        MAIN
        + """
import asyncio

@app.get("/stubborn")
async def stubborn():
    await asyncio.Event().wait()
""",
    )

    result = project.run("""
        import httpx, pytest
        from harness.asgi.client import ClientOptions

        @pytest.fixture
        def harness_client_options():
            return ClientOptions(grace_seconds=0.01)

        async def test_left(client):
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/stubborn", timeout=0.01)

        async def test_next(client):
            assert (await client.get("/authors")).json() == 5
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*GET /stubborn went on for 0.01 s after *"])


BROKEN = """
@app.get("/broken")
async def broken():
    raise ZeroDivisionError

@app.get("/feed")
async def feed(session: Session):
    async def lines():
        session.add(Author(name="in the feed"))
        await session.flush()
        yield "first"
        await asyncio.Event().wait()
    return StreamingResponse(lines())
"""


def test_the_documentations_examples_run(shop: Project, pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs/reference/clients.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    without_handlers = MORE[: MORE.index("@app.exception_handler")]
    websocket = MORE[MORE.index("@app.websocket") :]
    shop.write("shop/main.py", MAIN + without_handlers + websocket + BROKEN)
    shop.configure(pytest_options=LENIENT)
    shop.write("test_options.py", blocks[1])
    shop.write("test_own.py", blocks[3])

    result = shop.run(blocks[0] + blocks[2], "test_shop.py", "test_options.py", "test_own.py")

    result.assert_outcomes(passed=9)
