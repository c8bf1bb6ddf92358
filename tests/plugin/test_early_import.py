"""An application imported before any fixture runs works on the tests' database all the same.

At the top of a conftest or of a test module, by a factory of the user's own, with settings read at
import; asked by whatever client its suite has.
"""

from __future__ import annotations

import pytest

from tests.plugin.conftest import DATABASE, MAIN, SESSION_LOOPS, TABLE, Project
from tests.plugin.test_sync_tests import as_sync

IN_COROUTINES = """
import httpx
import pytest
from shop.main import app

async def requested(method, path):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.request(method, path)).json()

@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_commits_are_undone(turn):
    assert await requested("POST", "/authors/ada") == 6
    assert await requested("GET", "/authors") == 6

async def test_the_base_line_is_left():
    assert await requested("GET", "/authors") == 5
"""

TEST_CLIENT = """
import pytest
from fastapi.testclient import TestClient
from shop.main import app

client = TestClient(app)

@pytest.mark.parametrize("turn", [1, 2, 3])
def test_commits_are_undone(turn):
    assert client.post("/authors/ada").json() == 6
    assert client.get("/authors").json() == 6

def test_the_base_line_is_left():
    assert client.get("/authors").json() == 5

@pytest.mark.parametrize("turn", [1, 2])
def test_in_a_block(turn):
    with TestClient(app) as client:
        assert client.post("/authors/ada").json() == 6
        assert client.get("/authors").json() == 6
"""

SETTINGS = """
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    shop_database_url: str

settings = Settings()
"""

IGNORING_HTTPX = 'filterwarnings = ["error", "ignore:Using .httpx.*"]'


@pytest.mark.parametrize("scope", ["session", "function"])
def test_coroutines_ask_an_application_from_the_top_of_their_module(
    project: Project, scope: str
) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', f'"{scope}"'))

    result = project.run(IN_COROUTINES)

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("url", "is_sync"),
    [
        pytest.param("{async_url}", False, id="asyncpg"),
        pytest.param("{sync_url}", False, id="psycopg, awaited"),
        pytest.param("{sync_url}", True, id="psycopg"),
        pytest.param(
            "postgresql+psycopg2://{user}:{password}@{host}:{port}/{database}",
            True,
            id="psycopg2",
        ),
    ],
)
def test_a_test_client_asks_an_application_from_the_top_of_a_conftest(
    project: Project, url: str, is_sync: bool
) -> None:
    project.configure(
        table=TABLE.replace("{async_url}", url),
        pytest_options=SESSION_LOOPS.replace('filterwarnings = ["error"]', IGNORING_HTTPX),
    )
    database = DATABASE.replace('os.environ["SHOP_DATABASE_URL"]', "settings.shop_database_url")
    database = f"from shop.settings import settings{database}"
    project.write("shop/settings.py", SETTINGS)
    project.write("shop/database.py", as_sync(database) if is_sync else database)
    project.write("shop/main.py", as_sync(MAIN) if is_sync else MAIN)
    project.write("conftest.py", "from shop.main import app")

    result = project.run(TEST_CLIENT)

    result.assert_outcomes(passed=6)


def test_an_early_engine_of_sqlite_is_led_to_its_file(project: Project) -> None:
    project.configure(table=f'{TABLE}\npostgres = "sqlite"\n')

    result = project.run(IN_COROUTINES)

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("is_sync", [False, True], ids=["asyncpg", "psycopg"])
def test_a_connection_that_set_up_has_left_in_a_pool_is_not_used_by_a_test(
    project: Project, *, is_sync: bool
) -> None:
    table = TABLE.replace("shop.database:populate", "shop.rows:populate")
    rows = POPULATING
    if is_sync:
        table = table.replace("{async_url}", "{sync_url}")
        project.write("shop/database.py", as_sync(DATABASE))
        project.write("shop/main.py", as_sync(MAIN))
        rows = as_sync(rows)
    # The loop that such a connection belongs to has ended, so nobody can close it in order.
    ignored = '["error", "ignore:unclosed:ResourceWarning"]'
    project.configure(table=table, pytest_options=SESSION_LOOPS.replace('["error"]', ignored))
    project.write("shop/rows.py", rows)

    result = project.run(IN_COROUTINES)

    result.assert_outcomes(passed=4)


POPULATING = """
from sqlalchemy.ext.asyncio import AsyncSession
from shop.database import engine, populate as write

async def populate(session):
    async with AsyncSession(engine) as early, early.begin():
        await write(early)
"""


