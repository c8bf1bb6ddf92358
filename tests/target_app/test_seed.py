"""The seeded rows: enough of them, the same every time, and what other tests rely on."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from pwdlib import PasswordHash
from sqlalchemy import URL, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload
from sqlalchemy.pool import NullPool

from fixtures.factories import populate
from target_app.db import seed as seed_module
from target_app.db.seed import seed
from target_app.db.seed_rows import SEEDED_PASSWORD
from target_app.db.tables import filled_table
from target_app.models import Account, Base, Comment, Order, Post, Transfer, User

Content = dict[str, Sequence[Any]]


@pytest_asyncio.fixture
async def empty(real_url: URL) -> AsyncIterator[AsyncSession]:
    """A session on a database with all tables and no rows; what a test adds is rolled back."""
    engine = create_async_engine(real_url, poolclass=NullPool)
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()


async def _counts(session: AsyncSession) -> dict[str, int]:
    return {
        name: await session.scalar(select(func.count()).select_from(table)) or 0
        for name, table in Base.metadata.tables.items()
    }


async def _content(session: AsyncSession) -> Content:
    """Every value except the ids, which PostgreSQL does not count from 1 again."""
    content: Content = {}
    for name, table in Base.metadata.tables.items():
        told = [column for column in table.columns if not column.name.endswith("id")]
        if told:
            rows = await session.execute(select(*told).order_by(*table.primary_key))
            content[name] = rows.all()
    return content


@pytest.mark.parametrize("rows", [2, 11])
async def test_every_table_gets_at_least_so_many_rows(empty: AsyncSession, rows: int) -> None:
    await seed(empty, rows=rows)

    counts = await _counts(empty)
    assert min(counts.values()) == rows
    twice = {name for name, count in counts.items() if count == 2 * rows}
    assert twice == {"comments", "order_lines", "post_tags"}


async def test_the_seed_does_not_commit(empty: AsyncSession) -> None:
    await seed(empty, rows=2)

    await empty.rollback()

    assert await filled_table(empty) is None


async def test_the_rows_are_the_same_every_time(empty: AsyncSession) -> None:
    await seed(empty, rows=5)
    first = await _content(empty)
    await empty.rollback()

    await seed(empty, rows=5)

    assert await _content(empty) == first


async def test_rows_can_be_added_after_the_seed(empty: AsyncSession) -> None:
    await seed(empty, rows=2)

    empty.add(User(email="next@example.org", name="Next", password_hash="x"))
    await empty.flush()

    assert (await _counts(empty))["users"] == 3


async def test_all_seeded_users_have_the_documented_password(empty: AsyncSession) -> None:
    await seed(empty, rows=3)

    stored = set(await empty.scalars(select(User.password_hash)))

    assert len(stored) == 1
    hashing = PasswordHash.recommended()
    assert hashing.verify_and_update(SEEDED_PASSWORD, stored.pop()) == (True, None)


async def test_what_populate_adds_is_what_other_tests_count_on(empty: AsyncSession) -> None:
    await populate(empty)

    options = (selectinload(Post.tags), selectinload(Post.comments))
    posts = (await empty.scalars(select(Post).options(*options).order_by(Post.id))).all()
    assert len(posts) == len({post.author_id for post in posts}) == 10
    for post in posts:
        first, second = post.comments
        assert first.parent_id is None
        assert second.parent_id == first.id
        assert len({first.author_id, second.author_id}) == 2
        assert len({tag.id for tag in post.tags}) == 2
    assert (await _counts(empty))["users"] == 10


async def test_orders_have_two_lines_at_the_price_of_the_product(empty: AsyncSession) -> None:
    await seed(empty, rows=4)

    orders = await empty.scalars(select(Order).options(selectinload(Order.lines)))
    lines = [line for order in orders for line in order.lines]
    for line in lines:
        product = await line.awaitable_attrs.product
        assert line.unit_price_cents == product.price_cents

    assert len(lines) == 8
    assert {order.status for order in await empty.scalars(select(Order))} == {"placed", "confirmed"}


async def test_every_account_sends_what_it_gets(empty: AsyncSession) -> None:
    await seed(empty, rows=4)

    accounts = set(await empty.scalars(select(Account.id)))
    transfers = (await empty.scalars(select(Transfer))).all()

    assert {transfer.source_id for transfer in transfers} == accounts
    assert {transfer.target_id for transfer in transfers} == accounts
    assert len({transfer.amount_cents for transfer in transfers}) == 1


async def test_batches_follow_each_other_without_a_seam(
    empty: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(empty, rows=7)
    at_once = await _content(empty)
    await empty.rollback()
    monkeypatch.setattr(seed_module, "_BATCH_ROWS", 3)
    told: list[tuple[str, int]] = []

    await seed(empty, rows=7, progress=lambda table, written: told.append((table, written)))

    assert await _content(empty) == at_once
    assert told[:3] == [("users", 3), ("users", 6), ("users", 7)]
    replies = select(Comment).where(Comment.parent_id.is_not(None))
    for reply in await empty.scalars(replies):
        assert (await reply.awaitable_attrs.parent).post_id == reply.post_id


async def test_one_row_is_refused(empty: AsyncSession) -> None:
    with pytest.raises(ValueError, match="1 rows are too few, the least is 2"):
        await seed(empty, rows=1)

    assert await filled_table(empty) is None
