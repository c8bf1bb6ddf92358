"""What goes wrong between the application and a real database is a 503, never a stack trace."""

import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import URL, create_engine, func, select, text
from sqlalchemy.sql import TextClause

from harness.database.admin import run_admin
from harness.database.server import PostgresServer
from target_app.db import BlockingSession, DatabaseOfApp, Session
from tests.databases import create_database, drop_database
from tests.target_app.in_process import Running, running
from tests.target_app.proxy import Proxy

BOTH_ENGINES = pytest.mark.parametrize("engine", ["async", "thread"])
SETTINGS_OF_SERVER = {
    "application_name": "target_app",
    "statement_timeout": "1500ms",
    "idle_in_transaction_session_timeout": "2500ms",
}
SLOW = text("SELECT pg_sleep(60)")
QUICK = text("SELECT 1")

routes = APIRouter()


def _statement(name: str) -> TextClause:
    return {"quick": QUICK, "slow": SLOW}.get(name, text(f"SHOW {name}"))


@routes.get("/async/{statement}")
async def run_async(session: Session, statement: str) -> object:
    return await session.scalar(_statement(statement))


@routes.get("/thread/{statement}")
def run_in_thread(session: BlockingSession, statement: str) -> object:
    return session.scalar(_statement(statement))


@routes.get("/paused")
async def pause_inside_the_transaction(session: Session, database: DatabaseOfApp) -> None:
    own = await session.scalar(select(func.pg_backend_pid()))
    alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid").bindparams(pid=own)
    async with database.engine.connect() as other:
        await other.execution_options(isolation_level="AUTOCOMMIT")
        while await other.scalar(alive):
            pass
    await session.execute(QUICK)


def _is_refusal(answer: httpx.Response, records: list[logging.LogRecord]) -> bool:
    """Whether the answer is what a client and an operator can use."""
    (record,) = [record for record in records if record.name.startswith("target_app")]
    is_one_line = "\n" not in record.getMessage() and record.exc_info is None
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0 and is_one_line


@BOTH_ENGINES
async def test_an_exhausted_pool_is_503(
    real_url: URL, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    only_one = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}
    async with running(real_url, routes, **only_one) as run:
        with run.database.sync_engine.connect():
            async with run.database.engine.connect():
                answer = await run.client.get(f"/{engine}/quick")

        assert _is_refusal(answer, caplog.records)
        assert (await run.client.get(f"/{engine}/quick")).status_code == 200


@pytest.fixture
def limited_url(harness_postgres: PostgresServer, real_postgresql: URL) -> Iterator[URL]:
    """The URL of a role that may have one connection."""
    role = f"limited_{secrets.token_hex(4)}"
    password = secrets.token_hex(8)
    run_admin(
        harness_postgres.address,
        [
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}' CONNECTION LIMIT 1",
            f"GRANT pg_read_all_data TO {role}",
        ],
    )
    yield real_postgresql.set(username=role, password=password)
    run_admin(harness_postgres.address, [f"DROP ROLE {role}"])


