"""Orders: what is sold was in stock, a refused order leaves nothing, a placed one is confirmed."""

import logging
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from fixtures.people import LOCKED
from target_app.db import open_database
from target_app.models import Inventory, Order, OrderLine, Product, User
from target_app.orders.confirmation import confirm_orders
from target_app.settings import Settings
from tests.target_app.conftest import sqlite_url

NOTHING = 2147483647


@pytest_asyncio.fixture
async def shop(db_session: AsyncSession) -> tuple[int, int, int]:
    """The ids of a customer, of a lamp (3 in stock, 1999 cents) and of a sofa (1, 50000)."""
    customer = User(email="customer@orders.example", name="Customer", password_hash=LOCKED)
    lamp = Product(sku="test-lamp", name="Lamp", category="light", price_cents=1999, attributes={})
    sofa = Product(sku="test-sofa", name="Sofa", category="seat", price_cents=50_000, attributes={})
    lamp.inventory, sofa.inventory = Inventory(quantity=3), Inventory(quantity=1)
    db_session.add_all([customer, lamp])
    await db_session.flush()
    db_session.add(sofa)
    await db_session.commit()
    return customer.id, lamp.id, sofa.id


def _order(customer_id: int, lines: dict[int, int]) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "lines": [
            {"product_id": product_id, "quantity": quantity}
            for product_id, quantity in lines.items()
        ],
    }


async def _stock(session: AsyncSession, shop: tuple[int, int, int]) -> list[int]:
    """Return how many lamps and sofas there are."""
    found = select(Inventory.quantity).where(Inventory.product_id.in_(shop[1:]))
    return list(await session.scalars(found.order_by(Inventory.product_id)))


async def _rows(session: AsyncSession, shop: tuple[int, int, int]) -> tuple[int, int]:
    """Return how many orders the customer has, and how many lines lamps and sofas have."""
    orders = await session.scalar(select(func.count()).where(Order.customer_id == shop[0]))
    of_products = OrderLine.product_id.in_(shop[1:])
    return orders or 0, await session.scalar(select(func.count()).where(of_products)) or 0


