"""Products: found by what they are, changed in part, added many at once or not at all."""

from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.models import Inventory, Product

NO_PRODUCT = 2147483647


def _lamp(sku: str = "test-lamp", **changes: object) -> dict[str, Any]:
    lamp = {"sku": sku, "name": "Lamp", "category": "light", "price_cents": 1999, "stock": 3}
    return {**lamp, **changes}


async def _created(client: httpx.AsyncClient, **product: object) -> dict[str, Any]:
    answer = await client.post("/products", json=_lamp(**product))  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def _skus(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/products?{query}")
    assert answer.status_code == 200, answer.text
    return [product["sku"] for product in answer.json()]


async def _counts(session: AsyncSession) -> list[int]:
    """Return how many products there are, and of how many the stock is known."""
    return [
        await session.scalar(select(func.count()).select_from(model)) or 0
        for model in (Product, Inventory)
    ]


async def test_a_created_product_comes_with_its_stock(client: httpx.AsyncClient) -> None:
    attributes = {"colour": "röt 🚲", "watt": 7, "weight_kg": 1.5, "dimmable": True, "note": ""}
    lamp = await _created(client, attributes=attributes)

    read = await client.get(f"/products/{lamp['id']}")

    assert (read.status_code, read.json()) == (200, lamp)
    assert lamp.items() >= _lamp(attributes=attributes).items()


async def test_a_product_is_added_without_attributes_and_without_stock(
    client: httpx.AsyncClient,
) -> None:
    body = {"sku": "bare", "name": "Bare", "category": "light", "price_cents": 1}

    answer = await client.post("/products", json=body)

    assert answer.status_code == 201
    assert (answer.json()["attributes"], answer.json()["stock"]) == ({}, 0)


async def test_a_taken_sku_is_409_and_leaves_one_product(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    await _created(client)
    before = await _counts(db_session)

    answer = await client.post("/products", json=_lamp())

    assert answer.status_code == 409
    assert await _counts(db_session) == before


async def test_products_are_found_by_category(client: httpx.AsyncClient) -> None:
    await _created(client, sku="test-lamp", category="test-light")
    await _created(client, sku="test-sofa", category="test-seat")

    assert await _skus(client, "category=test-seat") == ["test-sofa"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("attribute=test_colour&value=red", ["red", "red-too"]),
        ("attribute=test_colour&value=röt", ["umlaut"]),
        ("attribute=test_colour", ["red", "red-too", "umlaut"]),
        ("attribute=test_colour&value=red&category=test-seat", ["red-too"]),
        ("attribute=test_volts&value=230", ["number", "text"]),
        ("attribute=test_volts&value=1.5", ["fraction"]),
        ("attribute=test_volts&value=true", ["truth"]),
        ("attribute=test_volts&value=1", []),
        ("attribute=test_shape", []),
        ("attribute=test_colour&value=%25", []),
        ("attribute=test_colour&limit=2&offset=1", ["red-too", "umlaut"]),
    ],
)
async def test_products_are_found_by_attribute(
    client: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    shop: list[tuple[str, str, dict[str, object]]] = [
        ("red", "light", {"test_colour": "red"}),
        ("red-too", "test-seat", {"test_colour": "red"}),
        ("umlaut", "light", {"test_colour": "röt"}),
        ("number", "light", {"test_volts": 230}),
        ("text", "light", {"test_volts": "230"}),
        ("fraction", "light", {"test_volts": 1.5}),
        ("truth", "light", {"test_volts": True}),
    ]
    for sku, category, attributes in shop:
        await _created(client, sku=sku, category=category, attributes=attributes)

    assert await _skus(client, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "value=red",
        "attribute=a%22b",
        "attribute=$.colour",
        "attribute=",
        "attribute=test_colour&value=%00",
        "category=",
        "category=%00",
        "limit=0",
    ],
)
async def test_a_filter_that_means_nothing_is_422(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/products?{query}")).status_code == 422


@pytest.mark.parametrize(
    "attributes",
    [
        '{"note": "\\u0000"}',
        '{"\\u0000": "note"}',
        '{"note": "\\ud800"}',
        '{"\\ud800": "note"}',
        '{"Note": 1}',
        '{"note": 9007199254740992}',
        '{"note": 1e20}',
        '{"note": 1e400}',
        '{"note": NaN}',
        '{"note": null}',
        '{"note": {"deeper": 1}}',
        '{"note": [1]}',
        f'{{"note": "{"x" * 201}"}}',
        f'{{"{"x" * 41}": 1}}',
        "{" + ", ".join(f'"name{n}": 1' for n in range(21)) + "}",
        "[]",
        "null",
        "[" * 500 + "]" * 500,
    ],
)
async def test_attributes_that_no_database_keeps_are_422(
    client: httpx.AsyncClient, db_session: AsyncSession, attributes: str
) -> None:
    before = await _counts(db_session)
    body = (
        '{"sku": "odd", "name": "Odd", "category": "odd", "price_cents": 1, '
        f'"attributes": {attributes}}}'
    )

    answer = await client.post(
        "/products", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422
    assert await _counts(db_session) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"sku": ""},
        {"sku": "a b"},
        {"sku": "x" * 41},
        {"name": ""},
        {"category": "x" * 51},
        {"price_cents": 0},
        {"price_cents": 2**31},
        {"stock": -1},
        {"stock": 2**31},
    ],
)
async def test_a_product_out_of_bounds_is_422(
    client: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    assert (await client.post("/products", json=_lamp() | wrong)).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Better lamp"},
        {"price_cents": 2**31 - 1},
        {"attributes": {"colour": "blue"}},
        {"stock": 0},
        {"name": "Both", "stock": 7},
        {},
    ],
)
async def test_a_change_changes_what_it_names_and_nothing_else(
    client: httpx.AsyncClient, changes: dict[str, object]
) -> None:
    lamp = await _created(client, attributes={"colour": "red", "watt": 7})
    path = f"/products/{lamp['id']}"

    answer = await client.patch(path, json=changes)

    assert (answer.status_code, answer.json()) == (200, {**lamp, **changes})
    assert (await client.get(path)).json() == {**lamp, **changes}


