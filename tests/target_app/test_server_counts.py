"""What the application's statements look like to the server: every one is found among its counts.

The application runs in this process, on a server that counts. It is seeded, everything in it is
read, every planted fault and its twin is asked for, and each of its resources is written to; on
asyncpg, and with the `def` endpoints on psycopg.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL

from harness.capture import SourceMap, recording
from harness.checks.reconciliation import Reconciliation, reconciled
from harness.checks.server_origins import Origin
from harness.database.server import PostgresServer
from harness.database.server_counts import server_counts
from harness.findings import Verdict
from target_app.db.seed import seed
from target_app.faults import FAULTS
from tests.database.counting_servers import PLACES, started
from tests.databases import create_database, drop_database
from tests.target_app.conftest import migrate
from tests.target_app.in_process import Running, running

SHOP = "reconciled_shop"
ROWS = 5
LINES = [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1}]
PRODUCT = {"name": "Pen", "category": "desk", "price_cents": 100, "attributes": {"ink": "blue"}}
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/users", {"email": "ada@example.org", "name": "Ada", "password": "a password"}),
    ("PATCH", "/users/1", {"name": "Ada"}),
    ("POST", "/posts", {"author_id": 1, "title": "T", "body": "B", "tags": ["red", "new"]}),
    ("POST", "/posts/1/comments", {"author_id": 1, "body": "C"}),
    (
        "POST",
        "/posts/1/comments/import",
        {
            "comments": [
                {"key": "a", "author_id": 1, "body": "A"},
                {"key": "b", "parent_key": "a", "author_id": 2, "body": "B"},
            ]
        },
    ),
    ("POST", "/accounts", {"owner_id": 1, "opening_balance_cents": 100}),
    ("POST", "/transfers", {"source_id": 1, "target_id": 2, "amount_cents": 1}),
    ("POST", "/products", {"sku": "PEN-1", "stock": 9, **PRODUCT}),
    ("POST", "/products/bulk", [{"sku": f"PEN-{n}", **PRODUCT} for n in range(2, 5)]),
    ("PATCH", "/products/1", {"stock": 100}),
    ("PATCH", "/products/2", {"stock": 100}),
    ("POST", "/orders", {"customer_id": 1, "lines": LINES}),
    ("POST", "/orders/batch", [{"customer_id": n, "lines": LINES} for n in (1, 2)]),
    *(
        request
        for root in ("/todos", "/sync/todos")
        for request in (
            ("POST", root, {"owner_id": 1, "title": "T", "due_at": "2030-01-01T00:00:00Z"}),
            ("PATCH", f"{root}/1", {"done": True}),
            ("POST", f"{root}/complete", {"owner_id": 2}),
        )
    ),
    ("POST", "/faults/n-plus-one/background", None),
    ("POST", "/twins/n-plus-one/background", None),
    *(
        (
            "POST",
            f"/{part}/writes/{name}",
            {"owner_id": 1, "titles": ["A", "B"], "todo_ids": [3, 4]},
        )
        for part in ("faults", "twins")
        for name in ("inserts", "updates")
    ),
    ("DELETE", "/todos/1", None),
    ("DELETE", "/sync/todos/2", None),
]


@pytest.fixture(scope="module", params=PLACES)
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    with started(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def shop(server: PostgresServer) -> Iterator[URL]:
    """A database with all tables, and without rows."""
    create_database(server.address, SHOP)
    url = server.address.url(SHOP)
    migrate(url)
    yield url
    drop_database(server.address, SHOP)


@pytest_asyncio.fixture(scope="module")
async def app(shop: URL) -> AsyncIterator[Running]:
    async with running(shop, faults=True) as app:
        yield app


async def _ask(app: Running, *requests: tuple[str, str, Any]) -> None:
    for method, path, body in requests:
        answer = await app.client.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.text}"


async def _exercise(app: Running) -> None:
    async with app.database.sessions() as session:
        await seed(session, rows=ROWS)
        await session.commit()
    # The seed's texts differ, and so do its products: what is in stock has to be said.
    reads = [
        ("GET", f"{path.partition('{')[0]}1" if "{" in path else path, None)
        for path, operations in app.app.openapi()["paths"].items()
        if "get" in operations
    ]
    await _ask(app, *reads, *WRITES, *reads[-10:])


@pytest_asyncio.fixture(scope="module")
async def found(
    app: Running, server: PostgresServer, pytestconfig: pytest.Config
) -> Reconciliation:
    source = SourceMap(pytestconfig.rootpath)
    with server_counts(server.address, SHOP) as counts, recording(source) as recorder:
        await _exercise(app)
    return reconciled(recorder.snapshot(), counts.tally)


async def test_every_statement_is_found_and_nobody_elses(found: Reconciliation) -> None:
    assert (found.verdict, found.reason) == (Verdict.PASS, "")
    assert found.seen > 200
    assert [match for match in found.shapes if match.lost or match.unexplained] == []
    assert [share for share in found.shares if share.origin is Origin.OTHERS] == []


async def test_only_a_stream_that_was_rolled_back_is_not_counted(found: Reconciliation) -> None:
    (match,) = (match for match in found.shapes if match.uncounted)

    assert match.streamed == match.uncounted == 1
    assert match.shape.text.startswith("SELECT accounts.id, accounts.owner_id")


async def test_the_numbers_add_up(found: Reconciliation) -> None:
    shares = sum(share.calls for share in found.shares)

    assert found.seen - found.uncounted + shares == found.ran


def test_every_fault_that_writes_is_exercised() -> None:
    writing = {
        path for fault in FAULTS if fault.method != "GET" for path in (fault.path, fault.twin_path)
    }

    assert writing <= {path for _, path, _ in WRITES}
