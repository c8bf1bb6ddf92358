"""The fixtures in a user's project: whose they are, what they need, and what wrong settings say."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import SESSION_LOOPS, TABLE, Project


def test_fixtures_of_the_users_own_disturb_none_of_ours(project: Project) -> None:
    result = project.run("""
        import pytest

        @pytest.fixture
        def app():
            return "my app"

        @pytest.fixture
        def engine():
            return "my engine"

        @pytest.fixture
        def client():
            return "my client"

        @pytest.fixture
        def queries():
            return "my queries"

        async def test_mine(app, engine, client, queries):
            assert [app, engine, client, queries] == [
                "my app", "my engine", "my client", "my queries"
            ]

        @pytest.mark.max_queries(3)
        async def test_both(client, engine, harness_client, harness_engine, db_session):
            from sqlalchemy import text

            assert (await harness_client.post("/authors/ada")).json() == 6
            assert await db_session.scalar(text("SELECT count(*) FROM authors")) == 6
    """)

    result.assert_outcomes(passed=2)


def test_an_override_lasts_for_its_test_and_a_mistyped_one_is_refused(project: Project) -> None:
    result = project.run("""
        async def test_override(client, overrides):
            from shop.database import get_session
            class Fake:
                async def scalar(self, statement):
                    return 99
            overrides({get_session: Fake})
            assert (await client.get("/authors")).json() == 99

        async def test_afterwards(client):
            assert (await client.get("/authors")).json() == 5

        async def test_mistyped(overrides):
            async def get_sesion(): ...
            overrides({get_sesion: dict})
    """)

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E *did you mean 'shop.database:get_session'?"])


def test_a_project_without_a_table_sees_nothing_of_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[tool.other]\nname = "not [tool.harness]"\n')
    pytester.makepyfile("""
        import sys

        def test_asleep(request):
            assert not {"sqlalchemy", "asyncpg", "httpx", "pydantic"} & set(sys.modules)
            assert "harness_isolation" not in request.fixturenames

        def test_client(client): ...
    """)

    result = pytester.runpytest_subprocess(
        "--strict-markers", "-p", "no:locust", "-p", "no:schemathesis"
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *fixture 'client' not found"])


def test_a_missing_package_is_a_usage_error_with_what_to_install(project: Project) -> None:
    project.write(
        "httpx.py", "raise ModuleNotFoundError(\"No module named 'httpx'\", name='httpx')"
    )

    result = project.run("def test(): ...")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *'httpx' is not installed: pip install *[[]test,postgres]*"]
    )


MIGRATION = """
from alembic import context
raise RuntimeError("relation authors already exists")
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "shop.main:app",
            "shop.mian:app",
            ["importing 'shop.mian' raised ModuleNotFoundError: *", "[[]target-import]"],
            id="an application that cannot be imported",
        ),
        pytest.param(
            "shop.database:get_session",
            "shop.database:populate",
            [
                "no route of the application depends on 'populate'",
                "session_dependency = 'shop.database:populate'",
                "used: shop.database:get_session",
                "[[]configuration]",
            ],
            id="a session dependency that no route has",
        ),
        pytest.param(
            "session_dependency",
            "sesion_dependency",
            [
                "[[]tool.harness] has no key 'sesion_dependency'",
                "*pyproject.toml",
                "did you mean 'session_dependency'?",
                "[[]configuration]",
            ],
            id="an unknown key",
        ),
        pytest.param(
            'metadata = "shop.database:Base"',
            'alembic = "alembic.ini"',
            [
                "alembic upgrade head failed:",
                "RuntimeError: relation authors already exists",
                "*alembic.ini",
                "does env.py take its URL *",
                "[[]configuration]",
            ],
            id="a migration that fails",
        ),
    ],
)
def test_what_the_user_can_correct_is_said_in_a_few_lines_without_a_traceback(
    project: Project, old: str, new: str, expected: list[str]
) -> None:
    project.configure(table=TABLE.replace(old, new), pytest_options=SESSION_LOOPS)
    project.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    project.write("migrations/env.py", MIGRATION)

    result = project.run("async def test(client): ...")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(expected)
    result.stdout.no_fnmatch_line("*Traceback*")
    start = result.outlines.index(next(line for line in result.outlines if line.startswith("____")))
    end = result.outlines.index(next(line for line in result.outlines if "summary info" in line))
    assert end - start < 10


def test_a_fixture_that_is_asked_for_in_the_middle_of_a_test_is_isolated_too(
    project: Project,
) -> None:
    result = project.run("""
        import asyncio

        import pytest

        @pytest.mark.parametrize("run", [1, 2])
        def test_it(request, run):
            client = request.getfixturevalue("client")

            async def authors():
                await client.post("/authors/late")
                return (await client.get("/authors")).json()

            assert asyncio.run(authors()) == 6
    """)

    result.assert_outcomes(passed=2)
