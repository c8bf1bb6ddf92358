"""The embedded server: what runs, as whom, who gets in, and what a failed start says."""

from __future__ import annotations

import os
import pwd
import re
import socket
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from harness.database.embedded import EmbeddedServer
from harness.database.lease import Lease
from harness.database.session import SessionFolder
from harness.errors import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKET_PATH_LIMIT_BYTES = 103  # macOS; Linux allows 107


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with closing(EmbeddedServer.start()) as server:
        yield server


@pytest.fixture(scope="module")
def session(server: EmbeddedServer) -> SessionFolder:
    return SessionFolder(Path(server.lease.folder))


async def ask(server: EmbeddedServer, sql: str, *, host: str = "", password: str = "") -> str:
    address = server.address
    connection = await asyncpg.connect(
        host=host or address.host,
        port=address.port,
        user=address.user,
        password=password or address.password,
        database="postgres",
    )
    try:
        return str(await connection.fetchval(sql))
    finally:
        await connection.close()


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_it_runs_as_nobody_under_root_and_otherwise_as_oneself(session: SessionFolder) -> None:
    expected = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()

    assert session.data.stat().st_uid == expected


def test_no_other_user_can_look_into_the_session(session: SessionFolder) -> None:
    assert permissions(session.path) & stat.S_IRWXO == 0
    assert permissions(session.data) == 0o700
    assert permissions(session.socket) == 0o700
    assert permissions(session.log) == 0o600
    assert permissions(session.owners) == 0o600


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("max_connections", "200"),
        ("idle_in_transaction_session_timeout", "0"),
        ("listen_addresses", "127.0.0.1"),
        ("server_encoding", "UTF8"),
    ],
)
async def test_it_is_set_up_for_data_that_is_thrown_away(
    server: EmbeddedServer, parameter: str, expected: str
) -> None:
    assert await ask(server, f"SHOW {parameter}") == expected


async def test_letters_beyond_ascii_have_upper_case_on_every_machine(
    server: EmbeddedServer,
) -> None:
    assert await ask(server, "SELECT upper('é')") == "É"


async def test_it_answers_on_its_private_unix_socket(
    server: EmbeddedServer, session: SessionFolder
) -> None:
    assert await ask(server, "SELECT 42", host=str(session.socket)) == "42"


async def test_nobody_enters_by_the_port_without_the_password(server: EmbeddedServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(server, "SELECT 1", password="guessed")


async def test_nobody_enters_by_the_socket_without_the_password(
    server: EmbeddedServer, session: SessionFolder
) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(
            server,
            "SELECT 1",
            host=str(session.socket),
            password="guessed",
        )


def test_the_path_of_the_socket_fits_on_every_system(
    server: EmbeddedServer, session: SessionFolder
) -> None:
    path = session.socket / f".s.PGSQL.{server.address.port}"

    assert path.is_socket()
    assert len(os.fsencode(path)) <= SOCKET_PATH_LIMIT_BYTES


def test_the_origin_names_the_version(server: EmbeddedServer) -> None:
    assert re.fullmatch(r"PostgreSQL 1\d\.\d+, embedded", server.origin)


def test_a_lease_survives_its_way_as_text(server: EmbeddedServer) -> None:
    assert Lease.from_json(server.lease.to_json()) == server.lease


async def test_connections_and_settings_are_as_asked() -> None:
    with closing(
        EmbeddedServer.start(max_connections=7, settings={"work_mem": "5MB", "jit": "on"})
    ) as server:
        shown = [await ask(server, f"SHOW {name}") for name in ("max_connections", "work_mem")]
        jit = await ask(server, "SHOW jit")

    assert shown == ["7", "5MB"]
    assert jit == "on"


async def test_servers_live_side_by_side(server: EmbeddedServer) -> None:
    with closing(EmbeddedServer.start()) as other:
        answers = [await ask(each, "SHOW port") for each in (server, other)]

    assert answers[0] != answers[1]


def test_a_port_that_is_taken_is_passed_over() -> None:
    spare = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], spare]
        with closing(EmbeddedServer.start(ports=ports)) as server:
            port = server.address.port

    assert port == spare


def test_a_failed_start_shows_the_log_and_leaves_nothing_behind() -> None:
    with pytest.raises(ServerStartError) as caught:
        EmbeddedServer.start(settings={"hba_file": "missing.conf"})

    message = str(caught.value)
    assert 'missing.conf": No such file or directory' in message
    assert "HARNESS_POSTGRES" in message
    assert len(message.splitlines()) < 10
    folder = re.search(r'Unix socket "(/.*)/socket/', message)
    assert folder is not None
    assert not Path(folder[1]).exists()


def test_ports_that_are_all_taken_are_an_error_that_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerStartError, match="Address already in use"):
            EmbeddedServer.start(ports=[taken.getsockname()[1]])


def test_closing_removes_everything_and_may_be_repeated() -> None:
    server = EmbeddedServer.start()
    folder = Path(server.lease.folder)
    assert folder.is_dir()

    server.close()
    server.close()

    assert not folder.exists()


def test_a_start_opens_no_folder_of_ours_to_others() -> None:
    package = Path(asyncpg.__file__)
    folders = [Path.home(), *package.parents]
    before = [permissions(folder) for folder in folders]

    EmbeddedServer.start().close()

    assert [permissions(folder) for folder in folders] == before
