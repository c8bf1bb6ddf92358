"""The network in our hands: exact while it is healthy, and as late, slow or broken as told."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from harness.database.embedded import EmbeddedServer
from harness.errors import ConfigurationError, UnreachableTargetError
from harness.rig.trouble.network import Fate, Network
from harness.rig.trouble.proxy import Proxy, proxied
from harness.rig.trouble.restart import stopped
from tests.rig.trouble.conftest import EngineOn
from tests.rig.trouble.seen import answers, failure_of, fill_pool

CUT = Network(existing=Fate.RESET, new=Fate.RESET)
SILENT = Network(existing=Fate.SILENT, new=Fate.SILENT)
FAILOVER = Network(existing=Fate.RESET)


@pytest.fixture
def proxy(url: URL) -> Iterator[Proxy]:
    with proxied(url) as proxy:
        yield proxy


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets, until it gets no more."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_echo, args=[connection], daemon=True).start()

    accepting = threading.Thread(target=serve)
    accepting.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)  # close alone does not wake an accept
    listener.close()
    accepting.join()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while received := connection.recv(65536):
                connection.sendall(received)
        except OSError:
            return


def _through(proxy: Proxy, sent: bytes) -> bytes:
    """What comes back of what is sent, with both directions full at the same time."""
    with socket.create_connection(proxy.address, timeout=30) as connection:

        def send() -> None:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        got = bytearray()
        while received := connection.recv(65536):
            got += received
        sending.join()
    return bytes(got)


@pytest.mark.parametrize(
    "network",
    [
        Network(),
        Network(delay_seconds=0.005, jitter_seconds=0.02),
        Network(bytes_per_second=40_000_000),
    ],
    ids=["healthy", "late", "slow"],
)
def test_every_byte_arrives_in_order(echo_port: int, network: Network) -> None:
    sent = os.urandom(4_000_000)
    with proxied(URL.create("postgresql", host="127.0.0.1", port=echo_port)) as proxy:
        proxy.become(network)

        got = _through(proxy, sent)
        counts = proxy.counts()

    assert got == sent
    assert counts.to_server_bytes == counts.to_client_bytes == len(sent)


async def test_a_large_copy_is_exact_in_both_directions(url: URL, proxy: Proxy) -> None:
    rows = [(os.urandom(50_000),) for _ in range(40)]
    connection = await _connected(proxy, url)
    await connection.execute("CREATE TABLE blobs (content bytea)")

    await connection.copy_records_to_table("blobs", records=rows)

    assert [tuple(row) for row in await connection.fetch("SELECT content FROM blobs")] == rows
    await connection.close()


def test_connections_are_counted(url: URL, proxy: Proxy, engine_on: EngineOn) -> None:
    engine = engine_on(proxy.url(url))
    fill_pool(engine, 3)
    open_before = proxy.counts().open
    engine.dispose()
    _until(lambda: proxy.counts().open == 0)

    assert open_before == 3
    assert proxy.counts().connections == 3


def test_a_round_trip_takes_twice_the_delay(url: URL, proxy: Proxy, engine_on: EngineOn) -> None:
    engine = engine_on(proxy.url(url))
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with proxy.being(Network(delay_seconds=0.1)):
            begin = time.monotonic()
            connection.execute(text("SELECT 1"))
            seconds = time.monotonic() - begin

    assert seconds >= 0.2


def test_a_slow_line_is_shared_by_all_connections(echo_port: int) -> None:
    with proxied(URL.create("postgresql", host="127.0.0.1", port=echo_port)) as proxy:
        proxy.become(Network(bytes_per_second=200_000))
        begin = time.monotonic()
        users = [threading.Thread(target=_through, args=[proxy, b"x" * 50_000]) for _ in range(2)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        seconds = time.monotonic() - begin

    assert seconds >= 0.5


def test_a_cut_network_refuses_and_works_again(url: URL, proxy: Proxy, engine_on: EngineOn) -> None:
    engine = engine_on(proxy.url(url))
    fill_pool(engine, 2)
    with proxy.being(CUT):
        existing = failure_of(engine)
        newcomer = failure_of(engine)

    assert isinstance(existing, OperationalError)
    assert existing.connection_invalidated
    assert "refused" in str(newcomer)
    assert all(answers(engine) for _ in range(3))


def test_with_pre_ping_a_reset_is_not_noticed(url: URL, proxy: Proxy, engine_on: EngineOn) -> None:
    engine = engine_on(proxy.url(url), pool_pre_ping=True)
    fill_pool(engine, 2)
    proxy.become(FAILOVER)

    error = failure_of(engine)

    assert error is None
    assert proxy.counts().connections == 3


async def test_asyncpg_sees_a_reset_as_a_lost_connection(url: URL, proxy: Proxy) -> None:
    engine = create_async_engine(proxy.url(url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        proxy.become(FAILOVER)
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT 1"))

    assert caught.value.connection_invalidated
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


def test_a_statement_under_way_hangs_in_silence_and_arrives_afterwards(
    url: URL, proxy: Proxy, engine_on: EngineOn
) -> None:
    engine = engine_on(proxy.url(url))
    fill_pool(engine, 1)
    got: list[bool] = []
    asking = threading.Thread(target=lambda: got.append(answers(engine)))
    with proxy.being(SILENT):
        asking.start()
        asking.join(0.3)
        hung = asking.is_alive()
    asking.join(10)

    assert hung
    assert got == [True]


def test_a_newcomer_in_silence_waits_for_its_own_time_limit(
    url: URL, proxy: Proxy, engine_on: EngineOn
) -> None:
    engine = engine_on(proxy.url(url), connect_args={"connect_timeout": 2})
    with proxy.being(SILENT):
        begin = time.monotonic()
        error = failure_of(engine)
        seconds = time.monotonic() - begin

    assert "timeout" in str(error)
    assert seconds >= 1.5
    assert answers(engine)


def test_the_server_is_not_told_of_a_client_that_leaves_in_silence(
    url: URL, proxy: Proxy, engine_on: EngineOn
) -> None:
    direct = engine_on(url)
    connection = engine_on(proxy.url(url)).connect()
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with proxy.being(SILENT):
        connection.invalidate()
        connection.close()
        with direct.connect() as observing:
            is_there = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            during = observing.scalar(is_there, {"pid": pid})

    def is_gone() -> bool:
        with direct.connect() as observing:  # what a transaction has seen of it stays as it was
            return bool(observing.scalar(is_there, {"pid": pid}) == 0)

    _until(is_gone)
    assert during == 1


def test_its_port_stays_its_own_while_it_refuses(proxy: Proxy) -> None:
    with proxy.being(CUT), socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(proxy.address)


def test_a_server_that_is_down_is_a_reset(
    server: EmbeddedServer, url: URL, engine_on: EngineOn
) -> None:
    with proxied(url) as proxy:
        engine = engine_on(proxy.url(url))
        with stopped(server):
            error = failure_of(engine)

        assert isinstance(error, OperationalError)
        assert proxy.counts().unreachable == 1
        assert answers(engine)


async def test_a_wish_to_cancel_gets_through(url: URL, proxy: Proxy) -> None:
    connection = await _connected(proxy, url)

    with pytest.raises(TimeoutError):
        await connection.execute("SELECT pg_sleep(30)", timeout=0.2)

    # The connection is free again only when the server has obeyed.
    assert await connection.fetchval("SELECT 1", timeout=10) == 1
    assert proxy.counts().connections == 2
    await connection.close()


def test_nothing_of_it_is_left_after_the_block(url: URL, engine_on: EngineOn) -> None:
    with proxied(url) as proxy:
        engine = engine_on(proxy.url(url))
        held = engine.connect()
        held.execute(text("SELECT 1"))
        address = proxy.address
        proxy.become(SILENT)

    with pytest.raises(OperationalError):
        held.execute(text("SELECT 1"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    assert "harness proxy" not in {thread.name for thread in threading.enumerate()}
    held.close()


def test_an_error_in_the_block_heals(url: URL, proxy: Proxy, engine_on: EngineOn) -> None:
    with pytest.raises(ZeroDivisionError), proxy.being(CUT):
        _ = 1 / 0

    assert answers(engine_on(proxy.url(url)))


def test_a_unix_socket_cannot_be_proxied() -> None:
    url = URL.create("postgresql", host="/var/run/postgresql")

    with pytest.raises(ConfigurationError, match="folder of a unix socket"), proxied(url):
        pytest.fail("the block must not run")


def test_a_server_that_nobody_finds_is_told(proxy: Proxy) -> None:
    with proxy.being(CUT):
        host, port = proxy.address
        url = URL.create("postgresql", host=host, port=port)

        with pytest.raises(UnreachableTargetError, match="nothing answers"), proxied(url):
            pytest.fail("the block must not run")


def test_time_does_not_run_back() -> None:
    with pytest.raises(ValueError, match="jitter_seconds is -1"):
        Network(jitter_seconds=-1)


def test_a_line_that_carries_nothing_is_called_silent() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Network(bytes_per_second=0)


async def _connected(proxy: Proxy, url: URL) -> Any:  # noqa: ANN401 - asyncpg ships no types
    host, port = proxy.address
    return await asyncpg.connect(
        host=host, port=port, user=url.username, password=url.password, database=url.database
    )


def _until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < deadline
