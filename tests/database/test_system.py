"""The system's own programs: which are taken, and that their server lives like the embedded one."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from harness.database.admin import available_extensions
from harness.database.lease import Lease
from harness.database.owned import OwnedServer
from harness.database.session import SessionFolder
from harness.database.system import SystemServer, look_for_programs
from harness.errors import NoPostgresError, ServerStartError

GONE_SECONDS = 30.0
STARTER = """
import sys
from harness.database.system import SystemServer
server = SystemServer.start()
print(server.lease.to_json(), flush=True)
sys.stdin.read()
"""
needs_programs = pytest.mark.group("system")


@pytest.fixture(scope="module")
def programs() -> None:
    try:
        look_for_programs()
    except NoPostgresError as error:
        pytest.skip(error.what)


@pytest.fixture(scope="module")
def server(programs: None) -> Iterator[SystemServer]:  # noqa: ARG001 - only with them
    with closing(SystemServer.start()) as server:
        yield server


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the server's account can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def installation(folder: Path, version: str, *, exit_code: int = 0) -> Path:
    """Programs that do nothing but tell their version."""
    programs = folder / version / "bin"
    programs.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = programs / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\nexit {exit_code}\n")
        program.chmod(0o755)
    return programs


def is_there(server: SystemServer) -> bool:
    return Path(server.lease.folder).exists()


async def ask(server: SystemServer, sql: str, *, password: str = "") -> str:
    address = server.address
    connection = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=password or address.password,
        database="postgres",
    )
    try:
        return str(await connection.fetchval(sql))
    finally:
        await connection.close()


@needs_programs
def test_the_origin_names_version_and_folder(server: SystemServer) -> None:
    assert re.fullmatch(r"PostgreSQL \d+\.\d+, from /\S+", server.origin)


@needs_programs
@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("fsync", "off"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("max_connections", "200"),
        ("listen_addresses", "127.0.0.1"),
        ("server_encoding", "UTF8"),
    ],
)
async def test_it_is_set_up_for_data_that_is_thrown_away(
    server: SystemServer, parameter: str, expected: str
) -> None:
    assert await ask(server, f"SHOW {parameter}") == expected


@needs_programs
async def test_letters_beyond_ascii_have_upper_case(server: SystemServer) -> None:
    assert await ask(server, "SELECT upper('é')") == "É"


@needs_programs
def test_it_runs_as_nobody_under_root_and_otherwise_as_oneself(server: SystemServer) -> None:
    expected = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()

    assert SessionFolder(Path(server.lease.folder)).data.stat().st_uid == expected


@needs_programs
async def test_nobody_enters_without_the_password(server: SystemServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(server, "SELECT 1", password="guessed")


@needs_programs
def test_the_extensions_of_its_packages_can_be_created(server: SystemServer) -> None:
    assert "plpgsql" in available_extensions(server.address)


@needs_programs
def test_its_cluster_is_made_once(programs: None, tmp_path: Path) -> None:  # noqa: ARG001
    with closing(SystemServer.start(cache=tmp_path / "cache")) as first:
        password = first.address.password

    with closing(SystemServer.start(cache=tmp_path / "cache")) as second:
        assert second.address.password == password


@needs_programs
def test_killing_the_only_owner_leaves_nothing(programs: None) -> None:  # noqa: ARG001
    with subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        folder = Path(Lease.from_json(owner.stdout.readline()).folder)
        assert folder.is_dir()

        owner.kill()

        deadline = time.monotonic() + GONE_SECONDS
        while folder.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not folder.exists()


@needs_programs
async def test_a_second_owner_keeps_it(programs: None) -> None:  # noqa: ARG001
    creator = SystemServer.start()
    with closing(SystemServer.join(creator.lease)) as other:
        creator.close()

        assert await ask(other, "SELECT 42") == "42"
    assert not is_there(creator)


@needs_programs
def test_a_failed_start_shows_the_log(programs: None) -> None:  # noqa: ARG001
    with pytest.raises(ServerStartError, match=r"missing\.conf") as caught:
        SystemServer.start(settings={"hba_file": "missing.conf"})

    assert len(str(caught.value).splitlines()) < 10


def test_the_newest_programs_are_taken(open_folder: Path) -> None:
    folders = [installation(open_folder, version) for version in ("16.9", "16.10", "15.12")]

    found = look_for_programs(folders)

    assert found.major == 16
    assert found.program("postgres") == str(open_folder / "16.10/bin/postgres")


def test_programs_that_are_too_old_are_named(open_folder: Path) -> None:
    old = installation(open_folder, "13.4")

    with pytest.raises(NoPostgresError, match=r"PostgreSQL 13\.4, older than 14") as caught:
        look_for_programs([old])

    assert str(old) in caught.value.what


def test_programs_that_cannot_be_run_are_passed_over(open_folder: Path) -> None:
    broken = installation(open_folder, "17.1", exit_code=127)
    healthy = installation(open_folder, "15.1")

    assert look_for_programs([broken, healthy]).major == 15
    with pytest.raises(NoPostgresError, match="cannot be run"):
        look_for_programs([broken])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_programs_in_a_home_that_is_closed_to_the_server_are_passed_over(tmp_path: Path) -> None:
    closed = installation(tmp_path, "17.1")
    tmp_path.chmod(0o700)

    with pytest.raises(NoPostgresError, match="cannot be run"):
        look_for_programs([closed])


def test_half_an_installation_is_none(open_folder: Path) -> None:
    client_only = installation(open_folder, "17.1")
    (client_only / "initdb").unlink()

    with pytest.raises(NoPostgresError, match="No programs of PostgreSQL") as caught:
        look_for_programs([client_only])

    assert "apt-get install postgresql" in caught.value.remedy


def test_a_link_to_programs_leads_to_their_folder(open_folder: Path) -> None:
    programs = installation(open_folder, "17.1")
    link = open_folder / "link"
    link.symlink_to(programs)

    assert look_for_programs([link]) == look_for_programs([programs])


@needs_programs
def test_any_process_can_join_by_the_lease(server: SystemServer) -> None:
    with closing(OwnedServer.join(Lease.from_json(server.lease.to_json()))) as other:
        assert other.address == server.address
