"""The application on both of its databases, and on a server that really commits.

`client` and `db_session` come twice here: on PostgreSQL in the harness's isolation, and on a file
of SQLite that is the test's own. What needs several connections at once, another process or the
sync driver uses `served`: the application under uvicorn, on a PostgreSQL database of its own.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from alembic import command
from alembic.config import Config
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from harness.database.admin import run_admin
from harness.database.server import PostgresServer
from harness.served import serving
from target_app.db.startup import ALEMBIC_INI
from target_app.main import create_app
from target_app.settings import Settings
from tests.databases import create_database, drop_database

Serve = Callable[..., AbstractContextManager[str]]
"""Takes settings by field name, e.g. `pool_size="2"`; yields the address of the application."""


@dataclass(frozen=True, slots=True)
class World:
    """The application, and a session of the test's own on the same database."""

    client: httpx.AsyncClient
    session: AsyncSession


def migrate(url: URL) -> None:
    """Bring a database to the newest revision, as the command line does."""
    config = Config(ALEMBIC_INI)
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False))
    command.upgrade(config, "head")


def sqlite_url(file: Path) -> URL:
    return URL.create("sqlite+aiosqlite", database=str(file))


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(sqlite_url(file))
    return file


@pytest.fixture
def database_file(tmp_path: Path, _migrated_file: Path) -> Path:
    """A file of SQLite with all tables and no rows."""
    return Path(shutil.copy(_migrated_file, tmp_path / "shop.db"))


@pytest_asyncio.fixture
async def _sqlite_world(database_file: Path) -> AsyncIterator[World]:
    url = sqlite_url(database_file)
    settings = Settings(database_url=str(url), faults=True)
    app = create_app(settings)
    # An engine without the application's `BEGIN IMMEDIATE`: reading must not lock the file.
    engine = create_async_engine(url)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        AsyncSession(engine, expire_on_commit=False) as session,
    ):
        yield World(client, session)
    await engine.dispose()


@pytest.fixture(params=["postgresql", "sqlite"])
def world(
    request: pytest.FixtureRequest,
    harness_client: httpx.AsyncClient,
    harness_db_session: AsyncSession,
    _sqlite_world: World,
) -> World:
    if request.param == "sqlite":
        return _sqlite_world
    return World(harness_client, harness_db_session)


@pytest.fixture
def client(world: World) -> httpx.AsyncClient:
    return world.client


@pytest.fixture
def db_session(world: World) -> AsyncSession:
    return world.session


@pytest.fixture(scope="module")
def empty_postgresql(harness_postgres: PostgresServer) -> Iterator[URL]:
    """A PostgreSQL database without tables, of this test module alone."""
    name = f"target_app_{secrets.token_hex(4)}"
    create_database(harness_postgres.address, name)
    yield harness_postgres.address.url(name)
    drop_database(harness_postgres.address, name)


@pytest.fixture(scope="module")
def real_postgresql(empty_postgresql: URL) -> URL:
    """A PostgreSQL database with all tables, where a commit is a commit."""
    migrate(empty_postgresql)
    return empty_postgresql


@pytest.fixture
def emptied_postgresql(harness_postgres: PostgresServer, real_postgresql: URL) -> Iterator[URL]:
    """`real_postgresql` without the rows of other tests, if they use this fixture too."""
    yield real_postgresql
    emptied = ["TRUNCATE users, products, tags CASCADE"]
    run_admin(harness_postgres.address, emptied, database=str(real_postgresql.database))


@pytest.fixture(params=["postgresql", "sqlite"])
def real_url(request: pytest.FixtureRequest) -> URL:
    """A database of either kind, where a commit is a commit, without the rows of other tests."""
    if request.param == "sqlite":
        return sqlite_url(request.getfixturevalue("database_file"))
    url: URL = request.getfixturevalue("emptied_postgresql")
    return url


@pytest.fixture(scope="module")
def serve(harness_postgres: PostgresServer, real_postgresql: URL) -> Serve:
    """Runs the application under uvicorn, in a process, on `real_postgresql`."""

    @contextmanager
    def run(**settings: str) -> Iterator[str]:
        server = harness_postgres.address.url("postgres", driver="asyncpg")
        environment = {
            "HARNESS_POSTGRES": server.render_as_string(hide_password=False),
            **{f"TARGET_APP_{name.upper()}": value for name, value in settings.items()},
        }
        database = ["--database", str(real_postgresql.database)]
        with serving(database, environment=environment) as served:
            yield served.url

    return run


@pytest.fixture(scope="module")
def served(serve: Serve) -> Iterator[str]:
    """The address of the application with its default settings, on `real_postgresql`."""
    with serve() as url:
        yield url
