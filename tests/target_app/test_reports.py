"""Reports: numbers that the database computes."""

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.models import Order, OrderLine, Product, User

LARGEST_INTEGER = 2**31 - 1


def _product(name: str, category: str) -> Product:
    return Product(sku=f"report-{name}", name=name, category=category, price_cents=1)


async def _sell(session: AsyncSession, *sold: tuple[Product, int, int]) -> None:
    """Store an order per sale of this product, quantity and price."""
    buyer = User(email="buyer@reports.example", name="Buyer", password_hash="x")
    for product, quantity, price_cents in sold:
        line = OrderLine(product=product, quantity=quantity, unit_price_cents=price_cents)
        session.add(Order(customer=buyer, lines=[line]))
    await session.commit()


async def _report(
    client: httpx.AsyncClient, *, category: str, top: int
) -> list[tuple[object, ...]]:
    answer = await client.get(f"/reports/best-sellers?top={top}")
    assert answer.status_code == 200, answer.text
    return [
        (row["rank"], row["name"], row["units"], row["revenue_cents"], row["running_total_cents"])
        for row in answer.json()
        if row["category"] == category
    ]


async def test_products_are_ranked_within_their_category(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    lamp, rope, mug = (_product(name, "report-home") for name in ("Lamp", "Rope", "Mug"))
    ball = _product("Ball", "report-sport")
    sales = [(lamp, 1, 500), (rope, 3, 100), (mug, 10, 70), (lamp, 2, 400), (ball, 1, 9_999)]
    await _sell(db_session, *sales)

    assert await _report(client, category="report-home", top=3) == [
        (1, "Lamp", 3, 1300, 1300),
        (2, "Mug", 10, 700, 2000),
        (3, "Rope", 3, 300, 2300),
    ]
    assert await _report(client, category="report-sport", top=3) == [(1, "Ball", 1, 9999, 9999)]


async def test_equal_revenue_has_equal_rank_and_is_added_up_one_by_one(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    first, second, third = (_product(name, "report-ties") for name in ("First", "Second", "Third"))
    db_session.add_all([first, second, third])
    await db_session.flush()
    await _sell(db_session, (first, 1, 200), (second, 2, 100), (third, 1, 50))

    assert await _report(client, category="report-ties", top=3) == [
        (1, "First", 1, 200, 200),
        (1, "Second", 2, 200, 400),
        (3, "Third", 1, 50, 450),
    ]


async def test_what_is_not_listed_counts_for_its_category(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    best, rest = _product("Best", "report-cut"), _product("Rest", "report-cut")
    await _sell(db_session, (best, 1, 300), (rest, 1, 200))

    answer = (await client.get("/reports/best-sellers?top=1")).json()

    (row,) = [row for row in answer if row["category"] == "report-cut"]
    assert (row["name"], row["revenue_cents"], row["category_cents"]) == ("Best", 300, 500)


async def test_revenue_beyond_an_integer_is_no_error(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    gold = _product("Gold", "report-large")
    await _sell(db_session, (gold, LARGEST_INTEGER, LARGEST_INTEGER))

    ((_, _, _, revenue, _),) = await _report(client, category="report-large", top=1)

    assert revenue == LARGEST_INTEGER**2


@pytest.mark.parametrize("top", ["0", "101", "many"])
async def test_a_number_of_ranks_out_of_bounds_is_422(client: httpx.AsyncClient, top: str) -> None:
    assert (await client.get(f"/reports/best-sellers?top={top}")).status_code == 422
