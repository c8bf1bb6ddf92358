"""This repository's own wiring: the fixtures in ``fixtures/``, and the groups that CI requires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import HTTPException
from sqlalchemy import URL, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import MakeUser
from harness.asgi.overrides import Overrides
from harness.served import ServedApplication
from target_app.db import get_session
from target_app.models import User
from tests.conftest import LOCKED

_POPULATED_USERS = 10


async def test_a_made_user_is_served(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    user = await make_user(name="Grace")

    answer = await client.get(f"/users/{user.id}")

    assert answer.json()["name"] == "Grace"


@pytest.mark.parametrize("_time", ["first", "second"])
async def test_every_test_begins_with_the_populated_rows(
    db_session: AsyncSession,
    make_user: MakeUser,
    _time: str,
) -> None:
    await make_user()

    count = await db_session.scalar(select(func.count()).select_from(User))

    assert count == _POPULATED_USERS + 1


async def test_a_dependency_is_replaced_for_one_test(
    client: httpx.AsyncClient, overrides: Overrides
) -> None:
    def closed() -> Iterator[Annotated[None, "never reached"]]:
        raise HTTPException(503, "closed for repairs")

    overrides({get_session: closed})

    assert (await client.get("/users")).status_code == 503


@pytest.mark.group("served")
def test_the_served_application_answers_and_counts(served_app: ServedApplication) -> None:
    before = served_app.status()

    assert httpx.get(f"{served_app.url}/posts").status_code == 200

    posts = served_app.status()["routes"]["GET /posts"]
    assert posts["statements"] >= 2
    assert before["boot_id"] == served_app.status()["boot_id"]


def test_the_database_is_made_for_this_run(database_url: URL) -> None:
    assert (database_url.database or "").startswith("harness_")


def test_a_skip_in_a_required_group_is_a_failure(
    pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = Path(pytestconfig.rootpath / "tests" / "conftest.py").read_text("utf-8")
    pytester.makeconftest(hooks)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.group("containers")
        def test_required():
            pytest.skip("no engine")

        @pytest.mark.group("other")
        def test_optional():
            pytest.skip("no other")
        """
    )
    monkeypatch.setenv("REQUIRED_TESTS", "postgres,containers")

    result = pytester.runpytest_subprocess("-p", "no:locust", "-p", "no:schemathesis")

    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*REQUIRED_TESTS names containers*"])


def test_only_named_modules_that_exist_fill_the_query_lock(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> None:
    missing = [name for name in LOCKED if not (pytestconfig.rootpath / name).is_file()]
    marker = request.node.get_closest_marker("query_lock")

    assert missing == []
    assert marker is not None
    assert marker.args == ("off",)
