"""The import of a whole thread: comments that refer to each other before any of them is stored.

A module of its own because it shows what a deferred constraint is for. The rows go in as they
came, replies before what they reply to; `comments.parent_id` is checked once, at the COMMIT.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated

from fastapi import Depends
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import Session
from target_app.errors import RuleError
from target_app.models import Comment
from target_app.posts.repository import Posts
from target_app.posts.schemas import ImportedComment, ThreadComment


class Threads:
    """Stores threads through one session."""

    def __init__(self, session: Session, posts: Posts) -> None:
        self._session = session
        self._posts = posts

    async def add(self, post_id: int, thread: Sequence[ThreadComment]) -> list[ImportedComment]:
        """Insert all comments of a thread and return their ids, in the order they came.

        Whether every parent came along is not looked up here: a key that only replies mention
        gets an id as well, which no row will have, and the COMMIT fails.

        Raises:
            NotFoundError: The post does not exist.
            RuleError: A key is there twice, or comments reply to each other in a circle.
            sqlalchemy.exc.IntegrityError: An author does not exist.
        """
        parents = _parents_by_key(thread)
        _refuse_circles(parents)
        post = await self._posts.rows.get(post_id)
        ids = await self._reserve_ids(parents)
        # A list of rows is sent as one "executemany", and each row is a statement to the
        # database: a constraint that is not deferred would refuse the first reply.
        await self._session.execute(
            insert(Comment),
            [
                {
                    "id": ids[comment.key],
                    "post_id": post.id,
                    "author_id": comment.author_id,
                    "parent_id": ids[comment.parent_key] if comment.parent_key else None,
                    "body": comment.body,
                }
                for comment in thread
            ],
        )
        return [ImportedComment(key=comment.key, id=ids[comment.key]) for comment in thread]

    async def _reserve_ids(self, parents: Mapping[str, str | None]) -> Mapping[str, int]:
        """Give every key, also those of missing parents, an id that no other row will have."""
        keys = dict.fromkeys([*parents, *filter(None, parents.values())])
        reserve = _RESERVATIONS[self._session.get_bind().dialect.name]
        return dict(zip(keys, await reserve(self._session, len(keys)), strict=True))


async def _from_the_sequence(session: AsyncSession, count: int) -> Sequence[int]:
    """Take ids from PostgreSQL's sequence, which never gives one twice, whoever rolls back."""
    sequence = func.pg_get_serial_sequence(Comment.__tablename__, Comment.id.key)
    numbers = func.generate_series(1, count).table_valued("number")
    return (await session.scalars(select(func.nextval(sequence)).select_from(numbers))).all()


async def _after_the_last(session: AsyncSession, count: int) -> Sequence[int]:
    """Count on from the last id: SQLite has one writer at a time, and until the COMMIT it is us."""
    last = await session.scalar(select(func.coalesce(func.max(Comment.id), 0)))
    return range((last or 0) + 1, (last or 0) + count + 1)


_RESERVATIONS: dict[str, Callable[[AsyncSession, int], Awaitable[Sequence[int]]]] = {
    "postgresql": _from_the_sequence,
    "sqlite": _after_the_last,
}


def _parents_by_key(thread: Sequence[ThreadComment]) -> dict[str, str | None]:
    parents = {comment.key: comment.parent_key for comment in thread}
    if len(parents) < len(thread):
        raise RuleError("two comments of the thread have the same key")
    return parents


def _refuse_circles(parents: Mapping[str, str | None]) -> None:
    """Refuse what the constraint would accept: each comment of a circle has a parent."""
    ending: set[str] = set()
    for key in parents:
        path: set[str] = set()
        at: str | None = key
        while at is not None and at not in ending:
            if at in path:
                raise RuleError(f"the comments of the thread reply in a circle, through {at}")
            path.add(at)
            at = parents.get(at)
        ending |= path


async def get_threads(session: Session, posts: Posts) -> Threads:
    """Return the import of threads of this request."""
    return Threads(session, posts)


ThreadImports = Annotated[Threads, Depends(get_threads)]
"""The import, as endpoints ask for it."""
