"""Findings of order: who came before a COMMIT, and the twins that did not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Project

APPLICATION = Path(__file__).resolve().parents[1] / "applications" / "order_of_commits.py"
ORDER_TABLE = """
[tool.harness]
app = "shop.main:app"
metadata = "shop.main:Base"
env.SHOP_DATABASE_URL = "{async_url}"
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """The project with an application whose commits come early and late."""
    project.write("shop/main.py", APPLICATION.read_text("utf-8"))
    project.configure(table=ORDER_TABLE)
    return project


def test_each_fault_is_found_and_its_twins_are_left_alone(shop: Project) -> None:
    result = shop.run("""
        import pytest

        async def kinds_of(client, queries, db_session, method, path):
            from shop.main import Order
            db_session.add(Order(note="from the test, and not committed"))
            await db_session.flush()
            response = await client.request(method, path)
            assert response.status_code == 200
            return {finding.identity for finding in queries.findings}

        @pytest.mark.parametrize("name", ["added", "flushed", "changed"])
        async def test_late(client, queries, db_session, name):
            assert await kinds_of(client, queries, db_session, "POST", f"/late/{name}") == {
                f"commit-after-response orders @ POST /late/{name}"
            }

        async def test_task(client, queries, db_session):
            assert await kinds_of(client, queries, db_session, "POST", "/task/before") == {
                "background-before-commit orders @ POST /task/before",
                "commit-after-response orders @ POST /task/before",
            }

        async def test_elsewhere(client, queries, db_session):
            assert await kinds_of(client, queries, db_session, "POST", "/task/elsewhere") == {
                "commit-after-response orders @ POST /task/elsewhere",
            }

        async def test_read(client, queries, db_session):
            assert await kinds_of(client, queries, db_session, "POST", "/read/uncommitted") == {
                "read-of-uncommitted-row orders @ POST /read/uncommitted",
            }

        @pytest.mark.parametrize("path", [
            "/early/function", "/early/endpoint", "/early/undone", "/early/task", "/task/after",
            "/read/committed", "/read/elsewhere",
        ])
        async def test_twins(client, queries, db_session, path):
            assert await kinds_of(client, queries, db_session, "POST", path) == set()

        async def test_reads(client, queries, db_session):
            assert await kinds_of(client, queries, db_session, "GET", "/early/read") == set()

        async def test_a_read_after_a_request_is_no_dirty_read(client, queries, db_session):
            await client.post("/early/function")
            await client.get("/early/read")
            assert not queries.findings

        def test_the_sync_client_is_alike(sync_client, queries):
            sync_client.post("/late/added")
            assert [item.kind for item in queries.findings] == ["commit-after-response"]
    """)

    result.assert_outcomes(passed=16)


def test_configured_kinds_fail_a_test_with_the_line_to_edit(shop: Project) -> None:
    shop.configure(table=ORDER_TABLE + 'fail_on = ["commit-after-response"]\n')

    result = shop.run("""
        async def test_late(client, queries):
            await client.post("/late/flushed")
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "commit-after-response  orders @ POST /late/flushed",
            "  edit *shop/main.py:* await session.flush()",
            '  change *scope="function"*',
        ]
    )
