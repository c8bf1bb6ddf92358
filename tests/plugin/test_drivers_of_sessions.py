"""`db_session` works through the application's driver, whichever that is."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import DATABASE, MAIN, TABLE, Project
from tests.plugin.test_sync_tests import as_sync

SHARED = """
import pytest
from sqlalchemy import func, select, text

COUNT = text("SELECT count(*) FROM authors")

@pytest.mark.parametrize("turn", [1, 2])
async def test_what_either_commits_the_other_sees(client, db_session, turn):
    await db_session.execute(text("INSERT INTO authors (name) VALUES ('grace')"))
    await db_session.commit()
    assert (await client.post("/authors/ada")).json() == 7
    assert await db_session.scalar(COUNT) == 7

async def test_the_driver(db_session, engine):
    print("driver:", engine.dialect.driver, (await db_session.connection()).dialect.is_async)
"""
PSYCOPG2 = "postgresql+psycopg2://{user}:{password}@{host}:{port}/{database}"


@pytest.mark.parametrize("mode", ["rollback", "clone"])
@pytest.mark.parametrize(
    ("url", "driver", "has_dependency"),
    [
        pytest.param("{async_url}", "asyncpg", True, id="asyncpg"),
        pytest.param("{sync_url}", "psycopg", True, id="psycopg"),
        pytest.param("{sync_url}", "psycopg", False, id="psycopg, without session_dependency"),
    ],
)
def test_a_session_and_the_application_share_one_transaction(
    project: Project, url: str, driver: str, mode: str, *, has_dependency: bool
) -> None:
    table = TABLE.replace("{async_url}", url) + f'isolation = "{mode}"\n'
    if not has_dependency:
        table = table.replace("session_dependency", "# session_dependency")
    project.configure(table=table)

    result = project.run(SHARED, "-rP")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"driver: {driver} True"])


@pytest.fixture(params=["{sync_url}", PSYCOPG2], ids=["psycopg", "psycopg2"])
def sync_shop(project: Project, request: pytest.FixtureRequest) -> Project:
    """A project whose application has a driver that blocks."""
    project.configure(table=TABLE.replace("{async_url}", request.param))
    project.write("shop/database.py", as_sync(DATABASE))
    project.write("shop/main.py", as_sync(MAIN))
    return project


def test_a_coroutine_that_tests_a_sync_application_is_told_what_to_take(
    sync_shop: Project,
) -> None:
    result = sync_shop.run("""
        async def test(client, db_session): ...
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*driver blocks*", "*'sync_db_session'*", "*[[]second-driver]"])


def test_a_coroutine_and_a_sync_application_share_a_sync_session(sync_shop: Project) -> None:
    result = sync_shop.run("""
        import asyncio, pytest
        from sqlalchemy import text

        COUNT = text("SELECT count(*) FROM authors")

        @pytest.mark.parametrize("turn", [1, 2])
        async def test(client, sync_db_session, turn):
            sync_db_session.execute(text("INSERT INTO authors (name) VALUES ('grace')"))
            sync_db_session.commit()
            names = ("ada", "alan", "edsger")
            await asyncio.gather(*(client.post(f"/authors/{name}") for name in names))
            assert sync_db_session.scalar(COUNT) == 9
    """)

    result.assert_outcomes(passed=2)


def test_in_clone_mode_a_second_driver_is_as_good_as_the_first(sync_shop: Project) -> None:
    result = sync_shop.run("""
        import pytest
        from sqlalchemy import text

        @pytest.mark.database("clone")
        async def test(client, db_session):
            await db_session.execute(text("INSERT INTO authors (name) VALUES ('grace')"))
            await db_session.commit()
            assert (await client.post("/authors/ada")).json() == 7
    """)

    result.assert_outcomes(passed=1)
