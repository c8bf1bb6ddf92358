"""No room on the server: what newcomers get, what is left alone, and that all is given back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from harness.database.admin import run_admin
from harness.database.embedded import EmbeddedServer
from harness.rig.trouble.connections import role_limited, slots_taken
from harness.rig.trouble.refusal import CannotTroubleError
from tests.rig.trouble.conftest import EngineOn
from tests.rig.trouble.seen import answers, failure_of, fill_pool, sqlstate_of

NO_ROOM = "too many clients|slots are reserved"


@pytest.fixture
def plain_url(server: EmbeddedServer, url: URL) -> Iterator[URL]:
    """The database as a role that is no superuser, as applications should be."""
    role = f"plain_{secrets.token_hex(4)}"
    run_admin(server.address, [f"CREATE ROLE {role} LOGIN PASSWORD 'plain'"])
    yield url.set(username=role, password="plain")
    run_admin(server.address, [f"DROP ROLE {role}"])


def test_a_newcomer_is_refused_and_welcome_afterwards(url: URL, engine_on: EngineOn) -> None:
    engine = engine_on(url)
    with slots_taken(url):
        error = failure_of(engine)

    assert isinstance(error, OperationalError)
    assert "too many clients" in str(error)
    assert answers(engine)


async def test_asyncpg_tells_the_state(url: URL) -> None:
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    with slots_taken(url), pytest.raises(DBAPIError) as caught:
        async with engine.connect():
            pass

    assert sqlstate_of(caught.value) == "53300"
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


def test_connections_that_are_open_go_on(url: URL, engine_on: EngineOn) -> None:
    engine = engine_on(url)
    fill_pool(engine, 1)

    with slots_taken(url):
        error = failure_of(engine)

    assert error is None


def test_a_pool_that_loses_its_connections_meanwhile_gets_none(
    url: URL, engine_on: EngineOn
) -> None:
    engine = engine_on(url, pool_pre_ping=True)
    observer, *pids = fill_pool(engine, 3)
    with slots_taken(url) as taken:
        before = taken.count
        with engine.connect() as observing:
            assert observing.scalar(text("SELECT pg_backend_pid()")) == observer
            for pid in pids:
                observing.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            deadline = time.monotonic() + 10
            while taken.count < before + len(pids) and time.monotonic() < deadline:
                observing.execute(text("SELECT 1"))
            error = failure_of(engine)

    assert "too many clients" in str(error)
    assert all(answers(engine) for _ in range(3))


def test_what_is_kept_for_superusers_stays_free(
    url: URL, plain_url: URL, engine_on: EngineOn
) -> None:
    with slots_taken(plain_url):
        refused = failure_of(engine_on(plain_url))
        administrator = failure_of(engine_on(url))

    assert "reserved" in str(refused)
    assert administrator is None


def test_as_many_as_asked_for_are_left(url: URL, engine_on: EngineOn) -> None:
    with slots_taken(url, leave=2):
        pids = fill_pool(engine_on(url), 2)
        error = failure_of(engine_on(url, pool_size=1))
        with pytest.raises(OperationalError, match=NO_ROOM):
            fill_pool(engine_on(url), 3)

    assert len(pids) == 2
    assert "too many clients" in str(error)


def test_all_is_given_back_when_the_block_raises(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    with pytest.raises(ZeroDivisionError), slots_taken(url):
        _ = 1 / 0

    assert len(fill_pool(engine_on(url, pool_size=10), 10)) == 10
    assert server.session.is_ready()


def test_a_server_that_refuses_for_other_reasons_is_told(url: URL) -> None:
    with (
        pytest.raises(CannotTroubleError, match="could not be taken: password"),
        slots_taken(url.set(password="wrong")),
    ):
        pytest.fail("the block must not run")


def test_a_limited_role_is_refused_and_nobody_else(
    url: URL, plain_url: URL, engine_on: EngineOn
) -> None:
    role = plain_url.username or ""
    engine = engine_on(plain_url)
    with role_limited(url, role=role, connections=0):
        refused = failure_of(engine)
        others = failure_of(engine_on(url))

    assert "too many connections for role" in str(refused)
    assert others is None
    assert answers(engine)


def test_connections_that_a_limited_role_has_go_on_and_count(
    url: URL, plain_url: URL, engine_on: EngineOn
) -> None:
    engine = engine_on(plain_url)
    fill_pool(engine, 2)
    with role_limited(url, role=plain_url.username or "", connections=2):
        first = failure_of(engine)
        with engine.connect(), engine.connect():
            third = failure_of(engine)

    assert first is None
    assert "too many connections for role" in str(third)
    assert len(fill_pool(engine, 3)) == 3


def test_the_limit_from_before_comes_back(server: EmbeddedServer, url: URL, plain_url: URL) -> None:
    role = plain_url.username or ""
    run_admin(server.address, [f"ALTER ROLE {role} CONNECTION LIMIT 7"])

    with pytest.raises(ZeroDivisionError), role_limited(url, role=role, connections=1):
        _ = 1 / 0

    assert _limit(url, role) == 7


def test_a_superuser_cannot_be_limited(url: URL) -> None:
    with (
        pytest.raises(CannotTroubleError, match="superuser, whom no connection limit holds"),
        role_limited(url, role=url.username or "", connections=1),
    ):
        pytest.fail("the block must not run")


def test_a_role_may_not_limit_others(url: URL, plain_url: URL) -> None:
    with (
        pytest.raises(CannotTroubleError, match="may not change the role"),
        role_limited(plain_url, role=plain_url.username or "", connections=1),
    ):
        pytest.fail("the block must not run")

    assert _limit(url, plain_url.username or "") == -1


def _limit(url: URL, role: str) -> int:
    engine = create_engine(url)
    query = text("SELECT rolconnlimit FROM pg_roles WHERE rolname = :role")
    with engine.connect() as connection:
        limit = int(connection.execute(query, {"role": role}).scalar_one())
    engine.dispose()
    return limit
