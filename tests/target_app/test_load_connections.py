"""What the load faults do to connections, counted on a real PostgreSQL; their twins do not.

The slow part is a server that answers when the test says so, wherever the fault waits for HTTP:
what is held is counted while the fault stands still, not after a guessed time.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from time import perf_counter

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import URL, select

from harness.database.admin import run_admin
from harness.database.server import PostgresServer
from target_app.faults.load.retry_storm import ATTEMPTS
from target_app.models import Account
from tests.target_app.in_process import Exchange, Running, load_faults
from tests.target_app.slow_server import SlowServer, slow_server

# What the leaks leave behind is collected in these tests, or it would fail a later one.
pytestmark = pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up")

PATIENCE_SECONDS = 30.0
both = pytest.mark.parametrize(
    ("prefix", "is_faulty"), [("/faults", True), ("/twins", False)], ids=["fault", "twin"]
)


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[SlowServer]:
    async with slow_server() as server:
        yield server


@pytest_asyncio.fixture
async def app(real_postgresql: URL) -> AsyncIterator[Running]:
    async with load_faults(real_postgresql) as run:
        yield run


async def _until(is_reached: Callable[[], bool]) -> None:
    """Let the loop go on until something has happened."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_reached():  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0)


@both
async def test_a_connection_is_held_over_an_http_call(
    app: Running, slow: SlowServer, prefix: str, *, is_faulty: bool
) -> None:
    request = asyncio.create_task(app.client.get(f"{slow.url}{prefix}/held-connection/http"))
    await slow.called.wait()

    held = app.connections_out
    slow.released.set()

    assert held == is_faulty
    assert (await request).status_code == 200
    assert app.connections_out == 0


@both
async def test_a_connection_is_held_while_a_body_is_streamed(
    app: Running, prefix: str, *, is_faulty: bool
) -> None:
    reader = Exchange(f"{prefix}/held-connection/stream", pause_after_chunks=1)
    reading = asyncio.create_task(reader.run(app.app))
    await reader.paused.wait()

    held = app.connections_out
    reader.resumed.set()
    await reading

    assert held == is_faulty
    assert len(reader.lines) == 5
    assert app.connections_out == 0


@both
async def test_a_connection_is_held_by_a_background_task(
    app: Running, slow: SlowServer, prefix: str, *, is_faulty: bool
) -> None:
    url = f"{slow.url}{prefix}/held-connection/background"
    request = asyncio.create_task(app.client.post(url))
    await slow.called.wait()

    held = app.connections_out
    slow.released.set()
    await request

    assert held == is_faulty
    assert app.connections_out == 0


@asynccontextmanager
async def _pool_of(url: URL, size: int, *, pool_timeout: float) -> AsyncIterator[Running]:
    settings = {"pool_size": size, "max_overflow": 0, "pool_timeout": pool_timeout}
    async with load_faults(url, **settings) as run:
        yield run


async def _at_once(run: Running, path: str, requests: int) -> list[httpx.Response]:
    return await asyncio.gather(*(run.client.get(path) for _ in range(requests)))


NESTED = [("two", 10, 11), ("three", 5, 11)]
STANDSTILL_SECONDS = 0.8


@pytest.mark.parametrize(("name", "requests", "enough"), NESTED)
async def test_nested_checkouts_stand_still_with_one_connection_less_than_the_formula_says(
    real_postgresql: URL, name: str, requests: int, enough: int
) -> None:
    # Long enough for all to have a connection before the first of them asks for its last.
    path = f"/faults/nested-checkout/{name}?milliseconds=300"
    async with _pool_of(real_postgresql, enough - 1, pool_timeout=STANDSTILL_SECONDS) as run:
        started = perf_counter()
        requested = [asyncio.create_task(run.client.get(path)) for _ in range(requests)]
        await asyncio.wait(requested, return_when=asyncio.FIRST_COMPLETED)
        first_seconds = perf_counter() - started

        statuses = [(await request).status_code for request in requested]

    assert first_seconds >= STANDSTILL_SECONDS
    assert set(statuses) <= {200, 503}
    assert 503 in statuses


@pytest.mark.parametrize(("name", "requests", "enough"), NESTED)
async def test_nested_checkouts_run_through_with_as_many_connections_as_the_formula_says(
    real_postgresql: URL, name: str, requests: int, enough: int
) -> None:
    path = f"/faults/nested-checkout/{name}?milliseconds=5"
    async with _pool_of(real_postgresql, enough, pool_timeout=PATIENCE_SECONDS) as run:
        answers = await _at_once(run, path, requests)

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(("name", "requests"), [(name, requests) for name, requests, _ in NESTED])
async def test_the_twin_of_a_nested_checkout_needs_one_connection_for_all(
    real_postgresql: URL, name: str, requests: int
) -> None:
    path = f"/twins/nested-checkout/{name}?milliseconds=5"
    async with _pool_of(real_postgresql, 1, pool_timeout=PATIENCE_SECONDS) as run:
        answers = await _at_once(run, path, requests)

    assert {answer.status_code for answer in answers} == {200}


@both
async def test_a_session_that_is_never_closed_costs_a_connection_per_request(
    app: Running, prefix: str, *, is_faulty: bool
) -> None:
    for _ in range(3):
        await app.client.get(f"{prefix}/leak/never-closed")

    gc.collect()

    assert app.connections_out == (3 if is_faulty else 0)


