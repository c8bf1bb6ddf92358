"""Runs of a small project of their own: orders, workers, loops, and what outlives a test."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project

REVERSED = """
def pytest_collection_modifyitems(items):
    items.reverse()
"""
# Starlette's client would rather have the successor of httpx.
NO_WARNINGS = ("-W", "ignore")
CROSSWISE = """
import pytest

@pytest.mark.parametrize("names", [["ada", "bob"], ["bob", "ada"]] * 4)
async def test_takes_both(client, names):
    for name in names:
        assert (await client.post(f"/authors/{name}")).json() in {6, 7}
"""
OUTLIVING = """
import asyncio
import pytest
from sqlalchemy import text

tasks = []

async def go_on():
    from shop.database import sessions
    async with sessions() as session:
        await session.execute(text("SELECT 1"))
        await asyncio.sleep(0.05)
        await session.execute(text("SELECT 1"))

async def test_starts(client):
    await client.get("/authors")
    tasks.append(asyncio.create_task(go_on()))
    for _ in range(20):
        await asyncio.sleep(0)

async def test_waits(client):
    with pytest.raises(asyncio.CancelledError):
        await tasks.pop()
"""
TEST_CLIENT = """
import pytest
from starlette.testclient import TestClient
from harness.errors import SandboxConflictError

async def test_both(client, app):
    assert (await client.post("/authors/ada")).json() == 6
    with TestClient(app) as other:
        EXPECTED
"""


@pytest.fixture(params=["rollback", "clone"])
def isolated(request: pytest.FixtureRequest, project: Project) -> Project:
    """The project, with all its tests isolated in one of the two ways."""
    project.configure(table=f'{TABLE}\nisolation = "{request.param}"\n')
    return project


def test_workers_that_take_the_same_keys_in_opposite_order_never_meet(isolated: Project) -> None:
    result = isolated.run(CROSSWISE, "-n", "2")

    result.assert_outcomes(passed=8)


def test_the_order_of_tests_makes_no_difference(isolated: Project) -> None:
    isolated.write("conftest.py", REVERSED)

    result = isolated.run(CROSSWISE)

    result.assert_outcomes(passed=8)


def test_every_clone_may_have_a_loop_of_its_own(project: Project) -> None:
    project.configure(
        table=f'{TABLE}\nisolation = "clone"\n',
        pytest_options=SESSION_LOOPS.replace('"session"', '"function"'),
    )

    result = project.run(CROSSWISE)

    result.assert_outcomes(passed=8)


def test_a_task_that_outlives_its_test_is_refused(isolated: Project) -> None:
    result = isolated.run(OUTLIVING)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*go_on waits at test_shop.py:*", "*[[]unfinished-task]"])


def test_a_test_client_inside_a_coroutine_is_refused(project: Project) -> None:
    refused = """with pytest.raises(SandboxConflictError, match="second event loop"):
            other.get("/authors")"""

    result = project.run(TEST_CLIENT.replace("EXPECTED", refused), *NO_WARNINGS)

    result.assert_outcomes(passed=1)


def test_a_test_client_inside_a_coroutine_works_on_a_clone(project: Project) -> None:
    marked = TEST_CLIENT.replace("async def", '@pytest.mark.database("clone")\nasync def')
    works = "assert other.get('/authors').json() == 6"

    result = project.run(marked.replace("EXPECTED", works), *NO_WARNINGS)

    result.assert_outcomes(passed=1)
