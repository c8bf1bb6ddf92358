"""What a connection knows before its first statement, and that the lifespan gives all back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import URL, Engine, event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import QueuePool

from target_app.db import Database, make_engine, make_sync_engine, open_database
from target_app.db.startup import DatabaseNotReadyError
from target_app.main import create_app
from target_app.models import Post, User
from target_app.settings import Settings

POSTGRESQL = "postgresql+asyncpg://localhost/blog"


def _settings(file: Path) -> Settings:
    return Settings(database_url=f"sqlite+aiosqlite:///{file}")


@pytest_asyncio.fixture
async def sqlite(database_file: Path) -> AsyncIterator[Database]:
    async with open_database(_settings(database_file)) as database:
        yield database


def _user(name: str) -> User:
    return User(email=f"{name}@example.org", name=name, password_hash="x")


async def test_sqlite_enforces_foreign_keys_on_both_engines(sqlite: Database) -> None:
    async with sqlite.sessions() as session:
        session.add(Post(author_id=99, title="T", body="B"))
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            await session.flush()

    with sqlite.sync_sessions() as blocking:
        blocking.add(Post(author_id=99, title="T", body="B"))
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            blocking.flush()


async def test_a_savepoint_of_sqlite_rolls_back_alone(sqlite: Database) -> None:
    async with sqlite.sessions.begin() as session:
        session.add(_user("kept"))
        await session.flush()
        savepoint = await session.begin_nested()
        session.add(_user("lost"))
        await session.flush()
        await savepoint.rollback()

    async with sqlite.sessions() as session:
        assert (await session.scalars(select(User.name))).all() == ["kept"]


async def test_a_rolled_back_transaction_of_sqlite_leaves_nothing(sqlite: Database) -> None:
    async with sqlite.sessions() as session:
        session.add(_user("lost"))
        await session.flush()

    async with sqlite.sessions() as session:
        assert (await session.scalars(select(User.name))).all() == []


async def test_two_writers_on_sqlite_take_turns(sqlite: Database) -> None:
    """Both read before they write: with a plain BEGIN, one of them fails with "locked"."""

    async def raise_number() -> None:
        async with sqlite.sessions.begin() as session:
            user = (await session.scalars(select(User))).one()
            await asyncio.sleep(0)
            user.name = str(int(user.name) + 1)

    async with sqlite.sessions.begin() as session:
        session.add(_user("0"))

    await asyncio.gather(*(raise_number() for _ in range(8)))

    async with sqlite.sessions() as session:
        assert await session.scalar(select(User.name)) == "8"


async def test_a_reader_of_sqlite_outside_the_application_does_not_wait(
    sqlite: Database, database_file: Path
) -> None:
    async with sqlite.sessions() as session:
        session.add(_user("uncommitted"))
        await session.flush()

        mode = await session.scalar(text("PRAGMA journal_mode"))
        reader = await asyncio.create_subprocess_exec(
            "python3",
            "-c",
            "import sqlite3, sys; base = sqlite3.connect(sys.argv[1], timeout=0);"
            "print(base.execute('SELECT count(*) FROM users').fetchone()[0])",
            str(database_file),
            stdout=asyncio.subprocess.PIPE,
        )
        seen, _ = await reader.communicate()

    assert mode == "wal"
    assert seen == b"0\n"


@pytest.mark.parametrize("url", [POSTGRESQL, "sqlite+aiosqlite:///shop.db"])
def test_the_pool_settings_reach_both_engines(url: str) -> None:
    settings = Settings(
        database_url=url, pool_size=3, max_overflow=4, pool_timeout=1.5, pool_pre_ping=False
    )

    for pool in (make_engine(settings).pool, make_sync_engine(settings).pool):
        assert isinstance(pool, QueuePool)
        assert (pool.size(), pool.timeout()) == (3, 1.5)
        assert (pool._max_overflow, pool._pre_ping) == (4, False)  # noqa: SLF001 - no public name


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    """`echo` gives SQLAlchemy's logger a handler, for the rest of the process."""
    logger = logging.getLogger("sqlalchemy")
    before = list(logger.handlers)
    yield
    logger.handlers[:] = before


@pytest.mark.usefixtures("_logging_as_before")
@pytest.mark.parametrize(
    ("setting", "is_told"), [({"echo": True}, True), ({"debug": True}, True), ({}, False)]
)
def test_statements_are_logged_with_echo_and_with_debug(
    setting: dict[str, bool], is_told: bool
) -> None:
    settings = Settings.model_validate(
        {"database_url": POSTGRESQL, "echo": False, "debug": False, **setting}
    )

    assert make_engine(settings).echo is is_told
    assert make_sync_engine(settings).echo is is_told


async def test_every_connection_of_postgresql_has_the_name_and_the_timeouts(
    real_postgresql: URL,
) -> None:
    settings = Settings(
        database_url=real_postgresql.render_as_string(hide_password=False),
        statement_timeout=2.5,
        idle_in_transaction_timeout=12,
    )
    names = ("application_name", "statement_timeout", "idle_in_transaction_session_timeout")

    async with open_database(settings) as database, database.engine.connect() as connection:
        values = [await connection.scalar(text(f"SHOW {name}")) for name in names]

    assert values == ["target_app", "2500ms", "12s"]


def _watch_disposals(engine: Engine, disposed: list[str]) -> None:
    event.listen(engine, "engine_disposed", lambda gone: disposed.append(gone.driver))


async def test_the_lifespan_disposes_of_both_engines(database_file: Path) -> None:
    app = create_app(_settings(database_file))
    disposed: list[str] = []

    async with app.router.lifespan_context(app):
        database: Database = app.state.database
        _watch_disposals(database.engine.sync_engine, disposed)
        _watch_disposals(database.sync_engine, disposed)
        with database.sync_sessions() as session:
            session.execute(text("SELECT 1"))
        before = list(disposed)

    assert before == []
    assert sorted(disposed) == ["aiosqlite", "pysqlite"]
    assert database.sync_engine.pool.status().startswith("Pool size: 5  Connections in pool: 0")


async def test_a_refused_start_leaves_no_connection_behind(tmp_path: Path) -> None:
    """A connection left to the garbage collector is a ResourceWarning, and that is an error."""
    (tmp_path / "empty.db").touch()
    app = create_app(_settings(tmp_path / "empty.db"))
    disposed: list[str] = []

    def note(engine: Engine) -> None:
        disposed.append(engine.driver)

    event.listen(Engine, "engine_disposed", note)
    try:
        with pytest.raises(DatabaseNotReadyError, match="is not migrated"):
            async with app.router.lifespan_context(app):
                pass
    finally:
        event.remove(Engine, "engine_disposed", note)

    assert sorted(disposed) == ["aiosqlite", "pysqlite"]
