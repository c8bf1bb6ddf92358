"""Statements are counted by executing them: nobody else may notice, and none is counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, event, insert, text
from sqlalchemy.exc import OperationalError

from harness.capture import RequestTracker
from harness.capture.meter import Meter
from harness.capture.requests import ActiveRequest, current_request
from harness.database.server import PostgresServer


@pytest.fixture
def meter() -> Iterator[Meter]:
    """A meter at work."""
    meter = Meter(RequestTracker())
    with meter.listening():
        yield meter


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A file of SQLite."""
    engine = create_engine(f"sqlite:///{tmp_path}/counted.db")
    yield engine
    engine.dispose()


@pytest.fixture
def request_under_way(meter: Meter) -> Iterator[ActiveRequest]:
    """A request that the test works on."""
    request = meter.tracker.begin({"type": "http", "method": "GET", "path": "/"})
    token = current_request.set(request)
    yield request
    current_request.reset(token)


def counted(meter: Meter) -> int:
    """Statements outside of requests."""
    status = meter.status()
    assert status["failure"] == ""
    counted: int = status["unattributed_statements"]
    return counted


def test_a_listener_that_executes_by_itself_still_does(meter: Meter, engine: Engine) -> None:
    heard: list[str] = []

    @event.listens_for(engine, "do_execute")
    def execute_another(cursor: Any, statement: str, *_: object) -> bool:  # noqa: ANN401 - a DBAPI's
        heard.append(statement)
        cursor.execute("SELECT 2")
        return True

    with engine.connect() as connection:
        found = connection.execute(text("SELECT :one"), {"one": 1}).scalar_one()

    assert (found, heard, counted(meter)) == (2, ["SELECT ?"], 1)


def test_a_listener_that_only_looks_is_asked_too(meter: Meter, engine: Engine) -> None:
    heard: list[str] = []

    @event.listens_for(engine, "do_execute")
    def look(_: object, statement: str, *__: object) -> None:
        heard.append(statement)

    with engine.connect() as connection:
        found = connection.execute(text("SELECT :one"), {"one": 1}).scalar_one()

    assert (found, heard, counted(meter)) == (1, ["SELECT ?"], 1)


def test_two_meters_count_each_statement_once_each(meter: Meter, engine: Engine) -> None:
    other = Meter(RequestTracker())
    with other.listening(), engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    assert (counted(meter), counted(other)) == (1, 1)


def test_a_statement_that_fails_is_counted_once(meter: Meter, engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(OperationalError, match="no such table"):
        connection.execute(text("SELECT * FROM nowhere"))

    assert counted(meter) == 1


def test_a_statement_that_failed_runs_no_longer(meter: Meter, engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(OperationalError, match="no such table"):
            connection.execute(text("SELECT * FROM nowhere"))
        (out,) = meter.status()["outstanding"]

    assert out["is_executing"] is False


def test_many_rows_in_batches_are_one_statement_and_a_round_trip_each(
    engine: Engine, request_under_way: ActiveRequest
) -> None:
    numbers = Table("numbers", MetaData(), Column("id", Integer, primary_key=True))
    with engine.begin() as connection:
        numbers.create(connection)
        before = request_under_way.usage.statements
        trips = request_under_way.usage.round_trips
        rows = [{"id": number} for number in range(6)]
        writing = insert(numbers).returning(numbers.c.id)
        paged = connection.execution_options(insertmanyvalues_page_size=2)
        paged.execute(writing, rows).all()

    assert request_under_way.usage.statements - before == 1
    assert request_under_way.usage.round_trips - trips == 3


def test_savepoints_are_no_statements_and_busy_time_all_the_same(
    meter: Meter, engine: Engine, request_under_way: ActiveRequest
) -> None:
    with engine.begin() as connection:
        for _ in range(20):
            with connection.begin_nested():
                """Nothing but SAVEPOINT and RELEASE."""

    usage, (pool,) = request_under_way.usage, meter.status()["pools"]
    assert (usage.statements, usage.round_trips) == (0, 0)
    assert usage.busy_seconds > 0
    assert usage.busy_seconds == pytest.approx(pool["busy_seconds"])


@pytest.mark.parametrize("parameters", [[{"id": 1}, {"id": 2}], None])
def test_the_other_ways_to_a_cursor_are_counted_too(
    meter: Meter, engine: Engine, parameters: list[dict[str, int]] | None
) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (id INTEGER)"))
        if parameters:
            connection.execute(text("INSERT INTO numbers VALUES (:id)"), parameters)
        else:
            bare = connection.execution_options(no_parameters=True)
            bare.exec_driver_sql("INSERT INTO numbers VALUES (1)")

    assert counted(meter) == 2


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_what_sqlalchemy_asks_while_it_connects_is_not_the_applications(
    meter: Meter, harness_postgres: PostgresServer, driver: str
) -> None:
    url = harness_postgres.address.url("postgres").set(drivername=f"postgresql+{driver}")
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()

    assert counted(meter) == 1


def test_nothing_is_lost_between_two_times_of_adding_up(meter: Meter, engine: Engine) -> None:
    for _ in range(150):
        engine.connect().close()

    (pool,) = meter.status()["pools"]
    assert sum(pool["wait"]["counts"].values()) == pool["checkouts"] == 150
    assert sum(pool["hold"]["counts"].values()) == 150


def test_two_lines_that_ask_in_the_same_way_are_told_apart(meter: Meter, engine: Engine) -> None:
    first = engine.connect()
    second = engine.connect()
    lines = [out["site"]["line"] for out in meter.status()["outstanding"]]
    second.close()
    first.close()

    assert lines[1] == lines[0] + 1