def test_ten_threads_that_connect_first_start_one_server_and_share_its_transaction(
    project: Project,
) -> None:
    project.configure(table=TABLE.replace("{async_url}", "{sync_url}"))
    project.write("shop/database.py", as_sync(DATABASE))

    result = project.run("""
        from concurrent.futures import ThreadPoolExecutor
        from sqlalchemy import text
        from shop.database import engine

        def add(number):
            with engine.begin() as connection:
                statement = text("INSERT INTO authors (name) VALUES (:name)")
                connection.execute(statement, {"name": f"of thread {number}"})

        def count():
            with engine.connect() as connection:
                return connection.scalar(text("SELECT count(*) FROM authors"))

        def test_at_once():
            with ThreadPoolExecutor(10) as threads:
                list(threads.map(add, range(10)))
            assert count() == 15

        def test_afterwards():
            assert count() == 5
        """)

    result.assert_outcomes(passed=2)


def test_fixtures_wider_than_a_test_write_the_base_line_through_it(project: Project) -> None:
    project.configure(
        pytest_options=SESSION_LOOPS.replace('filterwarnings = ["error"]', IGNORING_HTTPX)
    )
    project.write("shop/main.py", MAIN.replace("app = FastAPI()", LIFESPAN))
    project.write(
        "conftest.py",
        """
        import pytest
        from fastapi.testclient import TestClient
        from shop.main import app

        @pytest.fixture(scope="session")
        def asking():
            with TestClient(app) as client:
                client.post("/authors/of-a-fixture")
                yield client
        """,
    )

    result = project.run("""
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_commits_are_undone(asking, turn):
            assert asking.post("/authors/ada").json() == 8

        def test_the_base_line_is_left(asking):
            assert asking.get("/authors").json() == 7
        """)

    result.assert_outcomes(passed=3)


LIFESPAN = """
from contextlib import asynccontextmanager
from shop.database import sessions

@asynccontextmanager
async def lifespan(app):
    async with sessions.begin() as session:
        session.add(Author(name="of the lifespan"))
    yield

app = FastAPI(lifespan=lifespan)
"""


def test_a_lifespan_that_a_test_runs_is_undone_with_it(project: Project) -> None:
    project.configure(
        pytest_options=SESSION_LOOPS.replace('filterwarnings = ["error"]', IGNORING_HTTPX)
    )
    project.write("shop/main.py", MAIN.replace("app = FastAPI()", LIFESPAN))

    result = project.run("""
        import pytest
        from fastapi.testclient import TestClient
        from shop.main import app

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(turn):
            with TestClient(app) as client:
                assert client.get("/authors").json() == 6
        """)

    result.assert_outcomes(passed=2)


def test_early_engines_of_a_writer_and_a_reader_see_one_transaction_in_both_modes(
    project: Project,
) -> None:
    reader = 'env.SHOP_READER_URL = "{async_url}"\n'
    project.configure(table=TABLE + reader)
    project.write("conftest.py", "from shop.main import app, reader")
    project.write(
        "shop/main.py",
        MAIN
        + """
from sqlalchemy.ext.asyncio import create_async_engine
import os
reader = create_async_engine(os.environ["SHOP_READER_URL"])
""",
    )

    result = project.run("""
        import pytest
        from sqlalchemy import text
        from shop.database import engine
        from shop.main import reader

        @pytest.mark.parametrize("mode", [
            "rollback", pytest.param("clone", marks=pytest.mark.database("clone"))
        ])
        async def test_it(mode):
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO authors (name) VALUES ('ada')"))
            async with reader.connect() as connection:
                assert await connection.scalar(text("SELECT count(*) FROM authors")) == 6
        """)

    result.assert_outcomes(passed=2)


def test_a_factorys_application_shares_the_fixtures_transaction(project: Project) -> None:
    project.configure(table=TABLE.replace("shop.main:app", "shop.factory:create_app"))
    project.write(
        "shop/factory.py",
        """
        from fastapi import FastAPI
        from shop.main import app

        def create_app():
            made = FastAPI()
            made.mount("/shop", app)
            return made
        """,
    )

    result = project.run("""
        import httpx
        from sqlalchemy import text
        from shop.factory import create_app

        app = create_app()

        async def test_it(db_session):
            await db_session.execute(text("INSERT INTO authors (name) VALUES ('ada')"))
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                assert (await client.get("/shop/authors")).json() == 6
        """)

    result.assert_outcomes(passed=1)


MIGRATION = """
import asyncio, os
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from shop.database import Base, engine

def run(connection):
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        Base.metadata.create_all(connection)

async def migrate():
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()

asyncio.run(migrate())
"""