@BOTH_ENGINES
async def test_too_many_clients_is_503(
    limited_url: URL, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(limited_url, routes) as run:
        async with run.database.engine.connect():
            answer = await run.client.get(f"/{engine}/quick")

        assert _is_refusal(answer, caplog.records)
        assert "too many connections" in caplog.text


@BOTH_ENGINES
@pytest.mark.parametrize("unit_of_work", ["dependency", "middleware"])
async def test_a_runaway_statement_is_cancelled_and_503(
    real_postgresql: URL, engine: str, unit_of_work: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"statement_timeout": 0.5, "unit_of_work": unit_of_work}
    async with running(real_postgresql, routes, **settings) as run:
        answer = await run.client.get(f"/{engine}/slow")

        assert _is_refusal(answer, caplog.records)
        assert "statement timeout" in caplog.text
        assert (await run.client.get(f"/{engine}/quick")).status_code == 200


@BOTH_ENGINES
async def test_every_connection_has_its_name_and_its_timeouts(
    real_postgresql: URL, engine: str
) -> None:
    timeouts = {"statement_timeout": 1.5, "idle_in_transaction_timeout": 2.5}
    async with running(real_postgresql, routes, **timeouts) as run:
        shown = {
            name: (await run.client.get(f"/{engine}/{name}")).json() for name in SETTINGS_OF_SERVER
        }

    assert shown == SETTINGS_OF_SERVER


async def test_a_transaction_that_does_nothing_for_too_long_is_ended_and_503(
    real_postgresql: URL, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(real_postgresql, routes, idle_in_transaction_timeout=0.5) as run:
        answer = await run.client.get("/paused")

    assert _is_refusal(answer, caplog.records)


@BOTH_ENGINES
@pytest.mark.parametrize(
    ("pool_pre_ping", "statuses"), [(True, [200, 200]), (False, [503, 200])], ids=["ping", "none"]
)
async def test_ended_connections_cost_a_503_each_or_with_pre_ping_nothing(
    harness_postgres: PostgresServer,
    real_postgresql: URL,
    engine: str,
    *,
    pool_pre_ping: bool,
    statuses: list[int],
) -> None:
    end_all = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE datname = '{real_postgresql.database}'"
    )
    async with running(real_postgresql, routes, pool_pre_ping=pool_pre_ping) as run:
        assert (await run.client.get(f"/{engine}/quick")).status_code == 200
        run_admin(harness_postgres.address, [end_all])

        answers = [await run.client.get(f"/{engine}/quick") for _ in range(2)]

    assert [answer.status_code for answer in answers] == statuses


@BOTH_ENGINES
async def test_a_locked_sqlite_is_503(
    database_file: Path, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    impatient = URL.create(
        "sqlite+aiosqlite", database=str(database_file), query={"timeout": "0.05"}
    )
    other = create_engine(f"sqlite:///{database_file}")
    async with running(impatient, routes) as run:
        with other.connect() as writer:
            writer.exec_driver_sql("BEGIN IMMEDIATE")
            answer = await run.client.get(f"/{engine}/quick")

        assert _is_refusal(answer, caplog.records)
        assert (await run.client.get(f"/{engine}/quick")).status_code == 200
    other.dispose()


@asynccontextmanager
async def _behind_proxy(url: URL) -> AsyncIterator[tuple[Running, Proxy]]:
    async with Proxy(str(url.host), int(url.port or 0)) as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port)
        async with running(through, routes) as run:
            yield run, proxy


@BOTH_ENGINES
async def test_a_server_that_is_gone_is_503_until_it_is_back(
    real_postgresql: URL, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with _behind_proxy(real_postgresql) as (run, proxy):
        before = await run.client.get(f"/{engine}/quick")
        await proxy.stop()
        meanwhile = await run.client.get(f"/{engine}/quick")
        await proxy.start()
        after = await run.client.get(f"/{engine}/quick")

    assert [before.status_code, after.status_code] == [200, 200]
    assert _is_refusal(meanwhile, caplog.records)


async def test_without_its_server_the_application_is_alive_and_not_ready(
    real_postgresql: URL,
) -> None:
    async with _behind_proxy(real_postgresql) as (run, proxy):
        await proxy.stop()

        statuses = {
            check: (await run.client.get(f"/health/{check}")).status_code
            for check in ("live", "ready")
        }

    assert statuses == {"live": 200, "ready": 503}


@pytest.fixture
def doomed(harness_postgres: PostgresServer, real_postgresql: URL) -> Iterator[URL]:
    """A database that the test may drop."""
    name = f"doomed_{secrets.token_hex(4)}"
    create_database(harness_postgres.address, name, template=real_postgresql.database)
    yield real_postgresql.set(database=name)
    drop_database(harness_postgres.address, name)


@BOTH_ENGINES
async def test_a_dropped_database_is_503(
    harness_postgres: PostgresServer, doomed: URL, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(doomed, routes) as run:
        drop_database(harness_postgres.address, str(doomed.database))

        answer = await run.client.get(f"/{engine}/quick")

        assert _is_refusal(answer, caplog.records)
        assert (await run.client.get("/health/ready")).status_code == 503
        assert (await run.client.get("/health/live")).status_code == 200
