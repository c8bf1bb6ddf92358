"""What the probe wants to know of pools beside times: levels, waiting, and who gave back."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine, create_engine, text

from harness.capture import RequestTracker
from harness.capture.meter import Meter
from harness.capture.pool_state import PoolState


@pytest.fixture
def meter() -> Iterator[Meter]:
    """A meter at work."""
    meter = Meter(RequestTracker())
    with meter.listening():
        yield meter


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with a pool of two connections."""
    engine = create_engine(f"sqlite:///{tmp_path}/pool.db", pool_size=2, max_overflow=0)
    yield engine
    engine.dispose()


def test_a_connection_that_nobody_closed_is_reclaimed(meter: Meter, engine: Engine) -> None:
    forgotten = engine.connect()
    del forgotten
    gc.collect()

    (pool,) = meter.status()["pools"]
    assert (pool["reclaimed"], pool["checked_out"]) == (1, 0)


def test_a_connection_that_was_closed_is_not(meter: Meter, engine: Engine) -> None:
    engine.connect().close()

    assert meter.status()["pools"][0]["reclaimed"] == 0


def test_a_connection_that_was_detached_on_purpose_is_not(meter: Meter, engine: Engine) -> None:
    with engine.connect() as connection:
        connection.detach()

    assert meter.status()["pools"][0]["reclaimed"] == 0


def test_how_many_are_out_is_told_by_level(meter: Meter, engine: Engine) -> None:
    with engine.connect(), engine.connect():
        pass
    engine.connect().close()

    assert meter.status()["pools"][0]["checked_out_at"] == {"1": 2, "2": 1}


def test_the_time_in_which_somebody_waits_is_added_up_while_it_lasts(
    meter: Meter, engine: Engine
) -> None:
    is_asking = Event()

    def ask() -> None:
        is_asking.set()
        engine.connect().close()

    with ThreadPoolExecutor() as threads:
        with engine.connect(), engine.connect():
            asking = threads.submit(ask)
            is_asking.wait()
            while not meter.status()["pools"][0]["waiting"]:
                pass
            early = meter.status()["pools"][0]["waiting_seconds"]
            late = meter.status()["pools"][0]["waiting_seconds"]
        asking.result()

    (pool,) = meter.status()["pools"]
    assert 0 < early < late < pool["waiting_seconds"]
    assert pool["waiting_at"] == {"1": 1}


def test_nobody_waits_for_a_free_connection(meter: Meter, engine: Engine) -> None:
    for _ in range(2):
        engine.connect().close()

    (pool,) = meter.status()["pools"]
    assert (pool["waiting_seconds"], pool["waiting_at"]) == (0.0, {})


def test_several_waiters_at_once_are_one_stretch_of_time() -> None:
    pool = PoolState("pool 1", size=1, max_overflow=0, timeout_seconds=1)
    pool.ask()
    pool.take()
    pool.ask()
    pool.ask()
    pool.go_without()
    pool.go_without()
    before = pool.waiting_seconds
    pool.wait_on()

    assert pool.waiting_at == {1: 1, 2: 1}
    assert 0 < before == pool.waiting_seconds


def test_sql_that_runs_is_busy_time_and_the_rest_of_the_hold_is_not(
    meter: Meter, engine: Engine
) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    (pool,) = meter.status()["pools"]
    assert 0 < pool["busy_seconds"] < pool["hold"]["sum_seconds"]


def test_a_statement_that_fails_was_busy_too(meter: Meter, engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(Exception, match="no such table"):
        connection.execute(text("SELECT * FROM absent"))

    assert meter.status()["pools"][0]["busy_seconds"] > 0
