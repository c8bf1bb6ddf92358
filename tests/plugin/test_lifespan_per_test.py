"""``lifespan = "test"``: the application starts in a test and stops before that test is undone."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import MAIN, SESSION_LOOPS, TABLE, Project

PER_TEST = TABLE + 'lifespan = "test"\n'
LENIENT = SESSION_LOOPS.replace('["error"]', '["error", "ignore:Using `httpx`"]')
FUNCTION_LOOPS = SESSION_LOOPS.replace('"session"', '"function"')
LIFESPAN = """
from contextlib import asynccontextmanager
from fastapi import Request, WebSocket
from sqlalchemy import select
from shop.database import sessions

starts = 0
diary = open("diary.txt", "a", buffering=1)

async def names():
    async with sessions() as session:
        found = await session.scalars(select(Author.name).where(~Author.name.like("author %")))
        return " ".join(sorted(found))

@asynccontextmanager
async def lifespan(app):
    global starts
    starts += 1
    async with sessions.begin() as session:
        session.add(Author(name=f"start-{starts}"))
    app.state.seen = []
    yield {"start": starts}
    diary.write(f"stop: {await names()}\\n")

app.router.lifespan_context = lifespan

@app.get("/seen/{what}")
async def see(what: str, request: Request) -> list[str]:
    request.app.state.seen.append(what)
    return [*request.app.state.seen, str(request.state.start), await names()]

@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_json([socket.state.start, await names()])
    await socket.close()
"""
TESTS = """
import pytest

@pytest.mark.parametrize("turn", [1, 2])
async def test_fresh_and_undone(client, db_session, turn):
    for number, seen in enumerate([["a"], ["a", "b"]]):
        answer = (await client.get(f"/seen/{seen[-1]}")).json()
        assert answer == [*seen, str(turn), f"start-{turn}"]

async def test_it_starts_when_it_is_needed(client, own_database_url):
    import shop.main
    assert shop.main.starts == 2
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A project whose application writes at its start and reads at its stop."""
    project.configure(table=PER_TEST)
    project.write("shop/main.py", MAIN + LIFESPAN)
    return project


@pytest.mark.parametrize("loops", [SESSION_LOOPS, FUNCTION_LOOPS], ids=["session", "function"])
@pytest.mark.parametrize("mode", ["rollback", "clone"])
def test_each_test_has_a_start_of_its_own_and_its_rows_are_undone(
    shop: Project, mode: str, loops: str
) -> None:
    table = f'{PER_TEST}isolation = "{mode}"\n'
    shop.configure(table=table, pytest_options=loops)

    result = shop.run(TESTS)

    result.assert_outcomes(passed=3)
    assert shop.read("diary.txt").splitlines() == ["stop: start-1", "stop: start-2"]


@pytest.mark.parametrize("mode", ["rollback", "clone"])
def test_it_serves_def_tests_and_websockets(shop: Project, mode: str) -> None:
    shop.configure(table=f'{PER_TEST}isolation = "{mode}"\n', pytest_options=LENIENT)

    result = shop.run("""
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_fresh_and_undone(sync_client, sync_db_session, turn):
            assert sync_client.get("/seen/a").json() == ["a", str(turn), f"start-{turn}"]

        def test_websocket(websockets, sync_client):
            with websockets.websocket_connect("/ws") as socket:
                assert socket.receive_json() == [3, "start-3"]
            assert sync_client.get("/seen/a").json() == ["a", "3", "start-3"]
    """)

    result.assert_outcomes(passed=3)
    stops = ["stop: start-1", "stop: start-2", "stop: start-3"]
    assert shop.read("diary.txt").splitlines() == stops


def test_it_stops_before_what_the_test_committed_is_undone(shop: Project) -> None:
    result = shop.run("""
        async def test(client):
            await client.post("/authors/ada")
    """)

    result.assert_outcomes(passed=1)
    assert shop.read("diary.txt").splitlines() == ["stop: ada start-1"]


@pytest.mark.parametrize("loops", [SESSION_LOOPS, FUNCTION_LOOPS], ids=["session", "function"])
def test_a_shutdown_that_raises_fails_its_test_and_no_other(shop: Project, loops: str) -> None:
    shop.configure(table=PER_TEST, pytest_options=loops)
    shop.write(
        "shop/main.py",
        (MAIN + LIFESPAN).replace("    diary.write", "    1 / (starts - 1)\n    diary.write"),
    )

    result = shop.run("""
        async def test_one(client):
            await client.get("/seen/a")

        async def test_other(client):
            assert (await client.get("/seen/a")).json() == ["a", "2", "start-2"]
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_one*", "E *ZeroDivisionError*"])


def test_a_start_that_raises_fails_each_request_with_its_reason(shop: Project) -> None:
    shop.write("shop/main.py", (MAIN + LIFESPAN).replace("    starts += 1", "    1 / 0"))

    result = shop.run("""
        import pytest
        from harness.errors import ApplicationStartError

        async def test(client):
            for _ in range(2):
                with pytest.raises(ApplicationStartError, match="division by zero"):
                    await client.get("/seen/a")
    """)

    result.assert_outcomes(passed=1)


def test_a_wider_fixture_has_the_application_for_itself(shop: Project) -> None:
    result = shop.run("""
        import httpx, pytest

        @pytest.fixture(scope="session")
        async def base_line(harness_running_app):
            transport = httpx.ASGITransport(harness_running_app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await client.post("/authors/ada")

        @pytest.mark.parametrize("turn", [1, 2])
        async def test(base_line, client, turn):
            assert (await client.get("/seen/a")).json()[-1] == f"ada start-1 start-{turn + 1}"
    """)

    result.assert_outcomes(passed=2)


def test_without_it_one_start_serves_all_tests_and_its_rows_stay(shop: Project) -> None:
    shop.configure()

    result = shop.run("""
        import pytest

        @pytest.mark.parametrize("seen", [["a"], ["a", "b"]])
        async def test(client, seen):
            assert (await client.get(f"/seen/{seen[-1]}")).json() == [*seen, "1", "start-1"]
    """)

    result.assert_outcomes(passed=2)
