"""Connections past rollback isolation fail at their own line, or are warned of."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import MAIN, SESSION_LOOPS, TABLE, Project

PLAIN = """
import pytest

@pytest.fixture(scope="session")
def plain(database_url):
    return database_url.set(drivername="postgresql").render_as_string(hide_password=False)
"""
ASYNCPG = """
import asyncpg

async def test_raw(client, plain):
    assert (await client.post("/authors/ada")).json() == 6
    await asyncpg.connect(plain)
"""
PSYCOPG = """
import psycopg

def test_raw(sync_client, plain):
    assert sync_client.post("/authors/ada").json() == 6
    psycopg.connect(plain)
"""
PROGRAM = """
import subprocess, sys

def test_raw(plain):
    code = "import psycopg, sys; psycopg.connect(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, plain], check=True)
"""
CREATOR = """
import psycopg
from sqlalchemy import create_engine

def test_raw(plain):
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(plain))
    engine.connect()
"""
LETTING_IN = f'{TABLE}\nescape = "warn"\n'


@pytest.fixture
def shop(project: Project) -> Project:
    """A project whose tests have the URL as other drivers read it."""
    project.write("conftest.py", PLAIN)
    return project


@pytest.mark.parametrize(
    "test",
    [
        pytest.param(ASYNCPG, id="asyncpg"),
        pytest.param(PSYCOPG, id="psycopg"),
        pytest.param(PROGRAM, id="a program"),
        pytest.param(CREATOR, id="an engine with a creator"),
    ],
)
def test_a_connection_past_the_engine_is_refused_at_its_own_line(shop: Project, test: str) -> None:
    result = shop.run(test)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*is not currently accepting connections*",
            "*harness: sealed database*",
            "*takes no connections but SQLAlchemy's of this process*",
            '*@pytest.mark.database("clone")*',
            "[[]sealed-database]",
        ]
    )


@pytest.mark.parametrize("scope", ["session", "function"])
def test_the_applications_own_connections_come_in(shop: Project, scope: str) -> None:
    shop.configure(pytest_options=SESSION_LOOPS.replace('"session"', f'"{scope}"'))

    result = shop.run("""
        import asyncpg, pytest

        @pytest.mark.parametrize("turn", [1, 2, 3])
        async def test_request(client, plain, turn):
            assert (await client.post("/authors/ada")).json() == 6
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
                await asyncpg.connect(plain)
    """)

    result.assert_outcomes(passed=3)


def test_the_database_is_not_altered_from_test_to_test(shop: Project) -> None:
    result = shop.run("""
        import pytest
        from sqlalchemy import text

        ROW = text("SELECT xmin::text, datallowconn FROM pg_database WHERE datname = :name")
        seen = set()

        @pytest.mark.parametrize("turn", [1, 2, 3])
        async def test_request(client, db_session, database_url, turn):
            assert (await client.post("/authors/ada")).json() == 6
            seen.update((await db_session.execute(ROW, {"name": database_url.database})).all())
            assert [is_open for _, is_open in seen] == [False]
    """)

    result.assert_outcomes(passed=3)


def test_a_test_in_clone_mode_seals_nothing(shop: Project) -> None:
    result = shop.run("""
        import psycopg, pytest

        @pytest.mark.database("clone")
        async def test_request(client, own_database_url, plain):
            url = own_database_url.set(drivername="postgresql")
            assert (await client.post("/authors/ada")).json() == 6
            with psycopg.connect(url.render_as_string(hide_password=False)) as raw:
                assert raw.execute("SELECT count(*) FROM authors").fetchone() == (6,)
            psycopg.connect(plain).close()
    """)

    result.assert_outcomes(passed=1)


def test_fixtures_wider_than_a_test_write_the_base_line_by_any_driver(shop: Project) -> None:
    result = shop.run("""
        import psycopg, pytest

        async def test_before(client):
            assert (await client.get("/authors")).json() == 5

        @pytest.fixture(scope="class")
        def one_more(plain):
            with psycopg.connect(plain) as raw:
                raw.execute("INSERT INTO authors (name) VALUES ('ada')")
            yield
            with psycopg.connect(plain) as raw:
                raw.execute("DELETE FROM authors WHERE name = 'ada'")

        class TestWithOneMore:
            @pytest.mark.parametrize("turn", [1, 2])
            async def test_inside(self, one_more, client, turn, plain):
                assert (await client.get("/authors")).json() == 6
                with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
                    psycopg.connect(plain)

        async def test_after(client):
            assert (await client.get("/authors")).json() == 5
    """)

    result.assert_outcomes(passed=4)


LIFESPAN = """
from contextlib import asynccontextmanager