async def test_an_order_takes_from_the_stock_at_the_price_of_the_moment(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    customer, lamp, sofa = shop

    answer = await client.post("/orders", json=_order(customer, {sofa: 1, lamp: 2}))

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert (order["customer_id"], order["status"]) == (customer, "placed")
    assert order["lines"] == [
        {
            "product": {"id": lamp, "sku": "test-lamp", "name": "Lamp"},
            "quantity": 2,
            "unit_price_cents": 1999,
        },
        {
            "product": {"id": sofa, "sku": "test-sofa", "name": "Sofa"},
            "quantity": 1,
            "unit_price_cents": 50_000,
        },
    ]
    assert await _stock(db_session, shop) == [1, 0]


async def test_a_later_price_does_not_change_an_order(
    client: httpx.AsyncClient, shop: tuple[int, int, int]
) -> None:
    customer, lamp, _ = shop
    order = (await client.post("/orders", json=_order(customer, {lamp: 1}))).json()

    await client.patch(f"/products/{lamp}", json={"price_cents": 1})

    lines = (await client.get(f"/orders/{order['id']}")).json()["lines"]
    assert lines == order["lines"]


async def test_an_order_is_confirmed_after_its_answer(
    client: httpx.AsyncClient, shop: tuple[int, int, int]
) -> None:
    customer, lamp, _ = shop
    placed = (await client.post("/orders", json=_order(customer, {lamp: 1}))).json()

    read = await client.get(f"/orders/{placed['id']}")

    assert placed["status"] == "placed"
    assert read.json() == {**placed, "status": "confirmed"}


async def test_too_little_stock_is_400_and_leaves_nothing_behind(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    customer, lamp, sofa = shop

    answer = await client.post("/orders", json=_order(customer, {lamp: 1, sofa: 2}))

    assert answer.status_code == 400
    assert answer.json() == {"detail": f"there are fewer than 2 of product {sofa}"}
    assert await _stock(db_session, shop) == [3, 1]
    assert await _rows(db_session, shop) == (0, 0)


async def test_a_missing_product_is_404_and_leaves_nothing_behind(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    customer, lamp, _ = shop

    answer = await client.post("/orders", json=_order(customer, {lamp: 1, NOTHING: 1}))

    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": f"no row {NOTHING} in products"},
    )
    assert await _stock(db_session, shop) == [3, 1]
    assert await _rows(db_session, shop) == (0, 0)


async def test_a_missing_customer_is_404_and_leaves_nothing_behind(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    _, lamp, _ = shop

    answer = await client.post("/orders", json=_order(NOTHING, {lamp: 1}))

    assert (answer.status_code, answer.json()) == (404, {"detail": f"no row {NOTHING} in users"})
    assert await _stock(db_session, shop) == [3, 1]
    assert await _rows(db_session, shop) == (0, 0)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [(1, 0)],
        [(1, -1)],
        [(1, 2**31)],
        [(0, 1)],
        [(2**31, 1)],
        [(1, 1), (2, 1), (1, 1)],
        [(n, 1) for n in range(1, 52)],
    ],
)
async def test_an_order_out_of_bounds_is_422(
    client: httpx.AsyncClient, shop: tuple[int, int, int], lines: list[tuple[int, int]]
) -> None:
    customer, _, _ = shop
    body = {
        "customer_id": customer,
        "lines": [{"product_id": product, "quantity": quantity} for product, quantity in lines],
    }

    assert (await client.post("/orders", json=body)).status_code == 422
    assert (await client.post("/orders/batch", json=[body])).status_code == 422


async def test_a_batch_places_what_can_be_placed_and_says_what_cannot(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    customer, lamp, sofa = shop
    batch = [
        _order(customer, {lamp: 1}),
        _order(customer, {lamp: 1, sofa: 2}),
        _order(NOTHING, {lamp: 1}),
        _order(customer, {lamp: 1, NOTHING: 1}),
        _order(customer, {sofa: 1, lamp: 1}),
        _order(customer, {lamp: 2}),
        _order(customer, {lamp: 1}),
    ]

    answer = await client.post("/orders/batch", json=batch)

    assert answer.status_code == 200, answer.text
    outcomes = answer.json()
    assert [outcome.get("reason") for outcome in outcomes] == [
        None,
        f"there are fewer than 2 of product {sofa}",
        f"no row {NOTHING} in users",
        f"no row {NOTHING} in products",
        None,
        f"there are fewer than 2 of product {lamp}",
        None,
    ]
    assert await _stock(db_session, shop) == [0, 0]
    assert await _rows(db_session, shop) == (3, 4)
    listed = (await client.get(f"/orders?customer_id={customer}")).json()
    placed = [outcome["order"] for outcome in outcomes if outcome["outcome"] == "placed"]
    assert listed == [{**order, "status": "confirmed"} for order in placed]


@pytest.mark.parametrize("count", [0, 21])
async def test_a_batch_out_of_bounds_is_422(
    client: httpx.AsyncClient, shop: tuple[int, int, int], count: int
) -> None:
    customer, lamp, _ = shop
    batch = [_order(customer, {lamp: 1})] * count

    assert (await client.post("/orders/batch", json=batch)).status_code == 422


async def test_orders_are_listed_by_customer_in_pages(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    customer, lamp, _ = shop
    other = User(email="other@orders.example", name="Other", password_hash=LOCKED)
    db_session.add(other)
    await db_session.commit()
    made = [
        (await client.post("/orders", json=_order(buyer, {lamp: 1}))).json()["id"]
        for buyer in (customer, other.id, customer)
    ]

    async def listed(query: str) -> list[int]:
        return [order["id"] for order in (await client.get(f"/orders?{query}")).json()]

    assert await listed(f"customer_id={customer}") == [made[0], made[2]]
    assert await listed(f"customer_id={customer}&limit=1&offset=1") == [made[2]]
    assert await listed(f"customer_id={NOTHING}") == []
    assert set(await listed("limit=100")) >= set(made)


@pytest.mark.max_queries(per_request=2)
async def test_a_listing_takes_two_statements_however_many_orders_it_has(
    client: httpx.AsyncClient, db_session: AsyncSession, shop: tuple[int, int, int]
) -> None:
    customer, lamp, sofa = shop
    for _ in range(4):
        lines = [
            OrderLine(product_id=product_id, quantity=1, unit_price_cents=1)
            for product_id in (lamp, sofa)
        ]
        db_session.add(Order(customer_id=customer, lines=lines))
    await db_session.commit()

    listed = (await client.get(f"/orders?customer_id={customer}")).json()

    assert [len(order["lines"]) for order in listed] == [2, 2, 2, 2]


@pytest.mark.parametrize(("order_id", "status"), [(NOTHING, 404), (0, 422), (2**31, 422)])
async def test_an_order_that_does_not_exist_is_not_answered(
    client: httpx.AsyncClient, order_id: int, status: int
) -> None:
    assert (await client.get(f"/orders/{order_id}")).status_code == status


async def test_a_confirmation_that_fails_is_logged_with_the_ids_of_its_orders(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    without_tables = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"

    async with open_database(Settings(database_url=without_tables)) as database:
        await confirm_orders(database, [41, 42])

    (record,) = [entry for entry in caplog.records if entry.name.startswith("target_app")]
    assert record.levelno == logging.ERROR
    assert "[41, 42]" in record.getMessage()
    assert record.exc_info is not None


async def test_a_confirmation_on_a_database_that_is_gone_is_logged_too(
    database_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        # The driver itself: SQLAlchemy's own way to another PostgreSQL is closed inside of tests.
        connect = partial(asyncpg.connect, host="127.0.0.1", port=port, user="shop")
        gone = create_async_engine("postgresql+asyncpg://", async_creator=connect)
        async with open_database(Settings(database_url=str(sqlite_url(database_file)))) as database:
            await confirm_orders(replace(database, sessions=async_sessionmaker(gone)), [43])
        await gone.dispose()

    assert "[43]" in caplog.text
    assert "ConnectionRefusedError" in caplog.text
