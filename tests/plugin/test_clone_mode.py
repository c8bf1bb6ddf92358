"""The marker `database` in a user's project: the same tests on a database of their own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing

import asyncpg
import pytest

from harness.database.embedded import EmbeddedServer
from harness.database.server import PostgresServer
from tests.databases import drop_database
from tests.plugin.conftest import MAIN, SESSION_LOOPS, TABLE, Project

COUNTED = """
import pytest
from sqlalchemy import text

AUTHORS = text("SELECT count(*) FROM authors")
NAME = text("SELECT current_database()")
"""
ISOLATED = (
    COUNTED
    + """
@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_commits_are_not_seen_by_the_next(client, db_session, turn):
    assert (await client.post("/authors/ada")).json() == 6
    assert await db_session.scalar(AUTHORS) == 6

async def test_the_base_line_is_left(client):
    assert (await client.get("/authors")).json() == 5
"""
)


@pytest.fixture(scope="module")
def harness_postgres() -> Iterator[PostgresServer]:
    """A server of this module alone: on that of the test run, others make and drop databases."""
    with closing(EmbeddedServer.start()) as server:
        yield server


@pytest.fixture(autouse=True)
def left_behind(harness_postgres: PostgresServer) -> Iterator[None]:
    """No test of this module leaves a database, but for templates."""
    before = databases(harness_postgres)
    yield
    assert databases(harness_postgres) == before


def databases(server: PostgresServer) -> set[str]:
    async def ask() -> set[str]:
        address = server.address
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database="postgres",
        )
        try:
            query = "SELECT datname FROM pg_database WHERE NOT starts_with(datname, 'harness_tpl_')"
            return {row["datname"] for row in await connection.fetch(query)}
        finally:
            await connection.close()

    return asyncio.run(ask())


def as_clones(tests: str) -> str:
    return f"{tests}\npytestmark = pytest.mark.database('clone')\n"


CHECKED = """
async def test_it_was_a_copy(db_session, database_url, own_database_url):
    name = await db_session.scalar(NAME)
    assert name == own_database_url.database != database_url.database
"""


def test_the_same_tests_on_databases_of_their_own(project: Project) -> None:
    result = project.run(as_clones(ISOLATED + CHECKED))

    result.assert_outcomes(passed=5)


def test_with_function_loops_as_pytest_asyncio_has_them_by_default(project: Project) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', '"function"'))

    result = project.run(as_clones(ISOLATED + CHECKED))

    result.assert_outcomes(passed=5)


def test_with_anyio(project: Project) -> None:
    project.configure(pytest_options='[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n')
    backend = "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    tests = (ISOLATED + backend).replace("async def", "@pytest.mark.anyio\nasync def")

    result = project.run(as_clones(tests), "-p", "no:asyncio")

    result.assert_outcomes(passed=4)


def test_the_configuration_chooses_and_a_marker_wins(project: Project) -> None:
    project.configure(table=TABLE.replace("env.", 'isolation = "clone"\nenv.'))

    result = project.run(
        COUNTED
        + """
async def test_by_configuration(db_session, database_url):
    assert await db_session.scalar(NAME) != database_url.database

@pytest.mark.database("rollback")
async def test_by_marker(db_session, database_url, own_database_url):
    assert await db_session.scalar(NAME) == database_url.database == own_database_url.database

@pytest.mark.database("empty")
async def test_empty(db_session, own_database_url):
    assert await db_session.scalar(NAME) == own_database_url.database
    assert await db_session.scalar(text("SELECT to_regclass('authors')")) is None

@pytest.mark.database("empty")
async def test_made_in_an_empty_one(engine):
    from shop.database import Base

    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        assert await connection.scalar(AUTHORS) == 0
