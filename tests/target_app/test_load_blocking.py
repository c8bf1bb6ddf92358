"""What the load faults block, share and use up: the loop, a session, the database's time.

And the workloads of known capacity, which must be exactly what they claim. Times are compared with
what the workload itself takes, in the direction in which a busy machine cannot be wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import URL, text

from tests.target_app.in_process import Running, load_faults

CLIENTS = 40
BLOCKED_MILLISECONDS = 300
BESIDE_MILLISECONDS = 1500
"""Of a twin: a busy machine stops a process for 270 ms [measured], and its loop with it."""
BEAT_SECONDS = 0.005
PATIENCE_SECONDS = 30.0
ASLEEP = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event = 'PgSleep' AND datname = current_database()"
)
both = pytest.mark.parametrize(
    ("prefix", "is_faulty"), [("/faults", True), ("/twins", False)], ids=["fault", "twin"]
)


@pytest_asyncio.fixture
async def app(real_postgresql: URL) -> AsyncIterator[Running]:
    async with load_faults(real_postgresql) as run:
        yield run


@dataclass(slots=True)
class Heart:
    """Beats on the loop, and knows its longest pause."""

    last: float
    longest_seconds: float = 0.0

    def beat(self) -> None:
        now = perf_counter()
        self.longest_seconds = max(self.longest_seconds, now - self.last)
        self.last = now


@contextmanager
def heartbeat() -> Iterator[Heart]:
    """Beat inside the block."""
    loop = asyncio.get_running_loop()
    heart = Heart(perf_counter())
    handle = loop.call_soon(heart.beat)

    def beat() -> None:
        nonlocal handle
        heart.beat()
        handle = loop.call_later(BEAT_SECONDS, beat)

    beat()
    try:
        yield heart
        heart.beat()
    finally:
        handle.cancel()


@both
@pytest.mark.parametrize("name", ["session", "sleep", "cpu"])
async def test_the_loop_stands_still_for_as_long_as_the_work_takes(
    app: Running, name: str, prefix: str, *, is_faulty: bool
) -> None:
    path = f"{prefix}/sync-on-loop/{name}?milliseconds="
    await app.client.get(f"{path}0")  # the first request of an application builds its routes
    milliseconds = BLOCKED_MILLISECONDS if is_faulty else BESIDE_MILLISECONDS
    with heartbeat() as heart:
        answer = await app.client.get(f"{path}{milliseconds}")

    assert answer.status_code == 200
    assert (heart.longest_seconds >= milliseconds / 1000) == is_faulty


@pytest.mark.parametrize("blocking", ["/faults/sync-on-loop/sleep", "/capacity/cpu"])
async def test_no_other_request_is_answered_while_the_loop_stands_still(
    app: Running, blocking: str
) -> None:
    finished: list[str] = []

    async def ask(path: str) -> None:
        await app.client.get(path, params={"milliseconds": 100})
        finished.append(path)

    await asyncio.gather(ask(blocking), ask("/health/live"))

    assert finished == [blocking, "/health/live"]


async def _statuses(app: Running, path: str, *, clients: int) -> list[int]:
    """What so many clients get at once, where an exception is a 500 as under a server."""
    transport = httpx.ASGITransport(app.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answers = await asyncio.gather(*(client.get(path) for _ in range(clients)))
    return [answer.status_code for answer in answers]


@both
@pytest.mark.parametrize("name", ["thread-local", "global"])
async def test_a_shared_session_fails_when_forty_clients_come_at_once(
    app: Running, name: str, prefix: str, *, is_faulty: bool
) -> None:
    path = f"{prefix}/shared-session/{name}?milliseconds=5"

    statuses = await _statuses(app, path, clients=CLIENTS)

    assert (500 in statuses) == is_faulty


@pytest.mark.parametrize("name", ["thread-local", "global"])
async def test_a_shared_session_serves_one_client_after_the_other(app: Running, name: str) -> None:
    path = f"/faults/shared-session/{name}?milliseconds=1"

    statuses = [(await _statuses(app, path, clients=1))[0] for _ in range(3)]

    assert statuses == [200, 200, 200]


async def test_a_global_session_is_given_back_when_the_application_ends(
    real_postgresql: URL,
) -> None:
    async with load_faults(real_postgresql) as run:
        await run.client.get("/faults/shared-session/global?milliseconds=1")
        held = run.connections_out

    assert held == 1
    assert not run.app.state.session_of_all.in_transaction()


RUNAWAYS = pytest.mark.parametrize(
    ("path", "answer"),
    [("sleep?milliseconds=600", "users"), ("cartesian?rows=5000", "pairs")],
    ids=["sleep", "cartesian"],
)


@RUNAWAYS
async def test_a_runaway_query_escapes_the_limit_of_the_application(
    real_postgresql: URL, path: str, answer: str
) -> None:
    async with load_faults(real_postgresql, statement_timeout=0.2) as run:
        late = await run.client.get(f"/faults/runaway-query/{path}")

    assert late.status_code == 200
    assert answer in late.json()


@RUNAWAYS
async def test_the_twin_of_a_runaway_query_gives_up_and_says_so(
    app: Running, path: str, answer: str
) -> None:
    refused = await app.client.get(f"/twins/runaway-query/{path}")

    assert answer not in refused.json()
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]


@both
async def test_the_limit_of_a_statement_ends_with_its_transaction(
    real_postgresql: URL, prefix: str, *, is_faulty: bool
) -> None:
    async with load_faults(
        real_postgresql, pool_size=1, max_overflow=0, statement_timeout=17
    ) as run:
        await run.client.get(f"{prefix}/runaway-query/sleep?milliseconds=1")
        async with run.database.engine.connect() as connection:
            limit = await connection.scalar(text("SHOW statement_timeout"))

    assert limit == "17s", is_faulty


async def test_as_many_requests_work_at_a_time_as_there_are_keys(real_postgresql: URL) -> None:
    path = "/capacity/locks?keys=2&milliseconds=100"
    async with load_faults(real_postgresql, pool_size=6) as run:
        started = perf_counter()
        answers = await asyncio.gather(*(run.client.get(path) for _ in range(6)))
        seconds = perf_counter() - started

    assert sorted(answer.json()["key"] for answer in answers) == [0, 0, 0, 1, 1, 1]
    assert seconds >= 3 * 0.1


async def test_as_many_requests_sleep_at_a_time_as_there_are_connections(
    real_postgresql: URL,
) -> None:
    path = "/capacity/sleep?milliseconds=500"
    async with load_faults(real_postgresql, pool_size=7, max_overflow=0) as run:
        requested = [asyncio.create_task(run.client.get(path)) for _ in range(6)]
        async with asyncio.timeout(PATIENCE_SECONDS), run.database.engine.connect() as watching:
            while await watching.scalar(ASLEEP) < len(requested):
                await watching.rollback()  # a transaction sees the activity of its first look

        statuses = {answer.status_code for answer in await asyncio.gather(*requested)}

    assert statuses == {200}
