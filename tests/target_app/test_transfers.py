"""Transfers: money moves as a whole, and a refused transfer moves none."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import LOCKED
from target_app.models import Account, Transfer, User

NO_ACCOUNT = 2147483647
LARGEST_BALANCE_CENTS = 2**53 - 1


@pytest_asyncio.fixture
async def accounts(db_session: AsyncSession) -> tuple[int, int]:
    """The ids of an account with 100 cents and of one with the largest balance there is."""
    owner = User(email="owner@transfers.example", name="Owner", password_hash=LOCKED)
    poor = Account(owner=owner, balance_cents=100)
    rich = Account(owner=owner, balance_cents=LARGEST_BALANCE_CENTS)
    db_session.add_all([poor, rich])
    await db_session.commit()
    return poor.id, rich.id


async def _balances(session: AsyncSession, accounts: tuple[int, int]) -> list[int]:
    found = select(Account.id, Account.balance_cents).where(Account.id.in_(accounts))
    balances = dict((await session.execute(found)).all())
    return [balances[account_id] for account_id in accounts]


async def _transfers(session: AsyncSession, accounts: tuple[int, int]) -> int:
    found = select(func.count()).where(Transfer.source_id.in_(accounts))
    return await session.scalar(found) or 0


def _body(source_id: int, target_id: int, amount_cents: object) -> dict[str, Any]:
    return {"source_id": source_id, "target_id": target_id, "amount_cents": amount_cents}


async def test_a_transfer_moves_money_and_is_written_down(
    client: httpx.AsyncClient, db_session: AsyncSession, accounts: tuple[int, int]
) -> None:
    poor, rich = accounts
    body = _body(rich, poor, 40)

    answer = await client.post("/transfers", json=body)

    assert answer.status_code == 201, answer.text
    assert answer.json().items() >= body.items()
    assert await _balances(db_session, accounts) == [140, LARGEST_BALANCE_CENTS - 40]
    assert answer.json() in (await client.get("/transfers?limit=100")).json()


async def test_an_account_can_be_emptied_and_filled_to_the_last_cent(
    client: httpx.AsyncClient, db_session: AsyncSession, accounts: tuple[int, int]
) -> None:
    poor, rich = accounts
    some = await client.post("/transfers", json=_body(rich, poor, 500))

    everything = await client.post("/transfers", json=_body(poor, rich, 500))

    assert (some.status_code, everything.status_code) == (201, 201)
    assert await _balances(db_session, accounts) == [100, LARGEST_BALANCE_CENTS]
    emptied = await client.post("/transfers", json=_body(rich, poor, LARGEST_BALANCE_CENTS - 100))
    assert emptied.status_code == 201
    assert await _balances(db_session, accounts) == [LARGEST_BALANCE_CENTS, 100]


async def test_too_little_money_is_400_and_nothing_is_left(
    client: httpx.AsyncClient, db_session: AsyncSession, accounts: tuple[int, int]
) -> None:
    poor, rich = accounts

    answer = await client.post("/transfers", json=_body(poor, rich, 101))

    assert answer.status_code == 400
    assert "not enough money" in answer.json()["detail"]
    assert await _balances(db_session, accounts) == [100, LARGEST_BALANCE_CENTS]
    assert await _transfers(db_session, accounts) == 0


async def test_more_than_an_account_can_hold_is_400_and_nothing_is_left(
    client: httpx.AsyncClient, db_session: AsyncSession, accounts: tuple[int, int]
) -> None:
    poor, rich = accounts

    answer = await client.post("/transfers", json=_body(poor, rich, 1))

    assert answer.status_code == 400
    assert await _balances(db_session, accounts) == [100, LARGEST_BALANCE_CENTS]
    assert await _transfers(db_session, accounts) == 0


@pytest.mark.parametrize("missing", ["source_id", "target_id"])
async def test_a_missing_account_is_404_and_named(
    client: httpx.AsyncClient,
    db_session: AsyncSession,
    accounts: tuple[int, int],
    missing: str,
) -> None:
    body = {**_body(*accounts, 1), missing: NO_ACCOUNT}

    answer = await client.post("/transfers", json=body)

    assert answer.status_code == 404
    assert answer.json() == {"detail": f"no row {NO_ACCOUNT} in accounts"}
    assert await _balances(db_session, accounts) == [100, LARGEST_BALANCE_CENTS]


async def test_a_transfer_to_the_same_account_is_422(
    client: httpx.AsyncClient, accounts: tuple[int, int]
) -> None:
    assert (await client.post("/transfers", json=_body(*accounts[:1] * 2, 1))).status_code == 422


@pytest.mark.parametrize("amount", [0, -1, 2**53, 2**63, 0.5, None])
async def test_an_amount_out_of_bounds_is_422(
    client: httpx.AsyncClient, accounts: tuple[int, int], amount: object
) -> None:
    assert (await client.post("/transfers", json=_body(*accounts, amount))).status_code == 422


async def test_transfers_are_listed_by_id_in_pages(
    client: httpx.AsyncClient, accounts: tuple[int, int]
) -> None:
    poor, rich = accounts
    made = [
        (await client.post("/transfers", json=_body(rich, poor, cents))).json()
        for cents in (1, 2, 3)
    ]
    everything = (await client.get("/transfers?limit=100")).json()

    page = (await client.get("/transfers?limit=2&offset=1")).json()

    assert everything[-3:] == made
    assert page == everything[1:3]
