"""Exports: whole tables as streams, and what they hold while the client reads slowly."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import URL, delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.exports.repository import BATCH_ROWS
from target_app.models import Account, Comment, Post, User
from tests.target_app.in_process import Exchange, Running, running

COMMENTS = 2 * BATCH_ROWS + 1
EXPORTS = ["/exports/comments", "/exports/balances"]


@pytest.fixture(params=["dependency", "middleware"])
async def shop(request: pytest.FixtureRequest, real_url: URL) -> AsyncIterator[Running]:
    """Three batches of comments and of accounts, in both units of work."""
    async with running(real_url, unit_of_work=request.param) as run:
        ada = await run.add_user()
        post = Post(author_id=ada.id, title="T", body="B")
        await run.add(post)
        numbers = range(COMMENTS)
        comment = {"post_id": post.id, "author_id": ada.id}
        async with run.database.sessions() as session:
            await session.execute(insert(Comment), [{**comment, "body": str(n)} for n in numbers])
            await session.execute(
                insert(Account), [{"owner_id": ada.id, "balance_cents": 100} for _ in numbers]
            )
            await session.commit()
        yield run


@asynccontextmanager
async def _paused(run: Running, path: str) -> AsyncIterator[Exchange]:
    """Read one batch and stop there, inside the block; then read on."""
    exchange = Exchange(path, pause_after_chunks=1)
    task = asyncio.create_task(exchange.run(run.app))
    waiting = asyncio.create_task(exchange.paused.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert exchange.paused.is_set()
    yield exchange
    exchange.resumed.set()
    await task


@pytest.mark.parametrize("path", EXPORTS)
async def test_an_export_has_every_row_once_and_in_order(shop: Running, path: str) -> None:
    answer = await shop.client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    ids = [json.loads(line)["id"] for line in answer.text.splitlines()]
    assert len(ids) == COMMENTS
    assert ids == sorted(set(ids))
    assert shop.connections_out == 0


async def test_the_export_of_comments_holds_no_connection_between_batches(shop: Running) -> None:
    async with _paused(shop, "/exports/comments") as exchange:
        held = shop.connections_out

    assert held == 0
    assert len(exchange.lines) == COMMENTS


async def test_comments_that_vanish_meanwhile_shift_nothing(shop: Running) -> None:
    async with _paused(shop, "/exports/comments") as exchange:
        (first, *_) = exchange.lines
        async with shop.database.sessions() as session:
            await session.execute(delete(Comment).where(Comment.id == first["id"]))
            await session.commit()

    assert len(exchange.lines) == COMMENTS


async def test_the_export_of_balances_holds_one_connection_until_its_end(shop: Running) -> None:
    async with _paused(shop, "/exports/balances"):
        held = shop.connections_out

    assert (held, shop.connections_out) == (1, 0)


@pytest.mark.parametrize("path", EXPORTS)
async def test_a_client_that_goes_away_leaves_no_connection_out(shop: Running, path: str) -> None:
    exchange = Exchange(path, pause_after_chunks=1)
    task = asyncio.create_task(exchange.run(shop.app))
    await exchange.paused.wait()

    exchange.gone.set()
    await task

    assert len(exchange.lines) == BATCH_ROWS
    assert shop.connections_out == 0
    assert (await shop.client.get("/health/ready")).status_code == 200


async def test_balances_are_those_of_one_moment(emptied_postgresql: URL) -> None:
    async with running(emptied_postgresql) as run:
        ada = await run.add_user("Moment")
        await run.add(*(Account(owner_id=ada.id, balance_cents=100) for _ in range(BATCH_ROWS + 1)))

        async with _paused(run, "/exports/balances") as exchange:
            ids = [line["id"] for line in exchange.lines]
            async with run.database.sessions() as session:
                moved = update(Account).where(Account.owner_id == ada.id)
                is_sent = Account.id.in_(ids)
                await session.execute(moved.where(is_sent).values(balance_cents=0))
                await session.execute(moved.where(~is_sent).values(balance_cents=50_100))
                await session.commit()

    of_ada = [line["balance_cents"] for line in exchange.lines if line["owner_id"] == ada.id]
    assert sum(of_ada) == 100 * (BATCH_ROWS + 1)


@pytest.mark.parametrize("path", EXPORTS)
async def test_an_export_without_a_free_connection_is_503_and_not_a_cut_body(
    real_url: URL, path: str
) -> None:
    only_one = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}
    async with running(real_url, **only_one) as run, run.database.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))

        assert (await run.client.get(path)).status_code == 503


async def test_an_export_of_nothing_is_empty(real_url: URL) -> None:
    async with running(real_url) as run:
        answers = [await run.client.get(path) for path in EXPORTS]

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 2


async def test_a_line_has_what_a_comment_has(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = User(email="ada@exports.example", name="Ada", password_hash="x")
    comment = Comment(author=ada, body="two\nlines", post=Post(author=ada, title="T", body="B"))
    db_session.add(comment)
    await db_session.commit()

    answer = await client.get("/exports/comments")

    (line,) = [line for line in answer.text.splitlines() if json.loads(line)["id"] == comment.id]
    assert json.loads(line) == {
        "id": comment.id,
        "post_id": comment.post_id,
        "author_id": ada.id,
        "parent_id": None,
        "body": "two\nlines",
        "created_at": comment.created_at.isoformat().replace("+00:00", "Z"),
    }
