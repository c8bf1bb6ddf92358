"""A task that outlives its test is an error that names it; one that rightly does is none."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import MAIN, SESSION_LOOPS, TABLE, Project

FORGOTTEN = """
import asyncio

ended = []

async def work():
    try:
        await asyncio.sleep(60)
    finally:
        ended.append(True)

async def test_that_forgets(client):
    asyncio.create_task(work(), name="a worker")
    await client.get("/authors")

async def test_afterwards(client):
    assert ended
    assert (await client.get("/authors")).json() == 5
"""
NAMED = [
    "*ERROR at teardown of test_that_forgets*",
    "a task that the test started still ran when it ended, and was cancelled:",
    "  a worker: work waits at test_shop.py:8  await asyncio.sleep(60)",
    "await or cancel it *",
    "[[]unfinished-task]",
]
FIRING = """
import asyncio

async def send(address):
    await asyncio.sleep(60)

@app.post("/welcome")
async def welcome(session: Session) -> str:
    asyncio.create_task(send("ada@example.org"))
    return "sent"
"""
HOSTING = """
import asyncio
from contextlib import asynccontextmanager

async def job():
    await asyncio.sleep(60)

async def work(orders):
    while True:
        order = await asyncio.wait_for(orders.get(), 60)
        asyncio.create_task(job())
        order.set()

@asynccontextmanager
async def lifespan(app):
    app.state.orders = asyncio.Queue()
    worker = asyncio.create_task(work(app.state.orders))
    yield
    worker.cancel()

@app.post("/orders")
async def order() -> None:
    has_begun = asyncio.Event()
    app.state.orders.put_nowait(has_begun)
    await has_begun.wait()

app.router.lifespan_context = lifespan
"""


@pytest.fixture(params=["session", "function"])
def shop(request: pytest.FixtureRequest, project: Project) -> Project:
    """A project with one loop for all tests, and one with a loop for each."""
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', f'"{request.param}"'))
    return project


def test_a_forgotten_task_is_named_and_ended(shop: Project) -> None:
    result = shop.run(FORGOTTEN)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(NAMED)


def test_a_task_that_an_endpoint_has_fired_and_forgotten_is_named(shop: Project) -> None:
    shop.write("shop/main.py", MAIN + FIRING)

    result = shop.run("""
        async def test_welcome(client):
            assert (await client.post("/welcome")).json() == "sent"
    """)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["  Task-*: send waits at shop/main.py:* await asyncio.sleep(60)"])


def test_so_it_is_in_a_def_test(project: Project) -> None:
    project.write("shop/main.py", MAIN + FIRING)

    result = project.run("""
        def test_welcome(sync_client):
            assert sync_client.post("/welcome").json() == "sent"

        def test_afterwards(sync_client):
            assert sync_client.get("/authors").json() == 5
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["  Task-*: send waits at shop/main.py:* await asyncio.sleep(60)"])


def test_what_the_lifespan_runs_may_stay(shop: Project) -> None:
    shop.write("shop/main.py", MAIN + HOSTING)

    result = shop.run("""
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        async def test_request(client, turn):
            await client.post("/orders")
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["session", "function"])
def test_what_the_lifespan_of_each_test_runs_may_stay(project: Project, scope: str) -> None:
    project.write("shop/main.py", MAIN + HOSTING)
    project.configure(
        table=f'{TABLE}\nlifespan = "test"\n',
        pytest_options=SESSION_LOOPS.replace('"session"', f'"{scope}"'),
    )

    result = project.run("""
        async def test_request(client):
            await client.post("/orders")
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=1)


# Each order is waited for by a task of its own, on Python 3.11.
FIXTURES = """
import asyncio, pytest

async def work(orders):
    while True:
        order = await asyncio.wait_for(orders.get(), 60)
        order.set()

@pytest.fixture(scope="SCOPE")
async def orders():
    orders = asyncio.Queue()
    task = asyncio.create_task(work(orders))
    yield orders
    task.cancel()

@pytest.fixture
async def started():
    tasks = []
    yield tasks
    for task in tasks:
        task.cancel()

@pytest.mark.parametrize("turn", [1, 2])
async def test_request(orders, started, client, turn):
    started.append(asyncio.create_task(work(asyncio.Queue())))
    await client.get("/authors")
    orders.put_nowait(order := asyncio.Event())
    await order.wait()
"""