"""
    )

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("arguments", ["'clones'", "", "'clone', 'empty'", "kind='clone'", "1"])
def test_another_word_in_the_marker_is_a_usage_error_that_names_the_words(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.setenv("HARNESS_APP", "shop.main:app")
    pytester.makepyfile(f"import pytest\n@pytest.mark.database({arguments})\ndef test(): ...")

    result = pytester.runpytest_inprocess("-p", "no:asyncio", "-p", "no:locust")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    hint = "did you mean 'clone'? " if "clones" in arguments else ""
    told = f"{hint}the marker takes one of 'rollback', 'clone', 'empty'"
    result.stderr.fnmatch_lines([f"ERROR: *::test has database({arguments}); {told}"])


def test_the_marker_is_documented_where_pytest_lists_markers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_APP", "shop.main:app")

    result = pytester.runpytest_inprocess("--markers", "-p", "no:asyncio", "-p", "no:locust")

    result.stdout.fnmatch_lines(['@pytest.mark.database("rollback" | "clone" | "empty"): *'])


LIFESPAN = """
from contextlib import asynccontextmanager
from shop.database import sessions

@asynccontextmanager
async def lifespan(app):
    async with sessions.begin() as session:
        session.add(Author(name="from the lifespan"))
    yield
"""


@pytest.mark.parametrize("first", ["client", "db_session"])
def test_what_the_lifespan_writes_is_in_the_copy_whoever_connects_first(
    project: Project, first: str
) -> None:
    start = MAIN.replace("app = FastAPI()", f"{LIFESPAN}\napp = FastAPI(lifespan=lifespan)")
    project.write("shop/main.py", start)

    result = project.run(
        as_clones(
            COUNTED
            + f"""
@pytest.mark.parametrize("turn", [1, 2])
async def test_it(client, db_session, turn):
    async def by_client():
        return (await client.get("/authors")).json()

    async def by_session():
        return await db_session.scalar(AUTHORS)

    steps = [by_client, by_session]
    for step in steps if {first!r} == "client" else reversed(steps):
        assert await step() == 6
"""
        )
    )

    result.assert_outcomes(passed=2)


def test_what_wider_fixtures_write_is_in_the_copy(project: Project) -> None:
    result = project.run(
        as_clones(
            COUNTED
            + """
@pytest.fixture(scope="module")
async def ada(engine):
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO authors (name) VALUES ('ada')"))

async def test_before(client):
    assert (await client.get("/authors")).json() == 5

async def test_it(ada, client):
    assert (await client.get("/authors")).json() == 6
"""
        )
    )

    result.assert_outcomes(passed=2)


def test_two_drivers_are_refused_in_rollback_mode_and_real_in_clone_mode(project: Project) -> None:
    result = project.run(
        COUNTED
        + """
from sqlalchemy import create_engine

async def both(client, database_url):
    assert (await client.post("/authors/ada")).json() == 6
    blocking = create_engine(database_url.set(drivername="postgresql+psycopg"))
    with blocking.connect() as connection:
        assert connection.scalar(AUTHORS) == 6
    blocking.dispose()

async def test_refused(client, database_url):
    await both(client, database_url)

@pytest.mark.database("clone")
async def test_real(client, database_url):
    await both(client, database_url)
"""
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(['E *@pytest.mark.database("clone")', "E *[[]second-driver]"])


FAILING = as_clones(
    COUNTED
    + """
async def test_wrong(client):
    assert (await client.post("/authors/ada")).json() == 7

async def test_right(client):
    assert (await client.post("/authors/ada")).json() == 6

async def test_wrong_without_a_database():
    assert False

@pytest.mark.xfail(strict=True)
async def test_expected(client):
    assert (await client.post("/authors/ada")).json() == 7
"""
)


def test_a_failed_tests_database_is_kept_and_its_address_printed_without_the_password(
    project: Project, harness_postgres: PostgresServer
) -> None:
    before = databases(harness_postgres)

    result = project.run(FAILING)

    result.assert_outcomes(passed=1, failed=2, xfailed=1)
    (name,) = databases(harness_postgres) - before
    drop_database(harness_postgres.address, name)
    address = harness_postgres.address
    result.stdout.fnmatch_lines(
        [
            "*- database of this test -*",
            f"psql 'postgresql://{address.user}@{address.host}:{address.port}/{name}'",
            "kept with the newest 3 of failed tests",
        ]
    )
    assert str(result.stdout).count("database of this test") == 1
    assert (address.password or "") not in str(result.stdout)


def test_on_a_server_that_ends_with_the_run_nothing_is_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES")

    result = project.run(FAILING)

    result.assert_outcomes(passed=1, failed=2, xfailed=1)
    result.stdout.fnmatch_lines(["harness_* goes with the server that was started for this run*"])
    assert "postgresql://postgres" not in str(result.stdout)


def test_a_debugger_is_told_the_whole_address(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES")
    project.write(
        "quiet.py",
        "class Quiet:\n    def __init__(self, **_): ...\n    reset = interaction = "
        "setup = lambda *_: None\n    quitting = False\n    curframe = None\n",
    )

    result = project.run(FAILING, "--pdb", "--pdbcls=quiet:Quiet", "-k", "test_wrong and not out")

    result.stdout.re_match_lines(
        [r"database of this test: psql 'postgresql://postgres:.+@127.0.0.1:\d+/harness_\w+_c\d+'"]
    )


MIGRATIONS = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": """
import asyncio
import os
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

