"""Where the two counts cannot be brought together: each case shown, and documented."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from harness.capture import SourceMap, recording
from harness.checks.reconciliation import Reconciliation, reconciled
from harness.checks.server_origins import Origin
from harness.database.server import PostgresServer, ServerAddress
from harness.database.server_counts import server_counts
from tests.database.counting_servers import PLACES, started
from tests.databases import create_database, drop_database

Scenario = Callable[[Connection], None]
SHOP = "differing_shop"
TABLES = MetaData()
SMALL = Table("small", TABLES, Column("id", Integer, primary_key=True), Column("name", String))
ELSEWHERE = Table("small", MetaData(), Column("id", Integer, primary_key=True), schema="tenant")


def _schema_translate_map(connection: Connection) -> None:
    options = {"schema_translate_map": {"tenant": "public"}}
    connection.execute(select(ELSEWHERE.c.id), execution_options=options)


def _rewritten(connection: Connection) -> None:
    def rewrite(*arguments: object) -> tuple[str, object]:
        return f"{arguments[2]} LIMIT 1", arguments[3]

    event.listen(connection, "before_cursor_execute", rewrite, retval=True)
    connection.execute(select(SMALL.c.id))


def _several_at_once(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1; SELECT id FROM small")


def _prepared_in_sql(connection: Connection) -> None:
    connection.execute(text("PREPARE one AS SELECT id FROM small"))
    connection.execute(text("EXECUTE one"))


def _minus_without_a_space(connection: Connection) -> None:
    connection.execute(text("SELECT id -1 FROM small"))


def _one_in_two_writings(connection: Connection) -> None:
    connection.execute(text("select id as key from small"))
    connection.execute(text("SELECT id FROM small"))


DIFFERENCES: dict[str, Scenario] = {
    "schema_translate_map": _schema_translate_map,
    "rewritten by a listener": _rewritten,
    "several statements at once": _several_at_once,
    "PREPARE and EXECUTE": _prepared_in_sql,
    "minus without a space": _minus_without_a_space,
    "one statement in two writings": _one_in_two_writings,
}


def _written_out_by_the_driver(connection: Connection) -> None:
    """Values of many types, which psycopg2 writes into the text."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    values = (1, -2, 2.5, Decimal("-1.5"), True, None, "it's", b"\0", now, now.date())
    for value in (*values, timedelta(days=1), uuid.UUID(int=1), "back\\slash"):
        connection.execute(select(literal(value)))
    connection.execute(
        select(SMALL.c.id).where(SMALL.c.id == bindparam("x", [1, 2], ARRAY(Integer)).any_())
    )


def _expanded(connection: Connection) -> None:
    for values in ([], [1], [1, 2]):
        connection.execute(select(SMALL).where(SMALL.c.id.in_(values)))
        connection.execute(select(SMALL).where(SMALL.c.id.not_in(values)))
        pairs = [(value, "a") for value in values]
        connection.execute(select(SMALL).where(tuple_(SMALL.c.id, SMALL.c.name).in_(pairs)))


def _streamed(connection: Connection) -> None:
    connection.execution_options(yield_per=2).execute(select(SMALL.c.name)).all()


def _one_by_one(connection: Connection) -> None:
    renaming = update(SMALL).where(SMALL.c.id == bindparam("key")).values(name="x")
    connection.execute(renaming, [{"key": key} for key in range(3)])


AGREEMENTS: dict[str, Scenario] = {
    "values that a driver writes out": _written_out_by_the_driver,
    "lists": _expanded,
    "streamed rows": _streamed,
    "executemany": _one_by_one,
    "tables": TABLES.create_all,
}


@pytest.fixture(scope="module", params=PLACES)
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    with started(request.param) as server:
        yield server


@pytest.fixture
def address(server: PostgresServer) -> Iterator[ServerAddress]:
    """Of a server with a database whose statements nobody has counted yet."""
    create_database(server.address, SHOP)
    yield server.address
    drop_database(server.address, SHOP)


def _found(
    address: ServerAddress, driver: str, scenario: Scenario, root: SourceMap
) -> Reconciliation:
    url: URL = address.url(SHOP, driver=driver)
    engine = create_engine(url)
    try:
        TABLES.create_all(engine)
        with (
            server_counts(address, SHOP) as counts,
            recording(root) as recorder,
            engine.begin() as connection,
        ):
            scenario(connection)
    finally:
        engine.dispose()
    return reconciled(recorder.snapshot(), counts.tally)


@pytest.fixture
def source(pytestconfig: pytest.Config) -> SourceMap:
    return SourceMap(pytestconfig.rootpath)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_text_that_the_server_tells_otherwise_is_not_found(
    address: ServerAddress, source: SourceMap, name: str
) -> None:
    found = _found(address, "psycopg2", DIFFERENCES[name], source)

    assert found.lost > 0


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("name", AGREEMENTS)
def test_what_drivers_and_sqlalchemy_make_of_a_statement_is_undone(
    address: ServerAddress, source: SourceMap, name: str, driver: str
) -> None:
    found = _found(address, driver, AGREEMENTS[name], source)

    assert found.seen > 0
    assert (found.reason, found.uncounted) == ("", 0)
    assert Origin.OTHERS not in {share.origin for share in found.shares}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_difference_is_documented(pytestconfig: pytest.Config, name: str) -> None:
    text = (pytestconfig.rootpath / "docs/reference/server-counts.md").read_text("utf-8")

    assert f"| {name} |" in text
