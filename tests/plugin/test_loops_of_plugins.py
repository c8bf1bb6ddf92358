"""Isolation holds whichever plugin runs the coroutines and however long its loops live."""

from __future__ import annotations

import socket

import pytest

from tests.plugin.conftest import SESSION_LOOPS, Project

ISOLATED = """
import pytest

@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_commits_are_undone(client, db_session, turn):
    answer = await client.post("/authors/ada")
    assert answer.json() == 6
    from shop.database import Author
    from sqlalchemy import func, select
    assert await db_session.scalar(select(func.count()).select_from(Author)) == 6

async def test_the_base_line_is_left(client):
    assert (await client.get("/authors")).json() == 5

def test_without_a_database():
    assert True
"""


def test_with_session_loops_of_pytest_asyncio(project: Project) -> None:
    result = project.run(ISOLATED)

    result.assert_outcomes(passed=5)


def test_with_function_loops_as_pytest_asyncio_has_them_by_default(project: Project) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', '"function"'))

    result = project.run(ISOLATED)

    result.assert_outcomes(passed=5)


def test_with_the_strict_mode_of_pytest_asyncio(project: Project) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"auto"', '"strict"'))

    result = project.run(ISOLATED.replace("async def", "@pytest.mark.asyncio\nasync def"))

    result.assert_outcomes(passed=5)


def test_with_anyio_and_an_asynchronous_fixture(project: Project) -> None:
    project.configure(pytest_options='[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n')

    result = project.run(
        """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def ada(db_session):
            from shop.database import Author
            db_session.add(Author(name="ada"))
            await db_session.flush()

        @pytest.mark.anyio
        @pytest.mark.parametrize("turn", [1, 2])
        async def test_the_fixture_is_seen(ada, client, turn):
            assert (await client.post("/authors/grace")).json() == 7

        @pytest.mark.anyio
        async def test_the_base_line_is_left(client):
            assert (await client.get("/authors")).json() == 5
        """,
        "-p",
        "no:asyncio",
    )

    result.assert_outcomes(passed=3)


def test_the_workers_of_xdist_share_one_server_and_have_a_database_each(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES")

    result = project.run(
        """
        import os, pytest

        @pytest.mark.parametrize("number", range(8))
        async def test_isolated(client, postgres, database_url, number):
            assert (await client.post("/authors/ada")).json() == 6
            with open("seen.txt", "a") as file:
                worker = os.environ["PYTEST_XDIST_WORKER"]
                file.write(f"{worker} {postgres.address.port} {database_url.database}\\n")
        """,
        "-n",
        "2",
    )

    result.assert_outcomes(passed=8)
    seen = {tuple(line.split()) for line in project.read("seen.txt").splitlines()}
    assert {worker for worker, _, _ in seen} == {"gw0", "gw1"}
    assert len({database for _, _, database in seen}) == 2
    (port,) = {port for _, port, _ in seen}
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(port))):
        pass
