"""What holds for the endpoints of every domain: ids, pages, text, health."""

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import LOCKED
from target_app.models import User


@pytest.mark.parametrize("path", ["/users", "/posts", "/tags", "/todos"])
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "offset=2147483648"])
async def test_a_page_out_of_bounds_is_422(
    client: httpx.AsyncClient, path: str, query: str
) -> None:
    assert (await client.get(f"{path}?{query}")).status_code == 422


async def test_pages_follow_each_other_without_gap(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    db_session.add_all(
        User(email=f"{n}@page.example", name=f"Page {n}", password_hash=LOCKED) for n in range(4)
    )
    await db_session.commit()
    everyone = (await client.get("/users?limit=100")).json()

    first = (await client.get("/users?limit=2")).json()
    second = (await client.get("/users?limit=2&offset=2")).json()

    assert first + second == everyone[:4]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/users/2147483647", "/todos/2147483647"])
async def test_a_row_that_does_not_exist_is_404(
    client: httpx.AsyncClient, path: str, method: str
) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None

    assert (await client.request(method, path, json=body)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/users/0", "/users/2147483648", "/todos/0", "/todos/x"])
async def test_an_id_that_cannot_exist_is_422(
    client: httpx.AsyncClient, path: str, method: str
) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None

    assert (await client.request(method, path, json=body)).status_code == 422


@pytest.mark.parametrize("name", ["nul \\u0000", "surrogate \\ud800"])
async def test_text_that_postgresql_cannot_hold_is_422(
    client: httpx.AsyncClient, name: str
) -> None:
    body = f'{{"email": "odd@example.org", "name": "{name}", "password": "long enough"}}'
    answer = await client.post("/users", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", "name"]]


@pytest.mark.parametrize("check", ["live", "ready"])
async def test_a_healthy_application_says_so(client: httpx.AsyncClient, check: str) -> None:
    answer = await client.get(f"/health/{check}")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