import asyncpg, os

@asynccontextmanager
async def lifespan(app):
    url = os.environ["SHOP_DATABASE_URL"].replace("+asyncpg", "")
    raw = await asyncpg.connect(url)
    await raw.execute("INSERT INTO authors (name) VALUES ('ada')")
    await raw.close()
    yield
    raw = await asyncpg.connect(url)
    await raw.execute("DELETE FROM authors WHERE name = 'ada'")
    await raw.close()

app.router.lifespan_context = lifespan
"""


def test_a_lifespan_writes_the_base_line_by_any_driver(shop: Project) -> None:
    shop.write("shop/main.py", MAIN + LIFESPAN)
    shop.configure(pytest_options=SESSION_LOOPS.replace('"session"', '"function"'))

    result = shop.run("""
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        async def test_request(client, turn):
            assert (await client.get("/authors")).json() == 6
    """)

    result.assert_outcomes(passed=2)


def test_a_connection_that_writes_for_real_comes_in_while_tests_are_rolled_back(
    shop: Project,
) -> None:
    result = shop.run("""
        from sqlalchemy import text

        async def test_real(client, engine, harness_sandbox):
            await client.post("/authors/ada")
            with harness_sandbox.bypassed():
                async with engine.connect() as connection:
                    assert await connection.scalar(text("SELECT count(*) FROM authors")) == 5
    """)

    result.assert_outcomes(passed=1)


def test_with_a_warning_in_place_of_an_error_strangers_come_in_and_are_named(
    shop: Project,
) -> None:
    shop.configure(
        table=LETTING_IN,
        pytest_options=SESSION_LOOPS.replace('filterwarnings = ["error"]', ""),
    )

    result = shop.run("""
        import asyncpg, psycopg

        async def test_that_leaves_one_open(client, plain):
            await client.post("/authors/ada")
            global raw
            raw = psycopg.connect(plain, application_name="a worker")
            await (await asyncpg.connect(plain)).close()

        async def test_that_is_alone(client):
            await client.post("/authors/ada")
            raw.close()
    """)

    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "test_shop.py::test_that_leaves_one_open",
            "*EscapeWarning: 2 sessions * not through it: a worker from 127.0.0.1, 1 that ended *",
        ]
    )


def test_an_engine_on_another_database_is_warned_of_with_its_line(shop: Project) -> None:
    shop.configure(
        table=LETTING_IN,
        pytest_options=SESSION_LOOPS.replace('filterwarnings = ["error"]', ""),
    )

    result = shop.run("""
        from sqlalchemy.ext.asyncio import create_async_engine

        async def test_elsewhere(client, database_url):
            await client.get("/authors")
            engine = create_async_engine(database_url.set(database="postgres"))
            async with engine.connect():
                pass
            await engine.dispose()
    """)

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*test_shop.py:7: EscapeWarning: a test connected to the database 'postgres' on port *",
            "*at test_shop.py:7  async with engine.connect(): pass",
        ]
    )


UNSEALED = """
from harness.database.clones.tripwire import Tripwire

@pytest.fixture(scope="session", autouse=True)
def unsealed(harness_sandbox, harness_stage):
    harness_sandbox.escapes.watch = Tripwire(harness_stage.required_run())
"""


def test_where_a_server_does_not_let_us_seal_the_end_of_the_test_tells(shop: Project) -> None:
    shop.write("conftest.py", PLAIN + UNSEALED)

    result = shop.run("""
        import asyncpg

        async def test_raw(client, plain):
            await client.get("/authors")
            await (await asyncpg.connect(plain)).close()

        async def test_afterwards(client):
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "1 session on 'harness_*' began in a test that is rolled back*",
            "what it wrote has stayed there*",
            "[[]escaped-connection]",
        ]
    )


def test_a_debugger_finds_the_database_open(shop: Project) -> None:
    result = shop.run("""
        import psycopg, pytest

        async def test_that_stops(client, plain, pytestconfig):
            await client.get("/authors")
            pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
            psycopg.connect(plain).close()
            pytestconfig.hook.pytest_leave_pdb(config=pytestconfig, pdb=None)
            with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
                psycopg.connect(plain)
    """)

    result.assert_outcomes(passed=1)
