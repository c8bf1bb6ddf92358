"""Who may connect to a run's database while tests are rolled back, and who is noticed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import psycopg
import pytest

from harness.database.admin import run_admin
from harness.database.clones import Run, begun_run
from harness.database.clones.baseline import Baseline
from harness.database.clones.seal import Seal, watch_over
from harness.database.clones.strategy import Strategy
from harness.database.clones.supply import Supply
from harness.database.clones.tripwire import Tripwire
from harness.database.embedded import EmbeddedServer
from harness.database.rollback.escapes import Escapes, Unwatched
from harness.database.server import ServerAddress
from harness.errors import EscapedConnectionError, EscapeWarning, UnreachableTargetError

REFUSED = "not currently accepting connections"
ATTEMPTS = 100
PATIENCE_SECONDS = 10.0
KILLED = """
import os, signal, sys
from harness.database.clones import begun_run
from harness.database.clones.seal import Seal
from harness.database.server import ServerAddress

host, port, user, password = sys.argv[1:]
with begun_run(ServerAddress(host, int(port), user, password)) as run:
    Seal(run).begin_test(0)
    print(run.database, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
PARALLEL = """
CREATE TABLE big AS SELECT generate_series(1, 10000) AS n;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET debug_parallel_query = on
"""


@pytest.fixture(scope="module")
def address() -> Iterator[ServerAddress]:
    with closing(EmbeddedServer.start(max_connections=30)) as server:
        yield server.address


@pytest.fixture
def run(address: ServerAddress) -> Iterator[Run]:
    with begun_run(address) as run:
        yield run


@pytest.fixture
def seal(run: Run) -> Seal:
    return Seal(run)


@pytest.fixture
def tripwire(run: Run) -> Tripwire:
    return Tripwire(run)


def connected(run: Run, *, name: str = "a stranger") -> psycopg.Connection[tuple[object, ...]]:
    url = run.backstage.address.url(run.database).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), application_name=name)


def came_and_left(run: Run) -> None:
    """A stranger that is gone: who closes a connection does not wait for the server to end it."""
    url = run.backstage.address.url("postgres").set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as watching:
        with connected(run) as stranger:
            pid = stranger.info.backend_pid
        until_seconds = time.monotonic() + PATIENCE_SECONDS
        while watching.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            assert time.monotonic() < until_seconds
            time.sleep(0.005)


def is_open(run: Run) -> bool:
    try:
        connected(run).close()
    except psycopg.OperationalError as error:
        assert REFUSED in str(error)  # noqa: PT017 - what is asked is whether it is that one
        return False
    return True


def nobody() -> set[int]:
    return set()


# ---- sealed


def test_a_database_is_open_until_a_test_begins(run: Run, seal: Seal) -> None:
    assert is_open(run)

    seal.begin_test(0)

    assert not is_open(run)


def test_it_stays_shut_from_test_to_test(run: Run, seal: Seal) -> None:
    seal.begin_test(0)
    assert seal.end_test(0, nobody) is None

    assert seal.is_shut
    assert not is_open(run)


def test_it_is_open_while_we_connect_ourselves(run: Run, seal: Seal) -> None:
    seal.begin_test(0)

    with seal.let_in():
        ours = connected(run)

    assert not is_open(run)
    assert ours.execute("SELECT 1").fetchone() == (1,)
    ours.close()


def test_it_is_shut_by_the_last_of_several_that_connect_at_once(run: Run, seal: Seal) -> None:
    seal.begin_test(0)
    seen = []

    with seal.let_in():
        with seal.let_in():
            seen.append(is_open(run))
        seen.append(is_open(run))

    assert [*seen, is_open(run)] == [True, True, False]


def test_threads_that_connect_at_once_all_come_in(run: Run, seal: Seal) -> None:
    seal.begin_test(0)

    def connect(_: int) -> None:
        with seal.let_in():
            connected(run).close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(connect, range(16)))

    assert not is_open(run)


def test_it_is_shut_after_a_connection_that_fails(run: Run, seal: Seal) -> None:
    seal.begin_test(0)

    with pytest.raises(ZeroDivisionError), seal.let_in():
        raise ZeroDivisionError

    assert not is_open(run)


def test_between_tests_it_is_open_for_what_belongs_to_the_base_line(run: Run, seal: Seal) -> None:
    seal.begin_test(0)
    seal.step_aside()

    assert is_open(run)


def test_in_the_middle_of_a_test_it_is_open_for_a_lifespan(run: Run, seal: Seal) -> None:
    seal.begin_test(0)

    with seal.aside(lambda: 0):
        assert is_open(run)

    assert not is_open(run)


def test_a_server_that_is_gone_does_not_hide_what_happened(address: ServerAddress) -> None:
    with begun_run(address) as run:
        seal = Seal(run)
        seal.begin_test(0)
        with suppress(ZeroDivisionError), seal.let_in():
            run_admin(address, [f'DROP DATABASE "{run.database}" WITH (FORCE)'])
            raise ZeroDivisionError

    assert seal.is_shut  # nobody knows: the next to connect opens it again


def test_workers_of_a_parallel_query_are_no_strangers(run: Run, seal: Seal) -> None:
    ours = connected(run)
    ours.execute(PARALLEL)
    ours.commit()

    seal.begin_test(0)

    assert ours.execute("SELECT count(*) FROM big WHERE n % 2 = 0").fetchone() == (5000,)
    ours.close()


