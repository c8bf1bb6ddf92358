"""Health checks: alive without the database, ready only with it."""

import httpx
import pytest
from sqlalchemy import URL

from tests.target_app.in_process import running


@pytest.mark.parametrize("check", ["live", "ready"])
async def test_a_healthy_application_says_so(client: httpx.AsyncClient, check: str) -> None:
    answer = await client.get(f"/health/{check}")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("unit_of_work", ["dependency", "middleware"])
async def test_with_all_connections_taken_it_is_alive_and_not_ready(
    real_url: URL, unit_of_work: str
) -> None:
    only_one = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}
    async with (
        running(real_url, unit_of_work=unit_of_work, **only_one) as run,
        run.database.engine.connect(),
    ):
        live = await run.client.get("/health/live")
        ready = await run.client.get("/health/ready")

    assert (live.status_code, ready.status_code) == (200, 503)
    assert "Retry-After" in ready.headers


async def test_the_documentation_says_that_it_may_not_be_ready(
    client: httpx.AsyncClient,
) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    assert "503" in paths["/health/ready"]["get"]["responses"]
