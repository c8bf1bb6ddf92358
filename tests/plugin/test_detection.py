"""Findings without being asked for: a section at the end of the run, and how a test accepts one."""

from __future__ import annotations

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project

ACCEPTED = """
import pytest

@pytest.mark.allow_queries("n-plus-one Author.books @ GET /books", reason="five rows at most")
async def test_accepted(client):
    await client.get("/books")
"""


def test_each_finding_is_told_once_with_the_first_test_that_showed_it(project: Project) -> None:
    result = project.run("""
        async def test_first(client):
            assert (await client.get("/books")).status_code == 200

        async def test_again(client):
            await client.get("/books")

        async def test_clean(client):
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=3)
    told = [line for line in result.outlines if line.startswith("n-plus-one ")]
    assert told == ["n-plus-one  Author.books @ GET /books"]
    result.stdout.fnmatch_lines(
        [
            "*harness: findings*",
            "n-plus-one  Author.books @ GET /books",
            "  Author.books was loaded 5 times, once for each of 5 parents",
            "  shop/main.py:*",
            "  add .options(selectinload(Author.books)) to the query that loads the parents:",
            "  *select(Author).options(selectinload(Author.books))*",
            "  first in test_shop.py::test_first",
            'fail_on = [[]"n-plus-one"[]]*',
        ]
    )


def test_notes_and_answers_that_a_test_is_about_are_not_told(project: Project) -> None:
    result = project.run("""
        async def test_an_error_answer(client, app):
            @app.get("/broken")
            async def broken():
                raise LookupError
            client.raise_app_exceptions = False
            assert (await client.get("/broken")).status_code == 500

        async def test_a_loop_of_flushes(client, app):
            from shop.database import Author, sessions

            @app.get("/flushes")
            async def flushes() -> None:
                async with sessions() as session:
                    for number in range(4):
                        session.add(Author(name=f"new {number}"))
                        await session.flush()
            assert (await client.get("/flushes")).status_code == 200
    """)

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*harness: findings*")


def test_a_clean_run_has_no_such_section(project: Project) -> None:
    result = project.run("""
        async def test_clean(client):
            await client.get("/authors")
    """)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*harness: findings*")


def test_workers_tell_what_they_found(project: Project) -> None:
    result = project.run(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        async def test_found(client, number):
            await client.get("/books" if number % 2 else "/shelves")
        """,
        "-n",
        "2",
    )

    result.assert_outcomes(passed=4)
    told = {line for line in result.outlines if line.startswith("n-plus-one ")}
    assert told == {
        "n-plus-one  Author.books @ GET /books",
        "n-plus-one  Author.books @ GET /shelves",
    }


def test_a_configured_kind_fails_every_test_that_calls_the_application(project: Project) -> None:
    project.configure(table=f'{TABLE}fail_on = ["n-plus-one"]\n')

    result = project.run("""
        async def test_found(client):
            await client.get("/books")
    """)

    result.assert_outcomes(failed=1)


def test_a_test_accepts_a_finding_and_another_test_does_not(project: Project) -> None:
    project.configure(table=f'{TABLE}fail_on = ["n-plus-one"]\n')

    result = project.run(f"""{ACCEPTED}
async def test_not_accepted(client):
    await client.get("/books")
""")

    result.assert_outcomes(passed=1, failed=1)


def test_an_accepted_finding_that_is_gone_is_a_warning(project: Project) -> None:
    lax = SESSION_LOOPS.replace('filterwarnings = ["error"]\n', "")
    project.configure(pytest_options=lax)

    result = project.run(ACCEPTED.replace('"/books")', '"/authors")'))

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*UnusedAllowanceWarning: allow_queries(*matches no finding*"])


def test_an_allowance_without_a_reason_is_a_mistake_of_the_whole_run(project: Project) -> None:
    result = project.run(ACCEPTED.replace(', reason="five rows at most"', ""))

    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*allow_queries('n-plus-one Author.books @ GET /books');*reason=*"]
    )
