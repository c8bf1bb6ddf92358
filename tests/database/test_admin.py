"""Databases are made and dropped from synchronous code, whatever runs around it."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import asyncpg
import pytest

from harness.database.admin import create_database, drop_database, run_admin, server_version
from harness.database.embedded import EmbeddedServer
from harness.database.server import ServerAddress
from harness.errors import UnreachableTargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

AWKWARD_NAME = 'Käse "2"; DROP TABLE x --%s'


@pytest.fixture(scope="module")
def address() -> Iterator[ServerAddress]:
    with closing(EmbeddedServer.start(max_connections=20)) as server:
        yield server.address


async def connected(address: ServerAddress, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=database,
    )


async def databases(address: ServerAddress) -> set[str]:
    connection = await connected(address, "postgres")
    try:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


async def test_a_name_is_taken_literally_whatever_it_contains(address: ServerAddress) -> None:
    create_database(address, AWKWARD_NAME)
    made = await databases(address)
    drop_database(address, AWKWARD_NAME)

    assert AWKWARD_NAME in made
    assert AWKWARD_NAME not in await databases(address)


async def test_a_template_brings_its_rows(address: ServerAddress) -> None:
    create_database(address, "The Original")
    rows = ["CREATE TABLE item (id int)", "INSERT INTO item VALUES (7)"]
    run_admin(address, rows, database="The Original")

    create_database(address, "copy", template="The Original")

    connection = await connected(address, "copy")
    assert await connection.fetchval("SELECT id FROM item") == 7
    await connection.close()


async def test_dropping_ends_the_connections_that_are_left(address: ServerAddress) -> None:
    create_database(address, "busy")
    connection = await connected(address, "busy")

    drop_database(address, "busy")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.execute("SELECT 1")
    connection.terminate()
    assert "busy" not in await databases(address)


def test_dropping_what_is_not_there_is_fine(address: ServerAddress) -> None:
    drop_database(address, "never made")


def test_it_works_where_no_loop_runs(address: ServerAddress) -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()

    assert re.fullmatch(r"\d+\.\d+", server_version(address))


async def test_it_works_inside_a_running_loop(address: ServerAddress) -> None:
    assert asyncio.get_running_loop().is_running()

    assert re.fullmatch(r"\d+\.\d+", server_version(address))


def test_a_refused_statement_keeps_the_ones_before_it(address: ServerAddress) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        run_admin(address, ["CREATE TABLE kept (id int)", "NONSENSE"])

    run_admin(address, ["DROP TABLE kept"])


def test_a_taken_name_is_the_drivers_own_error(address: ServerAddress) -> None:
    create_database(address, "taken")

    with pytest.raises(asyncpg.DuplicateDatabaseError):
        create_database(address, "taken")


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        nowhere = ServerAddress("127.0.0.1", port, "me", "secret")
        with pytest.raises(UnreachableTargetError, match=f"127.0.0.1:{port}") as caught:
            server_version(nowhere)

    assert "secret" not in str(caught.value)
