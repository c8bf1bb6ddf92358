"""The databases of runs: templates that the next one finds, copies made ahead, nothing left over.

A template's key is made up here; what it is made of is tested in `test_template_keys`.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from harness.database.admin import run_admin
from harness.database.clones import Run, begun_run
from harness.database.clones.backstage import backstage
from harness.database.clones.baseline import Baseline
from harness.database.clones.kept import Kept
from harness.database.clones.refusals import explained
from harness.database.clones.strategy import Strategy
from harness.database.clones.supply import Supply
from harness.database.clones.templates import MOST_TEMPLATES
from harness.database.copies import MOST_KEPT, Copy
from harness.database.embedded import EmbeddedServer
from harness.database.server import ServerAddress
from harness.errors import NoDatabaseError, UnreachableTargetError
from tests.databases import create_database, drop_database

UNDONE = """
DO $$BEGIN INSERT INTO item (body) VALUES ('undone'); RAISE 'no'; EXCEPTION WHEN OTHERS THEN END$$
"""
SETTING = """
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 100', current_database()); END$$
"""
TABLES = ["CREATE TABLE item (id serial, body text)", "INSERT INTO item (body) VALUES ('old')"]


@pytest.fixture(scope="module")
def address() -> Iterator[ServerAddress]:
    with closing(EmbeddedServer.start(max_connections=30)) as server:
        yield server.address


@dataclass
class Making:
    """Makes tables in a run's database, and counts how often it was asked to."""

    address: ServerAddress
    times: int = 0
    statements: list[str] = field(default_factory=lambda: list(TABLES))

    def tables(self, run: Run, key: str | None) -> None:
        def make() -> None:
            self.times += 1
            run_admin(self.address, self.statements, database=run.database)

        run.prepare(key, make)


@dataclass
class NoUses:
    """Nobody in this process works on the run's database."""

    real_uses: int = 0
    connects: int = 0

    def let_go(self) -> set[int]:
        return set()


@pytest.fixture
def making(address: ServerAddress) -> Making:
    return Making(address)


@pytest.fixture
def run(address: ServerAddress, making: Making) -> Iterator[Run]:
    with begun_run(address) as run:
        making.tables(run, None)
        yield run


@pytest.fixture
def supply(run: Run) -> Supply:
    return Supply(run, Baseline(run, NoUses()), Strategy(run))


def new_key() -> str:
    return secrets.token_hex(8)


def ask(address: ServerAddress, query: str, *values: object) -> list[Any]:
    with backstage(address) as behind:
        return [row[0] for row in behind.call(behind.fetch(query, *values))]


def databases(address: ServerAddress, prefix: str = "harness_") -> list[str]:
    query = "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY oid"
    return ask(address, query, prefix)


def threads() -> set[threading.Thread]:
    """Those that make and drop databases; the test run itself may have one."""
    return {thread for thread in threading.enumerate() if "databases" in thread.name}


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = threads()
    yield
    assert threads() <= before


def in_database(address: ServerAddress, database: str, *statements: str) -> None:
    run_admin(address, statements, database=database)


# ---- the run


@pytest.mark.usefixtures("no_thread_is_left")
def test_a_run_leaves_no_database_no_connection_and_no_thread(address: ServerAddress) -> None:
    with begun_run(address) as run:
        supply = Supply(run, Baseline(run, NoUses()), Strategy(run))
        supply.take()
        assert any(thread.is_alive() for thread in threads())

    assert databases(address, run.database) == []


@pytest.mark.usefixtures("no_thread_is_left")
def test_a_run_that_is_interrupted_leaves_nothing(address: ServerAddress) -> None:
    with suppress(KeyboardInterrupt), begun_run(address) as run:
        raise KeyboardInterrupt

    assert databases(address, run.database) == []


def test_names_tell_the_worker(address: ServerAddress) -> None:
    with begun_run(address, worker="gw1") as run:
        assert run.database.startswith("harness_gw1_")


