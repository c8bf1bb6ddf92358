"""The counts of a real server: what becomes of a block's statements, and when there are none."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from sqlalchemy import URL, Engine, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from harness.capture import SourceMap, recording
from harness.capture.server_tally import ServerTally
from harness.checks.reconciliation import reconciled
from harness.checks.server_origins import Origin
from harness.database.admin import run_admin
from harness.database.embedded import EmbeddedServer
from harness.database.server import PostgresServer, ServerAddress
from harness.database.server_counts import server_counts
from harness.errors import UnreachableTargetError
from harness.findings import Verdict
from tests.database.counting_servers import PLACES, started
from tests.databases import create_database, drop_database

SHOP = "counted_shop"


@pytest.fixture(scope="module", params=PLACES)
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    with started(request.param) as server:
        yield server


@pytest.fixture
def address(server: PostgresServer) -> Iterator[ServerAddress]:
    """Of a server with an empty database for the test."""
    create_database(server.address, SHOP)
    yield server.address
    drop_database(server.address, SHOP)


@contextmanager
def connected(address: ServerAddress, database: str = SHOP) -> Iterator[Engine]:
    """An engine that has introduced itself already."""
    engine = create_engine(address.url(database, driver="psycopg"))
    try:
        engine.connect().close()
        yield engine
    finally:
        engine.dispose()


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def calls_of(tally: ServerTally) -> dict[str, int]:
    return {each.shape.text: each.calls for each in tally.shapes}


def databases(address: ServerAddress) -> set[str]:
    with connected(address, "postgres") as engine, engine.connect() as connection:
        return set(connection.scalars(text("SELECT datname FROM pg_database")))


def test_calls_and_rows_of_a_block_are_told_by_shape(address: ServerAddress) -> None:
    with connected(address) as engine, server_counts(address, SHOP) as counts:
        run(engine, "SELECT generate_series(1, 3)", "SELECT generate_series(1, 5)")

    (series,) = (each for each in counts.tally.shapes if "series" in each.shape.text)
    assert counts.tally.verdict is Verdict.PASS
    assert (series.shape.text, series.calls, series.rows) == ("SELECT generate_series(?)", 2, 8)
    assert series.seconds > 0


def test_what_ran_before_the_block_is_not_counted(address: ServerAddress) -> None:
    with connected(address) as engine:
        run(engine, "SELECT 1")
        with server_counts(address, SHOP) as counts:
            run(engine, "SELECT 1", "SELECT 1")

    assert calls_of(counts.tally) == {"SELECT ?": 2, "BEGIN": 1, "COMMIT": 1}


def test_other_databases_are_left_out_and_so_is_what_counting_takes(
    address: ServerAddress,
) -> None:
    with connected(address, "postgres") as engine, server_counts(address, SHOP) as counts:
        run(engine, "SELECT 1")

    assert counts.tally == ServerTally(SHOP, Verdict.PASS)


def test_other_roles_are_counted_apart(address: ServerAddress) -> None:
    role = f"clerk_{secrets.token_hex(4)}"
    run_admin(address, [f"CREATE ROLE {role}"])
    with connected(address) as engine, server_counts(address, SHOP) as counts:
        run(engine, f"SET ROLE {role}", "SELECT 1", "RESET ROLE")

    assert counts.tally.other_roles == ((role, 2),)  # RESET ROLE still is the clerk's
    assert "SELECT ?" not in calls_of(counts.tally)


def test_the_statements_of_a_role_are_told_where_it_is_asked_for(address: ServerAddress) -> None:
    role = f"clerk_{secrets.token_hex(4)}"
    run_admin(address, [f"CREATE ROLE {role}"])
    with connected(address) as engine, server_counts(address, SHOP, roles={role}) as counts:
        run(engine, f"SET ROLE {role}", "SELECT 1", "RESET ROLE")

    assert calls_of(counts.tally)["SELECT ?"] == 1


def test_nothing_is_left_on_the_server(address: ServerAddress) -> None:
    before = databases(address)

    with server_counts(address, SHOP):
        during = databases(address)

    assert len(during - before) == 1
    assert databases(address) == before


def test_nothing_is_left_on_the_server_when_the_block_raises(address: ServerAddress) -> None:
    before = databases(address)

    with pytest.raises(ZeroDivisionError), server_counts(address, SHOP) as counts:
        raise ZeroDivisionError

    assert counts.tally.verdict is Verdict.INCONCLUSIVE
    assert databases(address) == before


def test_the_counted_database_may_be_copied_meanwhile(address: ServerAddress) -> None:
    with server_counts(address, SHOP) as counts:
        create_database(address, "counted_copy", template=SHOP)
        drop_database(address, "counted_copy")

    assert counts.tally.verdict is Verdict.PASS


def test_an_extension_in_the_maintenance_database_is_used_and_stays(
    address: ServerAddress,
) -> None:
    run_admin(address, ["CREATE SCHEMA watch", "CREATE EXTENSION pg_stat_statements SCHEMA watch"])
    before = databases(address)
    with ExitStack() as stack:
        stack.callback(run_admin, address, ["DROP SCHEMA watch CASCADE"])
        engine = stack.enter_context(connected(address))

        with server_counts(address, SHOP) as counts:
            assert databases(address) == before
            run(engine, "SELECT 1")

        assert calls_of(counts.tally)["SELECT ?"] == 1
        run_admin(address, ["SELECT count(*) FROM watch.pg_stat_statements"])


def test_counts_that_somebody_reset_are_inconclusive(address: ServerAddress) -> None:
    run_admin(address, ["CREATE EXTENSION pg_stat_statements"])
    with ExitStack() as stack:
        stack.callback(run_admin, address, ["DROP EXTENSION pg_stat_statements"])

        with server_counts(address, SHOP) as counts:
            run_admin(address, ["SELECT pg_stat_statements_reset()"])

    assert counts.tally.verdict is Verdict.INCONCLUSIVE
    assert "reset" in counts.tally.reason


def test_a_database_that_was_made_anew_is_inconclusive(address: ServerAddress) -> None:
    with server_counts(address, SHOP) as counts:
        drop_database(address, SHOP)
        create_database(address, SHOP)

    assert counts.tally.verdict is Verdict.INCONCLUSIVE
    assert "made anew" in counts.tally.reason


def test_a_database_that_does_not_exist_yet_is_counted_from_its_first_statement(
    address: ServerAddress,
) -> None:
    drop_database(address, SHOP)

    with server_counts(address, SHOP) as counts:
        create_database(address, SHOP)
        with connected(address) as engine:
            run(engine, "SELECT 1")

    assert counts.tally.verdict is Verdict.PASS
    assert calls_of(counts.tally)["SELECT ?"] == 1


def test_a_role_that_may_not_create_the_extension_is_told_what_to_do(
    address: ServerAddress,
) -> None:
    role = f"clerk_{secrets.token_hex(4)}"
    run_admin(address, [f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'x'"])
    clerk = ServerAddress(address.host, address.port, role, "x")
    before = databases(address)

    with server_counts(clerk, SHOP) as counts:
        pass

    assert counts.tally.verdict is Verdict.SKIPPED
    assert f"'{role}' cannot create" in counts.tally.reason
    assert "CREATE EXTENSION pg_stat_statements in the database 'postgres'" in counts.tally.reason
    assert databases(address) == before


@pytest.mark.parametrize(
    ("driver", "pings"),
    [("asyncpg", {"BEGIN": 3, "ROLLBACK": 3}), ("psycopg2", {"SELECT ?": 3}), ("psycopg", {})],
)
async def test_pre_pings_are_told_from_the_drivers_own_sql(
    address: ServerAddress, pytestconfig: pytest.Config, driver: str, pings: dict[str, int]
) -> None:
    work = _work_awaited if driver == "asyncpg" else _work_blocking
    source = SourceMap(pytestconfig.rootpath)

    with server_counts(address, SHOP) as counts, recording(source) as recorder:
        await work(address.url(SHOP, driver=driver), checkouts=4)

    found = reconciled(recorder.snapshot(), counts.tally)
    told = {share.origin: dict(share.statements) for share in found.shares}
    assert (found.seen, found.reason) == (4, "")
    assert told.get(Origin.PRE_PING, {}) == pings
    assert Origin.OTHERS not in told


async def _work_awaited(url: URL, *, checkouts: int) -> None:
    engine = create_async_engine(url, pool_pre_ping=True)
    for _ in range(checkouts):  # all but the first get a connection that was there
        async with AsyncSession(engine) as session:
            await session.execute(select(1))
    await engine.dispose()


async def _work_blocking(url: URL, *, checkouts: int) -> None:
    engine = create_engine(url, pool_pre_ping=True)
    for _ in range(checkouts):
        with Session(engine) as session:
            session.execute(select(1))
    engine.dispose()


@pytest.mark.parametrize("place", PLACES)
def test_a_server_without_room_for_all_statements_is_inconclusive(place: str) -> None:
    with (
        started(place, {"pg_stat_statements.max": "100"}) as server,
        connected(server.address, "postgres") as engine,
        server_counts(server.address, "postgres") as counts,
    ):
        run(engine, *("SELECT 1" + ", 1" * columns for columns in range(150)))

    assert counts.tally.verdict is Verdict.INCONCLUSIVE
    assert "pg_stat_statements.max" in counts.tally.reason


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_ends_meanwhile_is_inconclusive(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with started(place) as server, server_counts(server.address, SHOP) as counts:
        server.close()

    assert counts.tally.verdict is Verdict.INCONCLUSIVE
    assert "the second reading failed" in counts.tally.reason
    assert "could not be dropped" in capsys.readouterr().err


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("pg_stat_statements.track", "none", "its track is none"),
        ("compute_query_id", "off", "compute_query_id is off"),
    ],
)
def test_a_server_that_was_told_to_count_nothing_is_skipped(
    place: str, setting: str, value: str, reason: str
) -> None:
    with (
        started(place, {setting: value}) as server,
        server_counts(server.address, SHOP) as counts,
    ):
        pass

    assert counts.tally.verdict is Verdict.SKIPPED
    assert reason in counts.tally.reason


@pytest.mark.parametrize("place", PLACES)
def test_what_a_function_runs_inside_of_a_statement_is_not_counted(place: str) -> None:
    function = (
        "CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT 1); END'"
    )
    with started(place, {"pg_stat_statements.track": "all"}) as server:
        run_admin(server.address, [function])
        with server_counts(server.address, "postgres") as counts:
            run_admin(server.address, ["SELECT one()"])

    assert calls_of(counts.tally)["SELECT one()"] == 1
    assert not any("(SELECT ?)" in text for text in calls_of(counts.tally))


def test_an_old_version_of_the_extension_is_skipped_with_the_remedy(
    address: ServerAddress,
) -> None:
    run_admin(address, ["CREATE EXTENSION pg_stat_statements VERSION '1.8'"])
    with ExitStack() as stack:
        stack.callback(run_admin, address, ["DROP EXTENSION pg_stat_statements"])

        with server_counts(address, SHOP) as counts:
            pass

    assert counts.tally.verdict is Verdict.SKIPPED
    assert "pg_stat_statements 1.8 does not tell" in counts.tally.reason
    assert "ALTER EXTENSION pg_stat_statements UPDATE" in counts.tally.reason


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_leaves_out_transaction_control_says_so(place: str) -> None:
    with (
        started(place, {"pg_stat_statements.track_utility": "off"}) as server,
        server_counts(server.address, "postgres") as counts,
    ):
        run_admin(server.address, ["BEGIN", "SELECT 1", "COMMIT"])

    assert calls_of(counts.tally)["SELECT ?"] == 1
    assert "BEGIN" not in calls_of(counts.tally)
    assert not counts.tally.has_utility


@pytest.mark.group("postgres")
def test_the_embedded_server_is_skipped_with_the_reason() -> None:
    with (
        closing(EmbeddedServer.start()) as server,
        server_counts(server.address, "postgres") as counts,
    ):
        pass

    assert counts.tally.verdict is Verdict.SKIPPED
    assert "comes without extensions" in counts.tally.reason
    assert 'postgres = "container"' in counts.tally.reason


@pytest.mark.group("system")
def test_a_server_without_the_library_loaded_is_skipped_with_the_setting() -> None:
    with (
        started("system", {"shared_preload_libraries": ""}) as server,
        server_counts(server.address, "postgres") as counts,
    ):
        pass

    assert counts.tally.verdict is Verdict.SKIPPED
    assert "shared_preload_libraries" in counts.tally.reason


def test_a_server_that_does_not_answer_is_an_error(unused_tcp_port: int) -> None:
    address = ServerAddress("127.0.0.1", unused_tcp_port, "nobody")

    with pytest.raises(UnreachableTargetError), server_counts(address, SHOP):
        pytest.fail("the block must not run")
