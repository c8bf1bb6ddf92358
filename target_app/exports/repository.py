"""The queries of exports, in the two ways that a long answer can be read.

    CommentPages      batch after batch, each in a short session of its own; between two batches
                      no connection is held, however slowly the client reads.
    read_balances     one statement, whose rows are fetched while the client reads; the session
                      and its connection are held for as long as that takes.

The first is the one to use. It does not show one moment: what changes meanwhile may be in it or
not. Where that is wrong, as with balances (a transfer between two batches would be counted twice
or not at all), there is only the second.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from sqlalchemy import Row, select

from target_app.db import DatabaseOfApp, ReadingSession
from target_app.models import Account, Comment

CommentRow = Row[int, int, int, int | None, str, datetime]
BalanceRow = Row[int, int, int]

BATCH_ROWS = 500
"""How many rows are in memory at once, per export."""


class CommentPages:
    """All comments by id, in batches."""

    def __init__(self, database: DatabaseOfApp) -> None:
        self._database = database

    async def after(self, comment_id: int) -> Sequence[CommentRow]:
        """Return the next batch; empty at the end.

        By key instead of OFFSET: the index leads to the first row, so that the last batch costs
        what the first one does, and rows that are deleted meanwhile shift nothing.
        """
        listing = (
            select(
                Comment.id,
                Comment.post_id,
                Comment.author_id,
                Comment.parent_id,
                Comment.body,
                Comment.created_at,
            )
            .where(Comment.id > comment_id)
            .order_by(Comment.id)
            .limit(BATCH_ROWS)
        )
        async with self._database.sessions() as session:
            return (await session.execute(listing)).all()


async def read_balances(session: ReadingSession) -> AsyncIterator[Sequence[BalanceRow]]:
    """Execute the statement and return its rows in batches, for a body that is sent later.

    A server-side cursor: PostgreSQL computes the rows from one snapshot, that of the statement,
    and hands them over as they are asked for. A client that pauses for longer than
    `idle_in_transaction_timeout` loses the connection and the rest of its body. On SQLite, whose
    transactions all begin by taking the write lock here, a slow client keeps writers waiting.
    """
    listing = select(Account.id, Account.owner_id, Account.balance_cents).order_by(Account.id)
    result = await session.stream(listing, execution_options={"yield_per": BATCH_ROWS})
    return result.partitions()


async def get_comment_pages(database: DatabaseOfApp) -> CommentPages:
    """Return the comments, a batch at a time."""
    return CommentPages(database)


CommentExport = Annotated[CommentPages, Depends(get_comment_pages)]
"""The comments, as the export asks for them."""

BalanceExport = Annotated[AsyncIterator[Sequence[BalanceRow]], Depends(read_balances)]
"""The balances, as the export asks for them; the statement has run when the endpoint starts."""
