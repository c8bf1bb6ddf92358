"""The section at the end of a run: what it says of what cannot be real, and when it is silent."""

from __future__ import annotations

from tests.plugin.conftest import Project

LOCK = """
    from sqlalchemy import text

    async def test_locks_twice(db_session):
        await db_session.execute(text("SELECT pg_advisory_xact_lock(1)"))
        await db_session.execute(text("SELECT pg_advisory_xact_lock(2)"))

    async def test_locks_once_more(db_session):
        await db_session.execute(text("SELECT pg_try_advisory_lock(1)"))
"""

NOTIFYING = """
from sqlalchemy import text

@app.post("/events")
async def publish(session: Session) -> None:
    await session.execute(text("NOTIFY events"))
"""


def test_advice_is_given_once_with_the_first_line_and_the_way_out(project: Project) -> None:
    result = project.run(LOCK)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*= harness: advice =*",
            "an advisory lock was asked for*",
            "*test_shop.py:*await db_session.execute(text(*lock(1)*",
            "*[[]advisory-lock[]]",
            '@pytest.mark.database("clone")*',
        ]
    )
    assert str(result.stdout).count("an advisory lock was asked for") == 1


def test_workers_of_xdist_give_it_once_as_well(project: Project) -> None:
    result = project.run(LOCK, "-n", "2")

    result.assert_outcomes(passed=2)
    assert str(result.stdout).count("an advisory lock was asked for") == 1


def test_a_run_without_such_statements_has_no_section(project: Project) -> None:
    result = project.run("""
        from sqlalchemy import text

        async def test_plain(db_session):
            await db_session.execute(text("SELECT 'pg_advisory_lock(1)' FOR UPDATE"))
    """)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*harness: advice*")


def test_what_the_advice_is_about_may_come_from_an_endpoint(project: Project) -> None:
    project.write("shop/main.py", project.read("shop/main.py") + NOTIFYING)

    result = project.run("""
        async def test_publishes(client):
            await client.post("/events")
    """)

    result.stdout.fnmatch_lines(["LISTEN or NOTIFY was used*", "*shop/main.py:*NOTIFY events*"])