def run(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    with open("migrated.txt", "a") as file:
        file.write("once\\n")
    engine = create_async_engine(os.environ["SHOP_DATABASE_URL"])
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
""",
    "migrations/versions/one.py": """
from alembic import op
revision, down_revision = "one", None

def upgrade():
    op.execute("CREATE TABLE authors (id serial PRIMARY KEY, name text UNIQUE)")
    op.execute("CREATE TABLE books (id serial PRIMARY KEY, author_id int)")
""",
}


def migrated(project: Project) -> int:
    return len(project.read("migrated.txt").splitlines())


@pytest.fixture
def migrating(project: Project, pytester: pytest.Pytester) -> Project:
    project.configure(
        table=TABLE.replace('metadata = "shop.database:Base"', 'alembic = "alembic.ini"')
    )
    for path, content in MIGRATIONS.items():
        project.write(path, content)
    # A revision of this test's own: templates outlive it.
    project.write("migrations/versions/mark.sql", f"-- {pytester.path}")
    return project


def test_a_second_run_does_not_migrate_again_until_a_revision_changes(migrating: Project) -> None:
    runs = [migrating.run(ISOLATED) for _ in range(2)]
    before = migrated(migrating)
    migrating.write("migrations/versions/mark.sql", "-- changed")
    runs.append(migrating.run(ISOLATED))

    for result in runs:
        result.assert_outcomes(passed=4)
    assert (before, migrated(migrating)) == (1, 2)


def test_the_workers_of_xdist_migrate_once_and_their_databases_bear_their_names(
    migrating: Project,
) -> None:
    result = migrating.run(
        as_clones(
            COUNTED
            + """
import os

@pytest.mark.parametrize("number", range(8))
async def test_isolated(client, own_database_url, number):
    assert (await client.post("/authors/ada")).json() == 6
    with open("seen.txt", "a") as file:
        worker = os.environ["PYTEST_XDIST_WORKER"]
        file.write(f"{worker} {own_database_url.database}\\n")
"""
        ),
        "-n",
        "2",
    )

    result.assert_outcomes(passed=8)
    assert migrated(migrating) == 1
    seen = [line.split() for line in migrating.read("seen.txt").splitlines()]
    assert len({name for _, name in seen}) == 8
    assert all(
        re.fullmatch(rf"harness_{worker}_[0-9a-f]{{12}}_c\d+", name) for worker, name in seen
    )


def test_a_migration_that_fails_leaves_nothing(migrating: Project) -> None:
    fails = "revision, down_revision = 'two', 'one'\ndef upgrade():\n    raise ValueError('half')\n"
    migrating.write("migrations/versions/two.py", fails)

    result = migrating.run("async def test(client): ...")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ValueError: half", "*alembic.ini"])


def test_the_next_run_clears_away_what_a_killed_one_left(
    project: Project, harness_postgres: PostgresServer
) -> None:
    before = databases(harness_postgres)
    kill = as_clones(
        COUNTED
        + """
import os, signal

async def test_killed(client):
    assert (await client.post("/authors/ada")).json() == 6
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )

    project.run(kill)
    left = databases(harness_postgres) - before
    project.run(ISOLATED).assert_outcomes(passed=4)

    assert left
    assert databases(harness_postgres) == before


def test_an_interrupted_run_leaves_nothing(project: Project) -> None:
    result = project.run(
        as_clones(
            COUNTED
            + """
async def test_interrupted(client):
    assert (await client.post("/authors/ada")).json() == 6
    raise KeyboardInterrupt
"""
        )
    )

    assert result.ret == pytest.ExitCode.INTERRUPTED
