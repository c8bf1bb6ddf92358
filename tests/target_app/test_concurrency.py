"""Many clients at once: money and stock come out right to the last cent and piece.

On PostgreSQL the application is a process of its own with a pool of 5 + 5 connections, and 200
requests arrive at once; the answers are compared with what a raw driver finds in the tables.
The pool's patience is 60 s, so that nobody is turned away for lack of a connection: a 503 here is
a deadlock or a statement that waited too long, and fails the test. On SQLite there are 30 requests.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import URL

from tests.target_app.conftest import Serve, sqlite_url
from tests.target_app.in_process import running

PATIENCE_SECONDS = 60
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Arena:
    """The application, how many requests it gets at once, and the database behind its back."""

    client: httpx.AsyncClient
    requests: int
    execute: Callable[[str], Awaitable[Rows]]

    async def post_all(self, path: str, bodies: Sequence[object]) -> list[httpx.Response]:
        return await asyncio.gather(*(self.client.post(path, json=body) for body in bodies))


@pytest.fixture(params=["postgresql", "sqlite"])
def arena(request: pytest.FixtureRequest) -> Arena:
    found: Arena = request.getfixturevalue(f"_on_{request.param}")
    return found


@pytest_asyncio.fixture
async def _on_postgresql(serve: Serve, emptied_postgresql: URL) -> AsyncIterator[Arena]:
    plain = emptied_postgresql.set(drivername="postgresql")
    connection = await asyncpg.connect(plain.render_as_string(hide_password=False))

    async def execute(sql: str) -> Rows:
        return [tuple(row) for row in await connection.fetch(sql)]

    # Each with a connection of its own: the server closes one that is kept alive after a while,
    # maybe just when the client sends the next request on it.
    everybody_at_once = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    with serve(pool_size="5", max_overflow="5", pool_timeout=str(PATIENCE_SECONDS)) as url:
        async with httpx.AsyncClient(
            base_url=url, timeout=2 * PATIENCE_SECONDS, limits=everybody_at_once
        ) as client:
            yield Arena(client, 200, execute)
    await connection.close()


@pytest_asyncio.fixture
async def _on_sqlite(database_file: Path) -> AsyncIterator[Arena]:
    connection = sqlite3.connect(database_file, isolation_level=None)

    async def execute(sql: str) -> Rows:
        return connection.execute(sql).fetchall()

    async with running(sqlite_url(database_file), pool_timeout=PATIENCE_SECONDS) as app:
        yield Arena(app.client, 30, execute)
    connection.close()


async def _customer(arena: Arena) -> int:
    ((customer_id,),) = await arena.execute(
        "INSERT INTO users (email, name, password_hash) VALUES ('c@x.example', 'C', 'x')"
        " RETURNING id"
    )
    return int(customer_id)


async def _open_accounts(arena: Arena, balances: Sequence[int]) -> list[int]:
    owner_id = await _customer(arena)
    values = ", ".join(f"({owner_id}, {cents})" for cents in balances)
    opened = await arena.execute(
        f"INSERT INTO accounts (owner_id, balance_cents) VALUES {values} RETURNING id"
    )
    return sorted(account_id for (account_id,) in opened)


async def _stock_up(arena: Arena, *, products: int, pieces: int) -> list[int]:
    ids = []
    for n in range(products):
        product = {"sku": f"p{n}", "name": "P", "category": "c", "price_cents": 1, "stock": pieces}
        ids.append((await arena.client.post("/products", json=product)).json()["id"])
    return ids


async def test_concurrent_transfers_neither_make_nor_lose_money(arena: Arena) -> None:
    # Half of all transfers leave the first account and few come back, so some must fail; and
    # there are always two between the same accounts in opposite directions.
    paths = [(0, 1), (1, 0), (0, 2), (2, 3), (0, 3), (3, 2), (1, 2), (0, 1)]
    opening = [1000, 1000, 1000, 0]
    accounts = await _open_accounts(arena, opening)
    bodies = [
        {"source_id": accounts[source], "target_id": accounts[target], "amount_cents": 300 + n}
        for n, (source, target) in enumerate(islice(cycle(paths), arena.requests))
    ]

    answers = await arena.post_all("/transfers", bodies)

    assert {answer.status_code for answer in answers} == {201, 400}
    answered = [answer.json() for answer in answers if answer.status_code == 201]
    written = await arena.execute("SELECT id, source_id, target_id, amount_cents FROM transfers")
    fields = ("id", "source_id", "target_id", "amount_cents")
    assert sorted(written) == sorted(tuple(row[name] for name in fields) for row in answered)
    expected = Counter(dict(zip(accounts, opening, strict=True)))
    for _, source_id, target_id, amount_cents in written:
        expected[source_id] -= amount_cents
        expected[target_id] += amount_cents
    balances: dict[int, int] = dict(await arena.execute("SELECT id, balance_cents FROM accounts"))
    assert balances == expected
    assert min(balances.values()) >= 0
    assert sum(balances.values()) == sum(opening)


def _wish(customer_id: int, products: Sequence[int], *, number: int) -> dict[str, object]:
    """Return an order of the first two or of the last two products, in either order.

    The pairs share no product: a batch that took them one after the other could hold one pair and
    wait for the other, which a batch the other way round holds.
    """
    pair = products[2:] if number % 2 else products[:2]
    return {
        "customer_id": customer_id,
        "lines": [
            {"product_id": product_id, "quantity": 1 + number % 3}
            for product_id in (pair if number % 4 < 2 else pair[::-1])
        ],
    }


async def _assert_nothing_is_sold_twice(
    arena: Arena, placed: Sequence[dict[str, Any]], *, pieces: int
) -> None:
    written = await arena.execute(
        "SELECT orders.id, product_id, quantity FROM orders LEFT JOIN order_lines"
        " ON order_lines.order_id = orders.id"
    )
    answered = [
        (order["id"], line["product"]["id"], line["quantity"])
        for order in placed
        for line in order["lines"]
    ]
    assert sorted(written) == sorted(answered)
    sold: Counter[int] = Counter()
    for _, product_id, quantity in written:
        sold[product_id] += quantity
    remaining: dict[int, int] = dict(
        await arena.execute("SELECT product_id, quantity FROM inventory")
    )
    assert min(remaining.values()) >= 0
    assert sold == {product_id: pieces - left for product_id, left in remaining.items()}


async def _assert_all_become_confirmed(arena: Arena) -> None:
    """Every round asks the database, so this waits without a pause of its own."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await arena.execute("SELECT id FROM orders WHERE status <> 'confirmed'"):
            pass


