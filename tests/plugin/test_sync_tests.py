"""`def` tests of an application: one transaction on its loop, its driver and its lifespan."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import DATABASE, MAIN, SESSION_LOOPS, TABLE, Project

SHARED = """
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

@pytest.fixture
def shop(app):
    import shop.database
    return shop.database

@pytest.mark.parametrize("turn", [1, 2, 3])
def test_what_either_commits_the_other_sees(sync_client, sync_db_session, shop, turn):
    sync_db_session.add(shop.Author(name="grace", books=[shop.Book(), shop.Book()]))
    sync_db_session.commit()
    assert sync_client.post("/authors/ada").json() == 7
    names = sync_db_session.scalars(select(shop.Author.name)).all()
    assert {"ada", "grace"} <= set(names)

def test_relationships_load_on_access(sync_db_session, shop):
    author = sync_db_session.scalars(select(shop.Author)).first()
    sync_db_session.expire_all()
    assert len(author.books) == 1

def test_an_error_is_the_sessions_own_to_roll_back(sync_client, sync_db_session, shop):
    sync_client.post("/authors/ada")
    sync_db_session.add(shop.Author(name="ada"))
    with pytest.raises(IntegrityError):
        sync_db_session.commit()
    sync_db_session.rollback()
    assert sync_client.get("/authors").json() == 6

def test_a_transaction_may_be_open_while_a_request_runs(sync_client, sync_db_session, shop):
    sync_db_session.add(shop.Author(name="grace"))
    sync_db_session.flush()
    assert sync_client.get("/authors").json() == 6

def test_the_driver(sync_db_session):
    print("driver:", sync_db_session.get_bind().dialect.driver)

def test_the_base_line_is_left(sync_db_session, shop):
    assert sync_db_session.scalar(select(func.count()).select_from(shop.Author)) == 5
"""


def as_sync(source: str) -> str:
    """The same application with a driver that blocks."""
    for old, new in (
        (
            "sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine",
            "sqlalchemy import create_engine\nfrom sqlalchemy.orm import Session, sessionmaker",
        ),
        (
            "sqlalchemy.ext.asyncio import AsyncSession",
            "sqlalchemy.orm import Session as AsyncSession",
        ),
        ("create_async_engine", "create_engine"),
        ("async_sessionmaker", "sessionmaker"),
        ("async ", ""),
        ("await session.run_sync(load)", "load(session)"),
        ("await ", ""),
    ):
        source = source.replace(old, new)
    return source


@pytest.mark.parametrize(
    ("url", "driver", "is_sync"),
    [
        pytest.param("{async_url}", "asyncpg", False, id="asyncpg"),
        pytest.param("{sync_url}", "psycopg", False, id="psycopg, awaited"),
        pytest.param("{sync_url}", "psycopg", True, id="psycopg"),
        pytest.param(
            "postgresql+psycopg2://{user}:{password}@{host}:{port}/{database}",
            "psycopg2",
            True,
            id="psycopg2",
        ),
    ],
)
def test_a_sync_client_and_a_sync_session_share_one_transaction(
    project: Project, url: str, driver: str, is_sync: bool
) -> None:
    project.configure(table=TABLE.replace("{async_url}", url))
    if is_sync:
        project.write("shop/database.py", as_sync(DATABASE))
        project.write("shop/main.py", as_sync(MAIN))

    result = project.run(SHARED, "-rP")

    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines([f"driver: {driver}"])


MIXED = """
import pytest
from sqlalchemy import text

COUNT = text("SELECT count(*) FROM authors")

@pytest.mark.parametrize("turn", [1, 2])
def test_def(sync_client, sync_db_session, turn):
    assert sync_client.post("/authors/ada").json() == 6
    assert sync_db_session.scalar(COUNT) == 6

@pytest.mark.parametrize("turn", [1, 2])
async def test_coroutine(client, db_session, turn):
    assert await db_session.scalar(COUNT) == 5
    assert (await client.post("/authors/ada")).json() == 6
    assert await db_session.scalar(COUNT) == 6

def test_def_again(sync_client):
    assert sync_client.post("/authors/ada").json() == 6
"""


@pytest.mark.parametrize("scope", ["session", "function"])
def test_coroutines_and_def_tests_take_turns_in_one_run(project: Project, scope: str) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', f'"{scope}"'))

    result = project.run(MIXED)

    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("is_sync", [False, True], ids=["asyncpg", "psycopg"])
def test_in_a_clone_they_work_on_one_database(project: Project, *, is_sync: bool) -> None:
    if is_sync:
        project.configure(table=TABLE.replace("{async_url}", "{sync_url}"))
        project.write("shop/database.py", as_sync(DATABASE))
        project.write("shop/main.py", as_sync(MAIN))

    result = project.run("""
        import pytest
        from sqlalchemy import text

        @pytest.mark.parametrize("turn", [1, 2])
        @pytest.mark.database("clone")
        def test_clone(sync_client, sync_db_session, turn):
            assert sync_client.post("/authors/ada").json() == 6
            assert sync_db_session.scalar(text("SELECT count(*) FROM authors")) == 6

        def test_rolled_back(sync_client, sync_db_session):
            assert sync_client.post("/authors/ada").json() == 6
            assert sync_db_session.scalar(text("SELECT count(*) FROM authors")) == 6
    """)

    result.assert_outcomes(passed=3)


def test_what_blocks_is_refused_in_a_coroutine_with_what_to_use_instead(project: Project) -> None:
    result = project.run("""
        from sqlalchemy import text

        async def test_session(sync_db_session):
            sync_db_session.scalar(text("SELECT 1"))

        async def test_client(sync_client):
            sync_client.get("/authors")
    """)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E *SyncInAsyncError: a coroutine called what blocks *",
            "E *await db_session.run_sync(function)*",
            "E *[[]sync-in-async]",
        ]
    )


def test_what_must_be_awaited_is_refused_in_a_def_test(project: Project) -> None:
    result = project.run("""
        import pytest

        @pytest.fixture
        async def ada(client):
            await client.post("/authors/ada")

        def test_client(client): ...

        def test_session(db_session): ...

        def test_through_a_fixture(ada): ...

        def test_with_a_loop_of_its_own(harness_client): ...
    """)

    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        [
            "test_client is a def test, and 'client' must be awaited",
            "make it 'async def', or take 'sync_client'",
            "test_session is a def test, and 'db_session' must be awaited",
            "make it 'async def', or take 'sync_db_session'",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_rows_of_a_coroutine_fixture_on_another_loop_are_a_conflict_not_a_miss(
    project: Project,
) -> None:
    result = project.run("""
        import pytest

        def test_warm(sync_client):
            sync_client.get("/authors")

        @pytest.fixture
        async def ada(harness_client):
            await harness_client.post("/authors/ada")

        def test_mixed(ada, sync_client):
            sync_client.get("/authors")
    """)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *SandboxConflictError: a second event loop *"])