async def test_null_leaves_everything_as_it_is(client: httpx.AsyncClient) -> None:
    lamp = await _created(client)
    nulls = dict.fromkeys(("name", "price_cents", "attributes", "stock"))

    answer = await client.patch(f"/products/{lamp['id']}", json=nulls)

    assert (answer.status_code, answer.json()) == (200, lamp)


@pytest.mark.parametrize("changes", [{"name": "x"}, {"stock": 1}])
async def test_a_product_that_does_not_exist_is_404(
    client: httpx.AsyncClient, changes: dict[str, object]
) -> None:
    path = f"/products/{NO_PRODUCT}"

    assert (await client.get(path)).status_code == 404
    assert (await client.patch(path, json=changes)).status_code == 404


@pytest.mark.max_queries(per_request=2)
async def test_a_thousand_products_are_added_at_once_each_with_its_own_stock(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    body = [_lamp(f"bulk-{n}", stock=n, attributes={"number": n}) for n in range(1000)]

    answer = await client.post("/products/bulk", json=body)

    assert answer.status_code == 201, answer.text
    assert [product["sku"] for product in answer.json()] == [lamp["sku"] for lamp in body]
    stored = await db_session.execute(
        select(Product.id, Product.sku, Inventory.quantity)
        .join(Inventory)
        .where(Product.sku.like("bulk-%"))
    )
    stock = {product_id: (sku, quantity) for product_id, sku, quantity in stored}
    assert stock == {product["id"]: (f"bulk-{n}", n) for n, product in enumerate(answer.json())}


@pytest.mark.parametrize("skus", [["new", "taken"], ["twice", "other", "twice"]])
async def test_a_conflict_in_a_bulk_insert_is_409_and_adds_none(
    client: httpx.AsyncClient, db_session: AsyncSession, skus: list[str]
) -> None:
    await _created(client, sku="taken")
    before = await _counts(db_session)

    answer = await client.post("/products/bulk", json=[_lamp(sku) for sku in skus])

    assert answer.status_code == 409
    assert await _counts(db_session) == before


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_bulk_insert_out_of_bounds_is_422(client: httpx.AsyncClient, count: int) -> None:
    body = [_lamp(f"lamp-{n}") for n in range(count)]

    assert (await client.post("/products/bulk", json=body)).status_code == 422
