"""`queries` counts alike under anyio's plugin, with clients of the test's own and on WebSockets."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import MAIN, Project

WITH_ANYIO = '[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n'

BACKEND = """
import pytest
from shop.database import Author

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def ada(db_session):
    db_session.add(Author(name="ada"))
    await db_session.flush()
"""


def test_the_statements_of_tests_with_anyio_belong_to_their_requests(project: Project) -> None:
    project.configure(pytest_options=WITH_ANYIO)

    result = project.run(
        BACKEND
        + """
async def test_counted(ada, client, queries):
    await client.get("/authors")
    await client.get("/books")
    assert queries["GET /authors"].count == 1
    assert queries["GET /books"].count == 7
    assert (queries.by_requests, queries.count) == (8, 8)
    assert [finding.identity for finding in queries.findings] == [
        "n-plus-one Author.books @ GET /books"
    ]
""",
        "-p",
        "no:asyncio",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*harness: findings*", "n-plus-one  Author.books @ GET /books"])


def test_budgets_bind_tests_with_anyio(project: Project) -> None:
    project.configure(pytest_options=WITH_ANYIO)

    result = project.run(
        BACKEND
        + """
@pytest.mark.max_queries(per_request=3)
async def test_too_many(ada, client):
    await client.get("/books")

@pytest.mark.max_queries(1)
async def test_enough(ada, client):
    await client.get("/authors")
""",
        "-p",
        "no:asyncio",
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*7 statements ran, 3 are allowed*"])


@pytest.mark.parametrize("block", ["with TestClient(app) as client:", "client = TestClient(app)"])
def test_the_requests_of_starlettes_client_are_known(project: Project, block: str) -> None:
    lines = [block, "    client.get('/authors')", "    client.get('/books')"]
    body = [line if block.startswith("with") else line.strip() for line in lines]

    result = project.run(
        """
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from starlette.testclient import TestClient

        def test_counted(app, queries):
            {body}
            assert queries["GET /authors"].count == 1
            assert queries["GET /books"].count == 6
            assert queries.count == queries.by_requests
        """.replace("{body}", "\n            ".join(body))
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["n-plus-one  Author.books @ GET /books"])


def test_a_client_of_the_tests_own_is_known(project: Project) -> None:
    result = project.run(
        """
        import httpx

        async def test_counted(app, queries):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await client.get("/books")
            assert queries["GET /books"].count == 6
        """
    )

    result.assert_outcomes(passed=1)


def test_the_first_request_to_an_application_that_the_tests_import_is_known(
    project: Project,
) -> None:
    result = project.run(
        """
        import httpx
        from shop.main import app

        async def test_counted(queries):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await client.get("/books")
            assert queries["GET /books"].count == 6
        """
    )

    result.assert_outcomes(passed=1)


def test_the_websockets_of_a_project_have_findings_of_their_own(project: Project) -> None:
    project.write(
        "shop/main.py",
        MAIN
        + """
from fastapi import WebSocket
from sqlalchemy.orm import selectinload

@app.websocket("/ws/{room}")
async def ws(socket: WebSocket, room: str, session: Session):
    await socket.accept()
    def load(session):
        return [len(author.books) for author in session.scalars(select(Author))]
    while await socket.receive_text() != "bye":
        await socket.send_json(await session.run_sync(load))
    await socket.close()
""",
    )

    result = project.run(
        """
        def test_counted(websockets, queries):
            with websockets.websocket_connect("/ws/7") as socket:
                socket.send_text("books")
                assert socket.receive_json() == [1] * 5
                socket.send_text("bye")
                socket.receive()
            assert queries["WEBSOCKET /ws/{room}"].per_request == (0, 6, 0)
        """
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["n-plus-one  Author.books @ WEBSOCKET /ws/{room}"])
