"""Connections that the server ends: which ones, what an application sees, who may."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from harness.database.admin import run_admin
from harness.database.embedded import EmbeddedServer
from harness.errors import UnreachableTargetError
from harness.rig.trouble.backends import kill_backends, killing_backends
from harness.rig.trouble.refusal import CannotTroubleError
from tests.rig.trouble.conftest import EngineOn
from tests.rig.trouble.seen import answers, failure_of, fill_pool, sqlstate_of


@pytest.fixture
def weak_url(server: EmbeddedServer, url: URL) -> Iterator[URL]:
    """The same database as a role that may nothing but enter."""
    role = f"weak_{secrets.token_hex(4)}"
    run_admin(server.address, [f"CREATE ROLE {role} LOGIN PASSWORD 'weak'"])
    yield url.set(username=role, password="weak")
    run_admin(server.address, [f"DROP ROLE {role}"])


def test_all_connections_of_the_application_are_ended(url: URL, engine_on: EngineOn) -> None:
    pids = fill_pool(engine_on(url), 3)

    kill = kill_backends(url)

    assert {each.pid for each in kill.killed} == set(pids)
    assert {each.state for each in kill.killed} == {"idle"}


def test_a_share_takes_those_that_have_lasted_longest(url: URL, engine_on: EngineOn) -> None:
    pids = fill_pool(engine_on(url), 4)

    kill = kill_backends(url, share=0.5)

    assert [each.pid for each in kill.killed] == pids[:2]
    assert kill.spared == 2


def test_an_observer_is_spared(url: URL, engine_on: EngineOn) -> None:
    observer, *others = fill_pool(engine_on(url), 3)

    kill = kill_backends(url, spare=[observer])

    assert {each.pid for each in kill.killed} == set(others)


def test_connections_to_other_databases_are_left_alone(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    neighbour = engine_on(server.address.url("postgres", driver="psycopg"))
    fill_pool(neighbour, 1)

    kill = kill_backends(url)

    assert kill.killed == ()
    assert answers(neighbour)


def test_without_pre_ping_one_request_pays_and_the_pool_recovers(
    url: URL, engine_on: EngineOn
) -> None:
    engine = engine_on(url)
    fill_pool(engine, 3)
    kill_backends(url)

    error = failure_of(engine)

    assert isinstance(error, OperationalError)
    assert error.connection_invalidated
    assert sqlstate_of(error) == "57P01"
    assert all(answers(engine) for _ in range(3))


def test_with_pre_ping_nobody_notices(url: URL, engine_on: EngineOn) -> None:
    engine = engine_on(url, pool_pre_ping=True)
    before = fill_pool(engine, 3)
    kill_backends(url)

    error = failure_of(engine)

    assert error is None
    assert not set(fill_pool(engine, 3)) & set(before)


async def test_asyncpg_sees_a_closed_connection(url: URL) -> None:
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    kill_backends(url)

    async with engine.connect() as connection:
        with pytest.raises(Exception, match=r"connection (was|is) closed|terminating") as caught:
            await connection.execute(text("SELECT 1"))

    assert getattr(caught.value, "connection_invalidated", False)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


def test_a_statement_that_runs_is_cut_off(url: URL, engine_on: EngineOn) -> None:
    engine = engine_on(url)
    errors: list[str | None] = []
    started = threading.Event()

    def work() -> None:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                started.set()
                connection.execute(text("SELECT pg_sleep(30)"))
        except OperationalError as error:
            errors.append(sqlstate_of(error))

    worker = threading.Thread(target=work)
    worker.start()
    started.wait(10)
    kill_backends(url)
    worker.join(10)

    assert errors == ["57P01"]


def test_it_goes_on_until_the_block_ends(url: URL, engine_on: EngineOn) -> None:
    engine = engine_on(url, pool_pre_ping=True)
    deadline = time.monotonic() + 10
    with killing_backends(url, every_seconds=0.02) as kills:
        while sum(len(kill.killed) for kill in kills) < 3 and time.monotonic() < deadline:
            failure_of(engine)

    strokes = len(kills)
    assert strokes >= 3
    assert all(answers(engine) for _ in range(20))
    assert len(kills) == strokes


def test_a_role_that_may_not_is_told_what_it_lacks(
    url: URL, weak_url: URL, engine_on: EngineOn
) -> None:
    engine = engine_on(url)
    fill_pool(engine, 1)

    with pytest.raises(CannotTroubleError, match="may not end the application's") as caught:
        kill_backends(weak_url)

    assert "pg_signal_backend" in str(caught.value)
    assert answers(engine)


def test_a_server_that_does_not_answer_is_an_error_of_its_own(url: URL) -> None:
    with pytest.raises(UnreachableTargetError, match="no connection"):
        kill_backends(url.set(password="wrong"))