async def test_what_is_never_closed_is_given_back_when_the_application_ends(
    real_postgresql: URL,
) -> None:
    async with load_faults(real_postgresql) as run:
        await run.client.get("/faults/leak/never-closed")
        (session,) = run.app.state.kept.sessions
        was_open = session.in_transaction()

    assert was_open
    assert not session.in_transaction()


async def test_a_used_up_pool_is_503_for_everybody(real_postgresql: URL) -> None:
    async with _pool_of(real_postgresql, 1, pool_timeout=0.05) as run:
        await run.client.get("/faults/leak/never-closed")

        answer = await run.client.get("/users")

    assert answer.status_code == 503


@pytest.fixture
def _collected_only_on_request() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


@pytest.mark.usefixtures("_collected_only_on_request")
@both
async def test_an_abandoned_generator_holds_its_connection_until_it_is_collected(
    app: Running, caplog: pytest.LogCaptureFixture, prefix: str, *, is_faulty: bool
) -> None:
    for _ in range(3):
        await app.client.get(f"{prefix}/leak/abandoned-generator")
    held = app.connections_out

    gc.collect()

    assert held == (3 if is_faulty else 0)
    assert app.connections_out == 0
    assert ("garbage collector is trying to clean up" in caplog.text) == is_faulty


@both
async def test_a_task_of_nobody_holds_a_connection_after_the_answer(
    app: Running, slow: SlowServer, prefix: str, *, is_faulty: bool
) -> None:
    await app.client.post(f"{slow.url}{prefix}/leak/task")
    (task,) = app.app.state.kept.tasks
    await slow.called.wait()

    held = app.connections_out
    slow.released.set()
    await task

    assert held == is_faulty
    assert app.connections_out == 0


async def test_a_task_of_nobody_ends_with_the_application(
    real_postgresql: URL, slow: SlowServer
) -> None:
    async with load_faults(real_postgresql) as run:
        await run.client.post(f"{slow.url}/faults/leak/task")
        (task,) = run.app.state.kept.tasks
        await slow.called.wait()

    assert task.cancelled()


@both
async def test_a_row_stays_locked_while_the_payment_runs(
    app: Running, slow: SlowServer, prefix: str, *, is_faulty: bool
) -> None:
    owner = await app.add_user(f"{prefix[1:]}-payer")
    await app.add(Account(owner_id=owner.id, balance_cents=7))
    request = asyncio.create_task(app.client.get(f"{slow.url}{prefix}/lock-held/row"))
    await slow.called.wait()

    async with app.database.sessions() as session:
        accounts = (await session.scalars(select(Account).order_by(Account.id))).all()
        free = await session.scalars(select(Account).with_for_update(skip_locked=True))
        locked = len(accounts) - len(free.all())
    slow.released.set()

    assert locked == is_faulty
    assert (await request).json() == {"balance_cents": 7}


SERVER_HAS = 4


@pytest.fixture
def small_server(harness_postgres: PostgresServer, real_postgresql: URL) -> Iterator[URL]:
    """A server as far as the application can tell: its role may have so many connections."""
    role, password = f"small_{secrets.token_hex(4)}", secrets.token_hex(8)
    run_admin(
        harness_postgres.address,
        [
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}' CONNECTION LIMIT {SERVER_HAS}",
            f"GRANT pg_read_all_data TO {role}",
        ],
    )
    yield real_postgresql.set(username=role, password=password)
    run_admin(harness_postgres.address, [f"DROP ROLE {role}"])


@both
async def test_a_pool_larger_than_the_server_is_refused_by_it(
    small_server: URL, caplog: pytest.LogCaptureFixture, prefix: str, *, is_faulty: bool
) -> None:
    path = f"{prefix}/pool-larger-than-server/fleet"
    async with _pool_of(small_server, SERVER_HAS - 1, pool_timeout=PATIENCE_SECONDS) as run:
        answers = await _at_once(run, path, 3 * SERVER_HAS)

    refused = sum(answer.status_code == 503 for answer in answers)
    assert (refused > 0) == is_faulty
    assert caplog.text.count("too many connections") == refused


async def test_engine_and_http_client_of_the_faults_are_given_back_when_the_application_ends(
    real_postgresql: URL,
) -> None:
    async with load_faults(real_postgresql) as run:
        await run.client.get("/faults/pool-larger-than-server/fleet?milliseconds=1")
        engine = run.app.state.oversized_engine
        pooled = engine.pool.checkedin()

    assert pooled == 1
    assert engine.pool.checkedin() == 0
    assert run.app.state.slow_service_client.is_closed


@both
async def test_a_retry_waits_for_the_pool_several_times_and_fails_all_the_same(
    real_postgresql: URL, caplog: pytest.LogCaptureFixture, prefix: str, *, is_faulty: bool
) -> None:
    caplog.set_level("INFO", logger="target_app")
    async with _pool_of(real_postgresql, 1, pool_timeout=0.1) as run, run.database.engine.connect():
        started = perf_counter()
        answer = await run.client.get(f"{prefix}/retry-storm/pool-timeout")
        seconds = perf_counter() - started

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert caplog.text.count("trying again") == (ATTEMPTS - 1 if is_faulty else 0)
    assert not is_faulty or seconds >= ATTEMPTS * 0.1


async def test_a_retry_that_finds_a_connection_answers(
    real_postgresql: URL, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="target_app")
    async with _pool_of(real_postgresql, 1, pool_timeout=0.1) as run:
        async with run.database.engine.connect():
            request = asyncio.create_task(run.client.get("/faults/retry-storm/pool-timeout"))
            await _until(lambda: "trying again" in caplog.text)

        answer = await request

    assert answer.status_code == 200
