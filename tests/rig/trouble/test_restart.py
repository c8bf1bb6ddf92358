"""A server that goes away and comes back: its port, its rows, its owners, and the engines on it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from harness.database.clones import begun_run
from harness.database.clones.names import lock_of, run_of
from harness.database.embedded import EmbeddedServer
from harness.database.external import ExternalServer
from harness.database.owned import OwnedServer
from harness.database.system import SystemServer
from harness.errors import NoPostgresError
from harness.rig.trouble.refusal import CannotTroubleError
from harness.rig.trouble.restart import (
    Shutdown,
    keep_answered_commits,
    restart,
    stopped,
    why_not_restart,
)
from tests.rig.trouble.conftest import EngineOn
from tests.rig.trouble.seen import answers, failure_of, fill_pool, sqlstate_of

JOINER = """
import os, sys
from harness.database.lease import Lease
from harness.database.owned import OwnedServer
from harness.rig.trouble.restart import stopped
server = OwnedServer.join(Lease.from_json(sys.stdin.readline()))
with stopped(server):
    print("down", flush=True)
    sys.stdin.readline()
print("up", flush=True)
"""
BOTH = pytest.mark.parametrize("how", list(Shutdown))


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """One that a test may leave in any state."""
    with closing(EmbeddedServer.start()) as server:
        yield server


def _write(engine_on: EngineOn, url: URL, note: str) -> None:
    with engine_on(url).begin() as connection:
        connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})


def _notes(engine_on: EngineOn, url: URL) -> list[str]:
    with engine_on(url).connect() as connection:
        return list(connection.scalars(text("SELECT text FROM notes")))


def _postmaster(server: OwnedServer) -> int:
    return int((server.session.data / "postmaster.pid").read_text().split()[0])


@BOTH
def test_it_is_another_process_on_the_same_port_with_the_same_rows(
    server: EmbeddedServer, url: URL, *, engine_on: EngineOn, how: Shutdown
) -> None:
    keep_answered_commits(url)
    before = _postmaster(server)
    _write(engine_on, url, "kept")

    outage = restart(server, how=how)

    assert _postmaster(server) != before
    assert _notes(engine_on, url) == ["kept"]
    assert outage.until_seconds > outage.from_seconds


def test_nobody_answers_inside_the_block(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    with stopped(server):
        error = failure_of(engine_on(url))

    assert "refused" in str(error)
    assert answers(engine_on(url))


@BOTH
def test_without_pre_ping_one_request_pays(
    server: EmbeddedServer, url: URL, *, engine_on: EngineOn, how: Shutdown
) -> None:
    engine = engine_on(url)
    fill_pool(engine, 3)
    restart(server, how=how)

    error = failure_of(engine)

    assert isinstance(error, OperationalError)
    assert error.connection_invalidated
    # An immediate stop may leave no time for the message.
    assert sqlstate_of(error) in {"fast": ("57P01",), "immediate": ("57P02", None)}[how]
    assert all(answers(engine) for _ in range(3))


def test_with_pre_ping_nobody_notices(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    engine = engine_on(url, pool_pre_ping=True)
    fill_pool(engine, 3)
    restart(server)

    error = failure_of(engine)

    assert error is None


def test_settings_that_it_was_started_with_hold(
    server: EmbeddedServer, engine_on: EngineOn
) -> None:
    engine = engine_on(server.address.url("postgres", driver="psycopg"), pool_pre_ping=True)
    restart(server)

    with engine.connect() as connection:
        allowed = connection.scalar(text("SHOW max_connections"))

    assert allowed == "16"


def test_answered_commits_survive_an_immediate_stop(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    keep_answered_commits(url)
    engine = engine_on(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO notes VALUES ('answered')"))

    with stopped(server, how=Shutdown.IMMEDIATE):
        pass

    assert _notes(engine_on, url) == ["answered"]


def test_it_comes_back_when_the_block_raises(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    with pytest.raises(ZeroDivisionError), stopped(server):
        _ = 1 / 0

    assert answers(engine_on(url))


def test_any_owner_may_restart_it(own_server: EmbeddedServer, engine_on: EngineOn) -> None:
    engine = engine_on(own_server.address.url("postgres", driver="psycopg"))
    with _joined(own_server) as joiner:
        assert _line(joiner) == "down"
        error = failure_of(engine)
        _tell(joiner, "")
        assert _line(joiner) == "up"

    assert error is not None
    assert answers(engine)


def test_an_owner_that_is_killed_while_it_is_down_leaves_nothing() -> None:
    server = EmbeddedServer.start()
    folder = Path(server.lease.folder)
    with _joined(server) as joiner:
        assert _line(joiner) == "down"
        joiner.kill()

    server.close()

    assert not folder.exists()


def test_closing_right_after_a_restart_leaves_no_process(own_server: EmbeddedServer) -> None:
    restart(own_server)
    postmaster = _postmaster(own_server)

    own_server.close()

    with pytest.raises(ProcessLookupError):
        os.kill(postmaster, 0)


def test_the_runs_lock_and_database_survive(own_server: EmbeddedServer) -> None:
    with begun_run(own_server.address) as run:
        restart(own_server)

        asyncio.run(_until_locked(own_server, lock_of(run_of(run.database) or "")))
        with begun_run(own_server.address) as another:  # it sweeps what is left of dead runs
            assert run.activity().sessions == 0
            assert another.database != run.database


def test_a_run_that_ends_after_a_restart_drops_its_database(
    own_server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with begun_run(own_server.address) as run:
        restart(own_server)

    assert asyncio.run(_value(own_server, _COUNT, run.database)) == 0
    assert capsys.readouterr().err == ""


def test_the_lock_is_given_back_after_a_restart(own_server: EmbeddedServer) -> None:
    with begun_run(own_server.address) as run:
        restart(own_server)
        key = lock_of(run_of(run.database) or "")
        asyncio.run(_until_locked(own_server, key))

    assert asyncio.run(_value(own_server, _TRY, key)) is True


@pytest.mark.group("system")
def test_the_systems_programs_are_restarted_too(engine_on: EngineOn) -> None:
    try:
        server = SystemServer.start()
    except NoPostgresError as error:
        pytest.skip(error.what)
    with closing(server):
        restart(server)

        assert answers(engine_on(server.address.url("postgres", driver="psycopg")))


def test_a_server_that_is_not_ours_is_left_alone(server: EmbeddedServer) -> None:
    url = server.address.url("postgres").set(drivername="postgresql")
    theirs = ExternalServer.at(url.render_as_string(hide_password=False))

    with pytest.raises(CannotTroubleError, match="was not started by the harness"):
        restart(theirs)

    assert why_not_restart(theirs)
    assert why_not_restart(server) is None


_COUNT = "SELECT count(*) FROM pg_database WHERE datname = $1"
_TRY = "SELECT pg_try_advisory_lock($1)"


async def _value(server: OwnedServer, query: str, *values: object) -> object:
    address = server.address
    connection = await asyncpg.connect(
        host=address.host, port=address.port, user=address.user, password=address.password
    )
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def _until_locked(server: OwnedServer, key: int) -> None:
    async with asyncio.timeout(10):
        while await _value(server, _TRY, key):  # noqa: ASYNC110 - another process takes it
            await asyncio.sleep(0.01)


def _joined(server: OwnedServer) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", JOINER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    _tell(process, server.lease.to_json())
    return process


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
