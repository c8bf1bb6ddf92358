"""The watcher of a real server: whose connections it counts, and what it says when it cannot."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from harness.database.activity import ActivitySampler, activity_sampler
from harness.database.activity_samples import ActivityReading, ActivitySample
from harness.database.admin import run_admin
from harness.database.embedded import EmbeddedServer
from harness.database.server import ServerAddress
from harness.errors import UnreachableTargetError
from harness.rig.trouble.connections import slots_taken
from harness.rig.trouble.restart import restart
from tests.databases import create_database, drop_database

PATIENCE_SECONDS = 30.0
EVERY_SECONDS = 0.02


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with closing(EmbeddedServer.start(max_connections=20)) as server:
        yield server


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    name = f"watched_{secrets.token_hex(4)}"
    create_database(server.address, name)
    yield name
    drop_database(server.address, name)


@pytest.fixture
def engine(server: EmbeddedServer, database: str) -> Iterator[Engine]:
    """The application's."""
    engine = create_engine(server.address.url(database, driver="psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
def sampler(server: EmbeddedServer, database: str) -> Iterator[ActivitySampler]:
    with activity_sampler(server.address, database, every_seconds=EVERY_SECONDS) as sampler:
        yield sampler


def seen(sampler: ActivitySampler, wanted: Callable[[ActivitySample], bool]) -> ActivitySample:
    """The first sample of a new window that looks as wanted."""
    sampler.begin()
    until = time.monotonic() + PATIENCE_SECONDS
    reading = ActivityReading(None, "")
    while time.monotonic() < until:
        reading = sampler.reading()
        for sample in reading.series:
            if wanted(sample):
                return sample
        time.sleep(EVERY_SECONDS)
    pytest.fail(f"not seen; the last: {reading.series[-1:]}, {reading.reason}")


def is_one_idle_alone(sample: ActivitySample) -> bool:
    """Others may be ending yet: those that made the database."""
    return (sample.idle, sample.others) == (1, 0)


def reading_with_samples(sampler: ActivitySampler) -> ActivityReading:
    seen(sampler, lambda _: True)
    return sampler.reading()


@contextmanager
def running(connection: Connection, statement: str) -> Iterator[None]:
    """A statement runs while the block lasts; it is cancelled then."""
    thread = threading.Thread(target=lambda: _failing(connection, statement))
    thread.start()
    try:
        yield
    finally:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.cancel()
        thread.join()


def _failing(connection: Connection, statement: str) -> None:
    with pytest.raises(Exception, match="canceling statement"):
        connection.execute(text(statement))


def test_states_of_the_applications_connections_are_told_apart(
    sampler: ActivitySampler, engine: Engine
) -> None:
    with engine.connect() as idle, engine.connect() as open_, engine.connect() as busy:
        idle.rollback()
        open_.execute(text("SELECT 1"))
        with running(busy, "SELECT pg_sleep(60)"):
            sample = seen(sampler, lambda item: item.active == 1)

    assert (sample.active, sample.idle_in_transaction, sample.lock_waiting) == (1, 1, 0)


def test_a_connection_that_waits_for_a_lock_is_active_and_told_apart(
    sampler: ActivitySampler, engine: Engine
) -> None:
    with engine.connect() as holder, engine.connect() as waiter:
        holder.execute(text("SELECT pg_advisory_xact_lock(1)"))
        with running(waiter, "SELECT pg_advisory_xact_lock(1)"):
            sample = seen(sampler, lambda item: item.lock_waiting == 1)

    assert (sample.active, sample.idle_in_transaction) == (1, 1)


def test_an_aborted_transaction_is_idle_in_transaction(
    sampler: ActivitySampler, engine: Engine
) -> None:
    with engine.connect() as connection:
        with pytest.raises(Exception, match="division by zero"):
            connection.execute(text("SELECT 1 / 0"))
        sample = seen(sampler, lambda item: item.idle_in_transaction == 1)

    assert sample.active == 0


def test_how_long_a_transaction_has_been_idle_is_told(
    sampler: ActivitySampler, engine: Engine
) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        sample = seen(sampler, lambda item: item.longest_idle_in_transaction_seconds > 0.1)

    assert sample.idle_in_transaction == 1


def test_connections_to_other_databases_are_others(
    sampler: ActivitySampler, server: EmbeddedServer
) -> None:
    elsewhere = create_engine(server.address.url("postgres", driver="psycopg"))
    with closing(elsewhere.raw_connection()):
        sample = seen(sampler, lambda item: item.others == 1)
    elsewhere.dispose()

    assert (sample.active, sample.idle, sample.idle_in_transaction) == (0, 0, 0)


def test_our_own_connections_are_nobodys(sampler: ActivitySampler, engine: Engine) -> None:
    ours = create_engine(engine.url.update_query_dict({"application_name": "harness trouble"}))
    with closing(ours.raw_connection()), engine.connect():
        sample = seen(sampler, is_one_idle_alone)
    ours.dispose()

    assert sample.active == 0


def test_the_name_that_an_application_gives_itself_changes_nothing(
    sampler: ActivitySampler, engine: Engine
) -> None:
    named = create_engine(engine.url.update_query_dict({"application_name": "the shop"}))
    with closing(named.raw_connection()):
        sample = seen(sampler, is_one_idle_alone)
    named.dispose()

    assert sample.active == 0


def test_what_the_server_allows_is_told(
    sampler: ActivitySampler, server: EmbeddedServer, database: str
) -> None:
    run_admin(server.address, [f"ALTER DATABASE \"{database}\" SET statement_timeout = '2500ms'"])

    with activity_sampler(server.address, database) as later:
        window = reading_with_samples(later).window

    assert window is not None
    assert (window.max_connections, window.reserved_connections) == (20, 3)
    assert window.statement_timeout_seconds == 2.5
    assert sampler.limits.statement_timeout_seconds == 0.0


def test_a_server_without_a_free_connection_is_still_watched(
    sampler: ActivitySampler, server: EmbeddedServer
) -> None:
    with slots_taken(server.address.url("postgres")):
        sampler.begin()
        reading = reading_with_samples(sampler)

    assert reading.window is not None
    assert reading.reason == ""


def test_a_restarted_server_is_watched_again_and_the_gap_is_told(
    sampler: ActivitySampler, server: EmbeddedServer
) -> None:
    sampler.begin()
    restart(server)
    until = time.monotonic() + PATIENCE_SECONDS
    while not (reading := sampler.reading()).series and time.monotonic() < until:
        time.sleep(EVERY_SECONDS)
    while "did not answer" not in sampler.reading().reason and time.monotonic() < until:
        time.sleep(EVERY_SECONDS)

    assert reading.window is not None
    assert "the server did not answer" in sampler.reading().reason


@contextmanager
def as_role(server: EmbeddedServer, *statements: str) -> Iterator[ServerAddress]:
    """The server, for a role of its own."""
    role = f"watcher_{secrets.token_hex(4)}"
    run_admin(
        server.address,
        [
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            *(item.format(role=role) for item in statements),
        ],
    )
    try:
        yield replace(server.address, user=role, password="x")
    finally:
        run_admin(server.address, [f"DROP ROLE {role}"])


def test_a_role_that_may_not_look_is_told_so(
    server: EmbeddedServer, engine: Engine, database: str
) -> None:
    with (
        as_role(server) as address,
        engine.connect(),
        activity_sampler(address, database, every_seconds=EVERY_SECONDS) as sampler,
    ):
        reading = reading_with_samples(sampler)

    assert reading.window is None
    assert "grant pg_read_all_stats" in reading.reason


def test_a_role_that_may_look_sees_everything(
    server: EmbeddedServer, engine: Engine, database: str
) -> None:
    with (
        as_role(server, "GRANT pg_read_all_stats TO {role}") as address,
        engine.connect(),
        activity_sampler(address, database, every_seconds=EVERY_SECONDS) as sampler,
    ):
        reading = reading_with_samples(sampler)

    assert reading.window is not None
    assert reading.window.idle == 1.0


def test_activities_that_are_not_tracked_are_told_so(
    sampler: ActivitySampler, engine: Engine
) -> None:
    with engine.connect() as connection:
        connection.execute(text("SET track_activities = off"))
        connection.commit()
        reading = reading_with_samples(sampler)

    assert reading.window is None
    assert "set track_activities = on" in reading.reason


def test_a_database_that_is_not_there_is_an_error_at_once(server: EmbeddedServer) -> None:
    with (
        pytest.raises(UnreachableTargetError, match="the activity of 'nowhere' cannot be watched"),
        activity_sampler(server.address, "nowhere"),
    ):
        pass


def test_the_connection_and_the_thread_are_given_back(
    server: EmbeddedServer, database: str
) -> None:
    with activity_sampler(server.address, database, every_seconds=EVERY_SECONDS) as sampler:
        backend = sampler.backend
        names = [thread.name for thread in threading.enumerate()]
    admin = create_engine(server.address.url("postgres", driver="psycopg"))
    until = time.monotonic() + PATIENCE_SECONDS
    with admin.connect() as connection:
        query = text(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}")
        while (left := connection.scalar(query)) and time.monotonic() < until:
            connection.rollback()
    admin.dispose()

    assert left == 0
    assert "harness activity" in names
    assert "harness activity" not in [thread.name for thread in threading.enumerate()]