async def test_concurrent_orders_sell_no_piece_twice(arena: Arena) -> None:
    pieces = arena.requests // 5
    customer_id, products = (
        await _customer(arena),
        await _stock_up(arena, products=4, pieces=pieces),
    )
    bodies = [_wish(customer_id, products, number=n) for n in range(arena.requests)]

    answers = await arena.post_all("/orders", bodies)

    assert {answer.status_code for answer in answers} == {201, 400}
    placed = [answer.json() for answer in answers if answer.status_code == 201]
    await _assert_nothing_is_sold_twice(arena, placed, pieces=pieces)
    await _assert_all_become_confirmed(arena)


async def test_concurrent_batches_in_opposite_order_do_not_wait_in_a_circle(arena: Arena) -> None:
    pieces = arena.requests
    customer_id, products = (
        await _customer(arena),
        await _stock_up(arena, products=4, pieces=pieces),
    )
    wishes = [_wish(customer_id, products, number=n) for n in range(6)]
    batches = [wishes if n % 2 else wishes[::-1] for n in range(arena.requests // 3)]

    answers = await arena.post_all("/orders/batch", batches)

    assert {answer.status_code for answer in answers} == {200}
    outcomes = [outcome for answer in answers for outcome in answer.json()]
    assert {outcome["outcome"] for outcome in outcomes} == {"placed", "refused"}
    placed = [outcome["order"] for outcome in outcomes if outcome["outcome"] == "placed"]
    await _assert_nothing_is_sold_twice(arena, placed, pieces=pieces)
    await _assert_all_become_confirmed(arena)
