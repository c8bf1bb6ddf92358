"""Accounts: they belong to someone, and hold no more than JSON's readers can count."""

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import LOCKED
from target_app.models import Account, User

NOBODY = 2147483647


@pytest_asyncio.fixture
async def owner_id(db_session: AsyncSession) -> int:
    owner = User(email="owner@accounts.example", name="Owner", password_hash=LOCKED)
    db_session.add(owner)
    await db_session.commit()
    return owner.id


async def test_an_opened_account_is_in_the_database_and_can_be_read(
    client: httpx.AsyncClient, db_session: AsyncSession, owner_id: int
) -> None:
    body = {"owner_id": owner_id, "opening_balance_cents": 2**53 - 1}
    opened = await client.post("/accounts", json=body)
    assert opened.status_code == 201, opened.text
    account = opened.json()

    read = await client.get(f"/accounts/{account['id']}")

    assert (read.status_code, read.json()) == (200, account)
    stored = await db_session.get_one(Account, account["id"])
    assert (stored.owner_id, stored.balance_cents) == (owner_id, 2**53 - 1)


async def test_an_account_of_nobody_is_404_and_is_not_opened(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    number_of_accounts = select(func.count()).select_from(Account)
    before = await db_session.scalar(number_of_accounts)

    answer = await client.post("/accounts", json={"owner_id": NOBODY})

    assert (answer.status_code, answer.json()) == (404, {"detail": f"no row {NOBODY} in users"})
    assert await db_session.scalar(number_of_accounts) == before


@pytest.mark.parametrize("balance", [-1, 2**53, 2**63, "1e400", None, [5]])
async def test_a_balance_that_cannot_be_held_is_422(
    client: httpx.AsyncClient, owner_id: int, balance: object
) -> None:
    body = {"owner_id": owner_id, "opening_balance_cents": balance}

    assert (await client.post("/accounts", json=body)).status_code == 422


async def test_accounts_are_listed_by_id_in_pages(
    client: httpx.AsyncClient, db_session: AsyncSession, owner_id: int
) -> None:
    accounts = [Account(owner_id=owner_id, balance_cents=n) for n in range(3)]
    db_session.add_all(accounts)
    await db_session.commit()
    everything = (await client.get("/accounts?limit=100")).json()

    page = (await client.get("/accounts?limit=2&offset=1")).json()

    ids = [account["id"] for account in everything]
    assert ids == sorted(ids)
    assert set(ids) >= {account.id for account in accounts}
    assert page == everything[1:3]


@pytest.mark.parametrize(
    ("account_id", "status"), [(NOBODY, 404), (0, 422), (NOBODY + 1, 422), ("x", 422)]
)
async def test_an_account_that_does_not_exist_is_not_answered(
    client: httpx.AsyncClient, account_id: object, status: int
) -> None:
    assert (await client.get(f"/accounts/{account_id}")).status_code == status