@pytest.mark.parametrize("scope", ["session", "function"])
def test_what_fixtures_run_until_they_are_torn_down_may_stay(project: Project, scope: str) -> None:
    result = project.run(FIXTURES.replace("SCOPE", scope))

    result.assert_outcomes(passed=2)


def test_with_a_loop_for_each_test_fixtures_may_run_what_they_end(project: Project) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', '"function"'))

    result = project.run(FIXTURES.replace("SCOPE", "function"))

    result.assert_outcomes(passed=2)


def test_a_wider_fixture_that_a_test_asks_for_by_name_may_start_what_stays(
    project: Project,
) -> None:
    result = project.run("""
        import asyncio, pytest

        @pytest.fixture(scope="session")
        async def worker():
            task = asyncio.create_task(asyncio.sleep(60))
            yield
            task.cancel()

        @pytest.fixture
        def asking(request):
            request.getfixturevalue("worker")

        async def test_request(asking, client):
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=1)


def test_a_task_that_only_needs_the_loop_to_turn_is_let_end(shop: Project) -> None:
    result = shop.run("""
        import asyncio

        async def turn():
            for _ in range(3):
                await asyncio.sleep(0)

        async def test_request(client):
            await client.get("/authors")
            asyncio.create_task(turn())
    """)

    result.assert_outcomes(passed=1)


def test_a_request_that_goes_on_is_told_of_once(project: Project) -> None:
    project.write(
        "shop/main.py",
        MAIN
        + """
import asyncio

@app.get("/slow")
async def slow(session: Session) -> None:
    await asyncio.gather(asyncio.sleep(60), asyncio.sleep(60))
""",
    )

    result = project.run("""
        import pytest
        from harness.asgi.client import ClientOptions

        @pytest.fixture
        def harness_client_options():
            return ClientOptions(grace_seconds=0.1)

        async def test_slow(client):
            import httpx
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/slow", timeout=0.1)
    """)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*[[]unfinished-request]"])
    result.stdout.no_fnmatch_line("*unfinished-task*")


def test_only_the_topmost_of_tasks_is_named(project: Project) -> None:
    result = project.run("""
        import asyncio

        async def outer():
            await asyncio.wait_for(inner(), 60)

        async def inner():
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))

        async def test_that_forgets(client):
            asyncio.create_task(outer())
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["a task that the test started still ran*", "  Task-*: outer *"])


def test_a_test_that_uses_no_database_is_left_alone(project: Project) -> None:
    result = project.run("""
        import asyncio

        async def test_request(client):
            await client.get("/authors")

        async def test_without():
            asyncio.create_task(asyncio.sleep(60))
    """)

    result.assert_outcomes(passed=2)


def test_a_session_of_a_forgotten_task_is_closed_before_the_test_is_undone(shop: Project) -> None:
    result = shop.run("""
        import asyncio
        from sqlalchemy import text

        async def hold(has_begun):
            from shop.database import sessions
            async with sessions() as session:
                await session.execute(text("INSERT INTO authors (name) VALUES ('ada')"))
                has_begun.set()
                await asyncio.sleep(60)

        async def test_that_forgets(client):
            assert (await client.get("/authors")).json() == 5
            has_begun = asyncio.Event()
            asyncio.create_task(hold(has_begun))
            await has_begun.wait()

        async def test_afterwards(client):
            assert (await client.post("/authors/ada")).json() == 6
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*hold waits at test_shop.py:10  await asyncio.sleep(60)"])


def test_with_a_warning_in_place_of_an_error_the_test_passes(project: Project) -> None:
    project.configure(
        table=f'{TABLE}\nescape = "warn"\n',
        pytest_options=SESSION_LOOPS.replace('filterwarnings = ["error"]', ""),
    )

    result = project.run(FORGOTTEN)

    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*EscapeWarning: a task that the test started still ran*"])
