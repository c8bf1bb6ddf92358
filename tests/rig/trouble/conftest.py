"""A small server of its own that may be hurt, a database for each test, and engines on it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import URL, Engine, create_engine

from harness.database.embedded import EmbeddedServer
from tests.databases import create_database, drop_database

EngineOn = Callable[..., Engine]


@pytest.fixture(scope="package")
def server() -> Iterator[EmbeddedServer]:
    """Few connections, so that they are soon taken."""
    with closing(EmbeddedServer.start(max_connections=16)) as server:
        yield server


@pytest.fixture
def url(server: EmbeddedServer) -> Iterator[URL]:
    """A database with a table of notes, which have a text."""
    name = f"trouble_{secrets.token_hex(4)}"
    create_database(server.address, name)
    url = server.address.url(name, driver="psycopg")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text text)")
    engine.dispose()
    yield url
    drop_database(server.address, name)


@pytest.fixture
def engine_on() -> Iterator[EngineOn]:
    """Makes engines as an application would; they end with the test."""
    with ExitStack() as stack:

        def make(url: URL, **options: object) -> Engine:
            engine = create_engine(url, **options)
            stack.callback(engine.dispose)
            return engine

        yield make
