"""A conflict of isolation fails the test, also where the application catches it."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import MAIN, Project

SWALLOWING = """
from fastapi import HTTPException
from shop.database import sessions

@app.post("/crossing")
async def crossing() -> str:
    outer, inner = sessions(), sessions()
    outer.add(Author(name="outer"))
    await outer.flush()
    inner.add(Author(name="inner"))
    await inner.commit()
    try:
        await outer.rollback()  # would undo what `inner` has committed
    except Exception:
        pass
    await inner.close()
    await outer.close()
    return "all is well"
"""


@pytest.fixture
def swallowing(project: Project) -> Project:
    """A project with an endpoint that catches whatever a rollback raises."""
    project.write("shop/main.py", MAIN + SWALLOWING)
    return project


def test_a_conflict_that_the_application_swallows_fails_the_test(swallowing: Project) -> None:
    result = swallowing.run("""
        async def test_crossing(client):
            assert (await client.post("/crossing")).json() == "all is well"

        async def test_afterwards(client):
            assert (await client.get("/authors")).json() == 5
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*POST /crossing*rolled back*", "*sandbox-conflict*"])


def test_a_conflict_that_the_test_expects_does_not(swallowing: Project) -> None:
    result = swallowing.run("""
        import pytest
        from harness.errors import SandboxConflictError

        async def test_crossing(client):
            from shop.database import Author, sessions

            outer, inner = sessions(), sessions()
            outer.add(Author(name="outer"))
            await outer.flush()
            inner.add(Author(name="inner"))
            await inner.commit()
            with pytest.raises(SandboxConflictError):
                await outer.rollback()
            await inner.close()
            await outer.close()
    """)

    result.assert_outcomes(passed=1)