def test_a_sealed_database_is_copied_for_tests_in_clone_mode(run: Run, seal: Seal) -> None:
    class Uses:
        real_uses = 0
        connects = 0

        def let_go(self) -> set[int]:
            return set()

    seal.begin_test(0)
    supply = Supply(run, Baseline(run, Uses()), Strategy(run))

    copy = supply.take()

    url = run.backstage.address.url(copy.name).set(drivername="postgresql")
    psycopg.connect(url.render_as_string(hide_password=False)).close()


def test_what_a_killed_run_has_sealed_is_cleared_away_by_the_next(address: ServerAddress) -> None:
    place = [address.host, str(address.port), address.user, address.password or ""]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *place], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    query = "SELECT count(*) FROM pg_database WHERE datname = $1"
    for _ in range(ATTEMPTS):  # until the server has noticed that its client is gone
        with begun_run(address) as run:
            left = run.backstage.call(run.backstage.value(query, killed.stdout.strip()))
        if left == 0:
            break

    assert left == 0


# ---- what watches


def test_a_database_of_our_own_is_sealed(run: Run) -> None:
    assert isinstance(watch_over(run, "error"), Seal)
    assert is_open(run)


def test_where_strangers_are_let_in_they_are_counted(run: Run) -> None:
    assert isinstance(watch_over(run, "warn"), Tripwire)


def test_where_the_server_does_not_let_us_seal_strangers_are_counted(
    address: ServerAddress,
) -> None:
    run_admin(address, ["CREATE ROLE limited LOGIN CREATEDB PASSWORD 'limited'"])
    limited = ServerAddress(address.host, address.port, "limited", "limited")
    with begun_run(limited) as run:
        run_admin(address, [f'ALTER DATABASE "{run.database}" OWNER TO "{address.user}"'])

        watch = watch_over(run, "error")

        run_admin(address, [f'ALTER DATABASE "{run.database}" OWNER TO limited'])
    run_admin(address, ["DROP ROLE limited"])
    assert isinstance(watch, Tripwire)


def test_a_server_that_is_gone_is_an_error_with_its_address() -> None:
    with closing(EmbeddedServer.start()) as server, begun_run(server.address) as run:
        server.close()
        with pytest.raises(UnreachableTargetError, match=str(server.address.port)):
            watch_over(run, "error")


def test_what_nobody_watches_lets_everybody_in() -> None:
    watch = Unwatched()
    watch.begin_test(0)
    watch.step_aside()

    with watch.let_in(), watch.aside(lambda: 0):
        assert not watch.is_shut

    assert watch.end_test(0, nobody) is None


# ---- counted


def test_strangers_that_are_still_there_are_named(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(0)
    names = ("ours", "a worker", "ours, too")
    ours, stranger, another = [connected(run, name=name) for name in names]

    told = tripwire.end_test(2, lambda: {ours.info.backend_pid, another.info.backend_pid})

    assert told is not None
    assert told.startswith(f"1 session on {run.database!r} began in a test that is rolled back")
    assert told.endswith(": a worker from 127.0.0.1")
    for connection in (ours, stranger, another):
        connection.close()


def test_strangers_that_are_gone_are_counted(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(0)
    for _ in range(2):
        came_and_left(run)

    told = tripwire.end_test(0, nobody)

    assert told is not None
    assert told.endswith(": 2 that ended meanwhile")


def test_a_stranger_is_told_of_once(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(0)
    came_and_left(run)
    tripwire.end_test(0, nobody)

    tripwire.begin_test(0)

    assert tripwire.end_test(0, nobody) is None


def test_our_own_connections_are_no_strangers(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(3)
    connected(run).close()

    assert tripwire.end_test(4, nobody) is None


def test_a_connection_of_ours_that_has_failed_makes_nobody_a_stranger(
    run: Run, tripwire: Tripwire
) -> None:
    tripwire.begin_test(0)
    assert tripwire.end_test(1, nobody) is None
    connected(run).close()

    tripwire.begin_test(1)

    assert tripwire.end_test(1, nobody) is None


def test_what_connects_between_tests_belongs_to_the_base_line(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(0)
    tripwire.end_test(0, nobody)
    tripwire.step_aside()
    connected(run).close()

    tripwire.begin_test(0)

    assert tripwire.end_test(0, nobody) is None


def test_what_a_lifespan_connects_belongs_to_the_base_line(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(0)

    with tripwire.aside(lambda: 0), tripwire.let_in():
        connected(run).close()

    assert tripwire.end_test(0, nobody) is None


def test_a_debugger_in_the_middle_of_a_test_is_no_stranger(run: Run, tripwire: Tripwire) -> None:
    tripwire.begin_test(0)
    tripwire.step_aside()
    connected(run).close()

    assert tripwire.end_test(0, nobody) is None


# ---- judged


def test_an_escape_at_the_end_of_a_test_is_kept_until_somebody_asks(
    run: Run, tripwire: Tripwire
) -> None:
    escapes = Escapes(watch=tripwire)
    tripwire.begin_test(0)
    connected(run).close()

    escapes.end_test(0, nobody)

    assert [type(found) for found in escapes.take_found()] == [EscapedConnectionError]
    assert escapes.take_found() == []


def test_an_escape_is_a_warning_where_that_is_the_policy() -> None:
    escapes = Escapes("warn")

    with pytest.warns(EscapeWarning, match="to the moon, not to 'shop'"):
        escapes.connected_elsewhere("the moon", database="shop")