KILLED = """
import os, signal, sys
from harness.database.clones import begun_run
from harness.database.server import ServerAddress
host, port, user, password = sys.argv[1:]
with begun_run(ServerAddress(host, int(port), user, password)) as run:
    copy = run.another("c")
    run.backstage.call(run.backstage.execute("CREATE DATABASE %I", copy))
    print(run.database, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_run_clears_away_what_a_killed_one_left(address: ServerAddress) -> None:
    place = [address.host, str(address.port), address.user, address.password or ""]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *place], capture_output=True, text=True, check=False
    )
    name = killed.stdout.strip()
    assert killed.returncode == -signal.SIGKILL
    assert databases(address, name) == [name, f"{name}_c1"]

    with begun_run(address):
        pass

    assert databases(address, name) == []


def test_the_next_run_leaves_what_a_living_one_has(address: ServerAddress, run: Run) -> None:
    with begun_run(address):
        pass

    assert databases(address, run.database) == [run.database]


def test_a_database_that_is_only_named_like_ours_is_left(address: ServerAddress) -> None:
    name = "harness_0123456789ab"
    create_database(address, name)

    with begun_run(address):
        pass

    assert databases(address, name) == [name]
    drop_database(address, name)


# ---- templates


def test_the_second_run_with_a_key_copies_what_the_first_has_made(
    address: ServerAddress, making: Making
) -> None:
    key = new_key()
    for _ in range(2):
        with begun_run(address) as run:
            making.tables(run, key)
            in_database(address, run.database, "INSERT INTO item (body) VALUES ('new')")

    assert making.times == 1
    assert databases(address, f"harness_tpl_{key}") == [f"harness_tpl_{key}"]


def test_another_key_makes_another_template(address: ServerAddress, making: Making) -> None:
    for key in (new_key(), new_key()):
        with begun_run(address) as run:
            making.tables(run, key)

    assert making.times == 2


def test_runs_at_once_make_a_template_once(address: ServerAddress, making: Making) -> None:
    key, together = new_key(), threading.Barrier(3)

    def one_run(_number: int) -> None:
        with begun_run(address) as run:
            together.wait(30)
            making.tables(run, key)
            in_database(address, run.database, "SELECT body FROM item")

    with ThreadPoolExecutor(3) as executor:
        list(executor.map(one_run, range(3)))

    assert making.times == 1


def test_a_template_that_fails_half_way_is_not_there_afterwards(
    address: ServerAddress, making: Making
) -> None:
    key = new_key()
    making.statements.append("CREATE NONSENSE")

    with pytest.raises(asyncpg.PostgresSyntaxError), begun_run(address) as run:
        making.tables(run, key)

    assert databases(address, run.database) == databases(address, f"harness_tpl_{key}") == []
    making.statements.pop()
    with begun_run(address) as run:
        making.tables(run, key)
    assert making.times == 2


def test_a_copy_that_cannot_become_a_template_is_dropped(
    address: ServerAddress, making: Making
) -> None:
    key = new_key()
    create_database(address, f"harness_tpl_{key}")  # somebody's own: it has no comment of ours

    with pytest.raises(NoDatabaseError, match="already exists"), begun_run(address) as run:
        making.tables(run, key)

    assert databases(address, run.database) == []
    drop_database(address, f"harness_tpl_{key}")


def test_nobody_connects_to_a_template(address: ServerAddress, making: Making) -> None:
    key = new_key()
    with begun_run(address) as run:
        making.tables(run, key)

    query = "SELECT datistemplate AND NOT datallowconn FROM pg_database WHERE datname = $1"
    assert ask(address, query, f"harness_tpl_{key}") == [True]


def test_the_templates_that_were_used_last_are_kept(address: ServerAddress, making: Making) -> None:
    keys = [new_key() for _ in range(MOST_TEMPLATES)]
    for key in [*keys, keys[0], new_key()]:
        with begun_run(address) as run:
            making.tables(run, key)

    left = databases(address, "harness_tpl_")
    assert len(left) == MOST_TEMPLATES
    assert f"harness_tpl_{keys[0]}" in left
    assert f"harness_tpl_{keys[1]}" not in left


def test_a_template_that_a_living_run_copies_is_kept(
    address: ServerAddress, making: Making
) -> None:
    made, found = new_key(), new_key()
    with begun_run(address) as before:
        making.tables(before, found)

    with begun_run(address) as maker, begun_run(address) as finder:
        making.tables(maker, made)
        making.tables(finder, found)
        for _ in range(MOST_TEMPLATES + 1):
            with begun_run(address) as run:
                making.tables(run, new_key())
        left = databases(address, "harness_tpl_")

    assert {f"harness_tpl_{made}", f"harness_tpl_{found}"} <= set(left)


def test_a_database_that_was_written_to_before_is_not_made_a_template(
    address: ServerAddress, making: Making
) -> None:
    key = new_key()
    with begun_run(address) as run:
        in_database(address, run.database, "CREATE TABLE made_at_import (id int)")
        making.tables(run, key)
        in_database(address, run.database, "SELECT FROM made_at_import, item")

    assert databases(address, f"harness_tpl_{key}") == []


# ---- copies


def test_copies_are_made_of_the_template_as_long_as_nothing_else_was_written(
    address: ServerAddress, making: Making
) -> None:
    with begun_run(address) as run:
        making.tables(run, new_key())
        copy = Supply(run, Baseline(run, NoUses()), Strategy(run)).take()

    assert copy.source == run.template


def used(supply: Supply, copy: Copy, address: ServerAddress, *statements: str) -> Copy:
    """The copy that a test gets after one that ran some statements in its own."""
    in_database(address, copy.name, *statements)
    supply.give_back(copy).result()
    return supply.take()


def second(supply: Supply) -> Copy:
    """The second copy of a source: from then on, what a fresh one looks like is known."""
    supply.give_back(supply.take()).result()
    return supply.take()


def test_a_copy_that_was_only_read_serves_the_next_test(
    supply: Supply, address: ServerAddress
) -> None:
    copy = second(supply)

    assert used(supply, copy, address, "SELECT body FROM item") == copy


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO item (body) VALUES ('new')",
        UNDONE,
        "SELECT nextval('item_id_seq')",
        "CREATE TABLE another (id int)",
        "TRUNCATE item",
        "SELECT lo_create(0)",
        "CREATE EXTENSION vector",
        SETTING,
    ],
)
def test_a_copy_that_was_written_to_does_not(
    supply: Supply, address: ServerAddress, statement: str
) -> None:
    copy = second(supply)

    after = used(supply, copy, address, statement)

    assert after != copy
    assert copy.name not in databases(address)


def test_copies_of_an_outdated_base_line_are_thrown_away(run: Run, address: ServerAddress) -> None:
    uses = NoUses()
    supply = Supply(run, Baseline(run, uses), Strategy(run))
    before = supply.take()

    uses.real_uses += 1
    after = supply.take()

    assert after.source != before.source
    assert before.source not in databases(address)


def test_how_to_copy_is_measured_with_the_first_copies(run: Run, supply: Supply) -> None:
    for _ in range(6):
        supply.give_back(supply.take()).result()
        in_use = supply.take()
        run.backstage.call(run.backstage.execute("DROP DATABASE %I", in_use.name))

    assert run.copied_by in {"file_copy", "wal_log"}


def test_the_next_run_knows_how_to_copy(address: ServerAddress, making: Making) -> None:
    key = new_key()
    with begun_run(address) as run:
        making.tables(run, key)
        run.copied_by = "wal_log"

    with begun_run(address) as run:
        making.tables(run, key)

        assert run.copied_by == "wal_log"


def test_the_databases_of_the_newest_failures_are_kept_beyond_their_run(
    address: ServerAddress,
) -> None:
    names: list[str] = []
    for number in range(MOST_KEPT + 1):
        with begun_run(address) as run:
            names.append(run.another("e"))
            run.backstage.call(run.backstage.execute("CREATE DATABASE %I", names[-1]))
            Kept(run.backstage).keep(names[-1], test=f"test_{number}")

    with begun_run(address):
        pass

    assert [name for name in names if name in databases(address)] == names[1:]
    for name in names[1:]:
        drop_database(address, name)


# ---- refusals


@pytest.fixture
def poor(address: ServerAddress) -> Iterator[ServerAddress]:
    """The server, for a user that may not make databases."""
    run_admin(address, ["CREATE ROLE poor LOGIN PASSWORD 'p'"])
    yield ServerAddress(address.host, address.port, "poor", "p")
    run_admin(address, ["DROP ROLE poor"])


@pytest.mark.usefixtures("no_thread_is_left")
def test_a_user_that_may_not_make_databases_is_told_so(poor: ServerAddress) -> None:
    with pytest.raises(NoDatabaseError) as caught, begun_run(poor):
        pass

    assert "permission denied to create database (SQLSTATE 42501)" in caught.value.what
    assert 'ALTER ROLE "poor" CREATEDB' in caught.value.remedy


def test_a_user_that_has_too_many_connections_is_told_so(
    address: ServerAddress, poor: ServerAddress
) -> None:
    run_admin(address, ["ALTER ROLE poor CREATEDB CONNECTION LIMIT 1"])

    with pytest.raises(NoDatabaseError, match="too many connections") as caught, begun_run(poor):
        pass

    assert "max_connections" in caught.value.remedy


def test_a_full_disk_is_explained() -> None:
    refusal = asyncpg.DiskFullError("could not extend file: No space left on device")

    error = explained(refusal, ServerAddress("db", 5432, "me", "secret"))

    assert "No space left on device (SQLSTATE 53100)" in str(error)
    assert "make room" in error.remedy
    assert "secret" not in str(error)


@pytest.mark.usefixtures("no_thread_is_left")
def test_a_server_that_is_not_there_is_named() -> None:
    nowhere = ServerAddress("127.0.0.1", 1, "me", "secret")

    with pytest.raises(UnreachableTargetError, match=r"127\.0\.0\.1:1"), begun_run(nowhere):
        pass


@pytest.mark.usefixtures("no_thread_is_left")
def test_a_server_that_ends_first_is_no_error_of_the_run(
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = EmbeddedServer.start(max_connections=10)

    with begun_run(server.address):
        server.close()

    assert "a database could not be dropped" in capfd.readouterr().err
