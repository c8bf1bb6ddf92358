"""The generator of sample rows: `python -m target_app.db seed`, and what tests start from.

A module of its own because there must be one generator only: what a newcomer sees in a browser
is what the tests and the load tests work on, in a larger number.

Each post has an author of its own: with one author for all, the session's identity map would
answer from the second row on and hide an N+1.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import seed_rows
from target_app.db.seed_rows import Row
from target_app.models import Base

FEWEST_ROWS = 2
"""A transfer needs two accounts, and a post two different tags."""

# The rows of one batch are all that is in memory besides the ids. Measured with 20,000 rows per
# table: 1,000 at once took 2.4 s on SQLite and 5.1 s on PostgreSQL, 5,000 took 2.3 s and 4.6 s.
_BATCH_ROWS = 5_000

Progress = Callable[[str, int], None]
"""Is told, after every batch, the table and how many rows it has by now."""


def _tell_nobody(_table: str, _written: int) -> None:
    pass


async def seed(session: AsyncSession, *, rows: int, progress: Progress = _tell_nobody) -> None:
    """Insert at least `rows` rows into each table, which must all be empty; no commit.

    Post `n` is written by user `n`, has a comment of user `n+1`, a reply to it of user `n+2`, and
    the tags `n` and `n+1`. User `n` has one todo, one account that sends money to account `n+1`,
    and one order of the products `n` and `n+1`. After the last row comes the first.

    Raises:
        ValueError: Fewer than two rows.
    """
    if rows < FEWEST_ROWS:
        raise ValueError(f"{rows} rows are too few, the least is {FEWEST_ROWS}")
    write = _Writer(session, rows=rows, progress=progress)
    users = await _write_users(write)
    await _write_posts(write, users)
    await _write_accounts(write, users)
    await _write_orders(write, users)


class _Ids:
    """The primary keys of one table by row number, from 1; after the last comes the first."""

    def __init__(self) -> None:
        self._ids = array("i")  # 4 bytes each; a list of int takes 36

    @property
    def highest(self) -> int:
        return self._ids[-1] if self._ids else 0

    def extend(self, ids: Sequence[int]) -> None:
        self._ids.extend(ids)

    def __getitem__(self, n: int) -> int:
        return self._ids[(n - 1) % len(self._ids)]


class _Writer:
    """Inserts rows in the order of their numbers, a batch at a time."""

    def __init__(self, session: AsyncSession, *, rows: int, progress: Progress) -> None:
        self.rows = rows
        self._session = session
        self._numbers = range(1, rows + 1)
        self._progress = progress

    async def numbered(self, table: str, row: Callable[[int], Row]) -> _Ids:
        """Insert `row(1)`, `row(2)`, ... and return the ids that the database gave them."""
        ids = _Ids()
        id_column = _table(table).c.id
        for written, batch in _batches(map(row, self._numbers)):
            await self._session.execute(insert(_table(table)), batch)
            # Rows get their ids in the order in which they are written. RETURNING does not promise
            # that order; made to, SQLite takes one row at a time, 0.2 s for a thousand.
            new_ids = select(id_column).where(id_column > ids.highest).order_by(id_column)
            ids.extend((await self._session.scalars(new_ids)).all())
            self._progress(table, written)
        return ids

    async def several(self, table: str, rows: Callable[[int], Sequence[Row]]) -> None:
        """Insert all of `rows(1)`, `rows(2)`, ...; nobody needs their ids."""
        statement = insert(_table(table))
        for written, batch in _batches(chain.from_iterable(map(rows, self._numbers))):
            await self._session.execute(statement, batch)
            self._progress(table, written)


def _table(name: str) -> Table:
    # The table, not the model: an INSERT of Core keeps no objects.
    return Base.metadata.tables[name]


def _batches(rows: Iterable[Row]) -> Iterator[tuple[int, list[Row]]]:
    remaining, written = iter(rows), 0
    while batch := list(islice(remaining, _BATCH_ROWS)):
        written += len(batch)
        yield written, batch


async def _write_users(write: _Writer) -> _Ids:
    password_hash = seed_rows.hash_of_seeded_password()
    users = await write.numbered("users", lambda n: seed_rows.user(n, password_hash=password_hash))
    await write.several("todos", lambda n: [seed_rows.todo(n, owner_id=users[n])])
    return users


async def _write_posts(write: _Writer, users: _Ids) -> None:
    tags = await write.numbered("tags", seed_rows.tag)
    posts = await write.numbered("posts", lambda n: seed_rows.post(n, author_id=users[n]))
    await write.several(
        "post_tags",
        lambda n: [{"post_id": posts[n], "tag_id": tag_id} for tag_id in (tags[n], tags[n + 1])],
    )
    comments = await write.numbered(
        "comments",
        lambda n: seed_rows.comment(n, post_id=posts[n], author_id=users[n + 1]),
    )
    await write.several(
        "comments",
        lambda n: [
            seed_rows.comment(n, post_id=posts[n], author_id=users[n + 2], parent_id=comments[n])
        ],
    )


async def _write_accounts(write: _Writer, users: _Ids) -> None:
    accounts = await write.numbered("accounts", lambda n: seed_rows.account(n, owner_id=users[n]))
    await write.several(
        "transfers",
        lambda n: [seed_rows.transfer(n, source_id=accounts[n], target_id=accounts[n + 1])],
    )


async def _write_orders(write: _Writer, users: _Ids) -> None:
    products = await write.numbered("products", seed_rows.product)
    await write.several("inventory", lambda n: [seed_rows.inventory(n, product_id=products[n])])
    orders = await write.numbered("orders", lambda n: seed_rows.order(n, customer_id=users[n]))
    # By the product's own number, 1 after the last, because its price goes by that.
    await write.several(
        "order_lines",
        lambda n: [
            seed_rows.order_line(number, order_id=orders[n], product_id=products[number])
            for number in (n, n % write.rows + 1)
        ],
    )
