"""Beside plugins that change when and how often tests run."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project

CLONES = f'{TABLE}isolation = "clone"\n'
BOTH = pytest.mark.parametrize("table", [TABLE, CLONES], ids=["rollback", "clone"])


@BOTH
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_order_makes_no_difference(project: Project, table: str, seed: int) -> None:
    project.configure(table=table)

    result = project.run(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        async def test_the_same_row(client, number):
            assert (await client.post("/authors/ada")).json() == 6

        def test_without_awaiting(sync_client):
            assert sync_client.post("/authors/ada").json() == 6

        class TestSessions:
            async def test_a_session(self, client, db_session):
                from shop.database import Author
                db_session.add(Author(name="ada"))
                await db_session.commit()
                assert (await client.get("/authors")).json() == 6
        """,
        *("-p", "randomly", f"--randomly-seed={seed}"),
    )

    result.assert_outcomes(passed=6)


@BOTH
def test_another_attempt_begins_anew(project: Project, table: str) -> None:
    project.configure(table=table)

    result = project.run(
        """
        import pytest

        attempts = []

        @pytest.mark.max_queries(2)
        async def test_flaky(client, queries):
            attempts.append(1)
            assert (await client.post("/authors/ada")).json() == 6
            assert queries.count == 2
            assert len(attempts) == 3, "not yet"

        async def test_the_next(client):
            assert (await client.get("/authors")).json() == 5
        """,
        *("--reruns", "2"),
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*2 passed, 2 rerun*"])


def test_another_attempt_works_with_a_loop_for_each_function(project: Project) -> None:
    project.configure(pytest_options=SESSION_LOOPS.replace('"session"', '"function"'))

    result = project.run(
        """
        attempts = []

        async def test_flaky(client):
            attempts.append(1)
            assert (await client.post("/authors/ada")).json() == 6
            assert len(attempts) == 2, "not yet"
        """,
        *("--reruns", "1"),
    )

    result.assert_outcomes(passed=1)
