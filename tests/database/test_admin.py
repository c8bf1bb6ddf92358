"""Servers are told and asked from synchronous code, whatever runs around it."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import asyncpg
import pytest

from harness.database.admin import run_admin, server_version
from harness.database.embedded import EmbeddedServer
from harness.database.server import ServerAddress
from harness.errors import UnreachableTargetError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def address() -> Iterator[ServerAddress]:
    with closing(EmbeddedServer.start(max_connections=20)) as server:
        yield server.address


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


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        nowhere = ServerAddress("127.0.0.1", port, "me", "secret")
        with pytest.raises(UnreachableTargetError, match=f"127.0.0.1:{port}") as caught:
            server_version(nowhere)

    assert "secret" not in str(caught.value)