def test_migrations_run_for_a_test_in_the_middle_of_its_event_loop(project: Project) -> None:
    project.configure(table=TABLE.replace('metadata = "shop.database:Base"', ALEMBIC))
    project.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    project.write("migrations/env.py", MIGRATION)

    result = project.run(IN_COROUTINES, "-n", "2")

    result.assert_outcomes(passed=4)


ALEMBIC = 'alembic = "alembic.ini"'


def test_the_users_own_variables_are_there_again_when_pytest_ends(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://mine")
    project.configure(table=TABLE + 'env.SHOP_EXTRA = "for {database}"\n')
    project.write(
        "in_process.py",
        """
        import os, sys
        import pytest

        code = pytest.main(["-q", "-p", "no:locust", "-p", "no:randomly", *sys.argv[1:]])
        print(int(code), os.environ["SHOP_DATABASE_URL"], os.environ.get("SHOP_EXTRA"))
        """,
    )
    project.write(
        "test_shop.py",
        IN_COROUTINES
        + """
def test_during_it():
    import os
    assert os.environ["SHOP_DATABASE_URL"] != "postgresql://mine"
    assert os.environ["SHOP_EXTRA"].startswith("for harness_")
""",
    )

    result = project.run_python("in_process.py")
    refused = project.run_python("in_process.py", "--co", "no_such_file.py")

    result.stdout.fnmatch_lines(["5 passed*", "0 postgresql://mine None"])
    refused.stdout.fnmatch_lines(["4 postgresql://mine None"])


def test_what_reads_the_url_as_text_before_there_is_a_database_is_told_by_the_hosts_name(
    project: Project,
) -> None:
    result = project.run("""
        import os
        import asyncpg
        import shop.database

        async def test_too_early():
            assert os.environ["SHOP_DATABASE_URL"].endswith("_test")
            plain = os.environ["SHOP_DATABASE_URL"].replace("+asyncpg", "")
            await asyncpg.connect(plain)

        async def test_in_time(own_database_url, postgres):
            assert f":{postgres.address.port}/" in os.environ["SHOP_DATABASE_URL"]
        """)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["host = 'no-database-yet.ask-for-the-fixture-app.*"])


def test_an_engine_whose_address_is_in_the_code_is_an_escape_as_before(project: Project) -> None:
    result = project.run("""
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine
        from shop.database import engine

        async def test_it():
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            other = create_async_engine("postgresql+asyncpg://localhost:1/mine")
            async with other.connect(): ...
        """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *EscapedConnectionError: a test connected to the database 'mine' on port 1, *"]
    )


def test_a_connection_while_a_module_is_imported_is_refused_with_what_to_do(
    project: Project,
) -> None:
    project.write("shop/eager.py", EAGER)

    result = project.run("""
        import asyncio
        import pytest

        def test_in_a_body():
            import shop.eager

        async def test_in_a_coroutine():
            import shop.eager
        """)
    at_the_top = project.run("import shop.eager\ndef test(): ...")

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E *TooEarlyError: the application connected * while 'shop.eager' was being imported",
            "E *in shop/eager.py",
            "E *make tables by 'metadata' or 'alembic' in [[]tool.harness[]]*",
            "E *[[]too-early]",
        ]
    )
    at_the_top.assert_outcomes(errors=1)
    at_the_top.stdout.fnmatch_lines(["E *TooEarlyError: *"])


EAGER = """
import os
from sqlalchemy import create_engine, text

engine = create_engine(os.environ["SHOP_DATABASE_URL"].replace("asyncpg", "psycopg"))
with engine.begin() as connection:
    connection.execute(text("SELECT 1"))
"""


def test_without_a_server_the_error_is_the_one_that_fixtures_have(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_POSTGRES", "postgresql://localhost:1/none")

    result = project.run(IN_COROUTINES)

    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["E *harness.errors.NoPostgresError: *"])


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("[tool.harness]\nenv.A = '{url}'\n", id="no application"),
        pytest.param(TABLE + "env.A = '{nothing}'\n", id="an unknown placeholder"),
        pytest.param(TABLE + "env.B = 5\n", id="no text"),
        pytest.param('[tool.harness]\napp = "a:b"\nenv = "A"\n', id="no table"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said_when_a_test_needs_it(
    project: Project, table: str
) -> None:
    project.configure(table=table)

    helped = project.run("def test(): ...", "--help")
    unneeded = project.run("import os\ndef test(): assert 'SHOP_DATABASE_URL' not in os.environ")
    needed = project.run("def test(sync_client): ...")

    assert helped.ret == 0
    unneeded.assert_outcomes(passed=1)
    needed.assert_outcomes(errors=1)
    needed.stdout.fnmatch_lines(["[[]configuration]"])
