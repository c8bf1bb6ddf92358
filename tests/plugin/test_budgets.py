"""The marker `max_queries` and the configured kinds: what passes, what fails, and what is said."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project


def test_a_budget_that_is_kept_passes_and_one_that_is_not_fails(project: Project) -> None:
    result = project.run("""
        import pytest

        @pytest.mark.max_queries(2)
        async def test_two_for_two(client):
            assert (await client.post("/authors/ada")).status_code == 200

        @pytest.mark.max_queries(1)
        async def test_two_for_one(client):
            assert (await client.post("/authors/ada")).status_code == 200

        @pytest.mark.max_queries(0)
        def test_none_for_none():
            assert True

        @pytest.mark.max_queries(per_request=1)
        async def test_each_request_counts_for_itself(client, queries):
            for _ in range(3):
                await client.get("/authors")
            assert queries.count == queries.by_requests == 3

        @pytest.mark.max_queries(per_request=1)
        async def test_one_request_is_over(client):
            await client.get("/authors")
            await client.post("/authors/ada")
    """)

    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*_ test_two_for_one _*",
            "query-budget  total @ test_shop.py::test_two_for_one",
            "  2 statements ran, 1 is allowed",
            "  change *max_queries*",
            "  1 x *INSERT INTO authors*",
            "  1 x *SELECT count*",
            "*_ test_one_request_is_over _*",
            "query-budget  per request @ POST /authors/{name}",
            "  2 statements ran, 1 is allowed",
            "  edit *shop/main.py:*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_functional_failure_wins_over_the_budget_and_shows_the_findings(
    project: Project,
) -> None:
    result = project.run("""
        import pytest

        @pytest.mark.max_queries(1)
        async def test_wrong(client):
            answer = await client.get("/books")
            assert answer.json() == "something else"
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*assert *something else*"])
    result.stdout.fnmatch_lines(
        ["*- Captured queries call -*", "n-plus-one  Author.books @ GET /books", "  edit *"]
    )
    result.stdout.no_fnmatch_line("query-budget*")


def test_configured_kinds_fail_a_test_unless_an_allowance_accepts_the_finding(
    project: Project,
) -> None:
    project.configure(
        table=TABLE
        + """
fail_on = ["n-plus-one"]

[[tool.harness.allow]]
identity = "n-plus-one Author.books @ GET /books"
reason = "five authors at most"
"""
    )

    result = project.run("""
        async def test_allowed(client, queries):
            assert (await client.get("/books")).json() == [1] * 5

        async def test_not_allowed(client, queries):
            assert (await client.get("/shelves")).json() == [1] * 5
    """)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*_ test_not_allowed _*", "n-plus-one  Author.books @ GET /shel*"])


@pytest.mark.parametrize(
    "arguments", ["", "'two'", "1, 2", "1, 2, 3", "each=1", "-1", "True", "per_request=None"]
)
def test_wrong_arguments_are_a_usage_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.setenv("HARNESS_APP", "shop.main:app")
    pytester.makepyfile(f"import pytest\n@pytest.mark.max_queries({arguments})\ndef test(): ...")

    result = pytester.runpytest_inprocess("-p", "no:asyncio", "-p", "no:locust")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *::test has max_queries({arguments}); *"])


def test_the_marker_is_documented_where_pytest_lists_markers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_APP", "shop.main:app")

    result = pytester.runpytest_inprocess("--markers", "-p", "no:asyncio", "-p", "no:locust")

    result.stdout.fnmatch_lines(["@pytest.mark.max_queries(total=None, *, per_request=None): *"])


def test_a_budget_without_a_postgres_starts_no_server(project: Project) -> None:
    table = '[tool.harness]\npostgres = "postgresql://127.0.0.1:1/none"\n'
    project.configure(table=table, pytest_options=SESSION_LOOPS)

    result = project.run("""
        import pytest
        from sqlalchemy import create_engine, text

        @pytest.mark.max_queries(1)
        def test_sqlite():
            with create_engine("sqlite://").connect() as connection:
                connection.execute(text("SELECT 1"))
    """)

    result.assert_outcomes(passed=1)
