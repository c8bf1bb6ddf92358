"""Handlers that run a statement several times, or write several rows, and are right to."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends
from sqlalchemy import delete, func, insert, inspect, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError

from tests.checks.corpus.labels import clean
from tests.checks.corpus.models import Author, Book, Genre, Note, Passport, Review
from tests.checks.corpus.sessions import Async, AsyncMaker, Sync, SyncMaker


@clean
def pages_until_the_end(session: Sync) -> Any:
    titles: list[str] = []
    while page := session.scalars(
        select(Book.title).order_by(Book.id).limit(3).offset(len(titles))
    ).all():
        titles += page
    return titles


@clean
def pages_by_key(session: Sync) -> Any:
    last, found = 0, 0
    while page := session.scalars(
        select(Book).where(Book.id > last).order_by(Book.id).limit(3)
    ).all():
        last, found = page[-1].id, found + len(page)
    return found


@clean
def keys_in_chunks(session: Sync) -> Any:
    wanted, found = list(range(400)), 0
    for start in range(0, len(wanted), 100):
        chunk = wanted[start : start + 100]
        found += len(session.scalars(select(Book).where(Book.id.in_(chunk))).all())
    return found


@clean
def many_objects_in_one_flush(session: Sync) -> Any:
    session.add_all(Note(text=f"Note {n}", author_id=1) for n in range(20))
    session.flush()
    session.rollback()
    return "done"


@clean
def many_rows_in_one_execution(session: Sync) -> Any:
    session.execute(insert(Genre), [{"name": f"New {n}"} for n in range(20)])
    session.rollback()
    return "done"


@clean
def many_rows_that_are_returned(session: Sync) -> Any:
    rows = [{"name": f"New {n}"} for n in range(1500)]
    found = session.scalars(insert(Genre).returning(Genre.id), rows)
    count = len(found.all())
    session.rollback()
    return count


@clean
def many_changed_objects_in_one_flush(session: Sync) -> Any:
    for n, book in enumerate(session.scalars(select(Book)).all()):
        book.price = n + 100
    session.flush()
    session.rollback()
    return "done"


@clean
def one_update_for_all(session: Sync) -> Any:
    session.execute(update(Book).where(Book.author_id.in_([1, 2, 3])).values(price=5))
    session.rollback()
    return "done"


@clean
def one_delete_for_all(session: Sync) -> Any:
    session.execute(delete(Review).where(Review.book_id.in_([1, 2, 3])))
    session.rollback()
    return "done"


@clean
def insert_or_update(session: Sync) -> Any:
    rows = [{"id": n, "name": f"Genre {n}"} for n in range(1, 4)]
    statement = upsert(Genre).values(rows)
    session.execute(statement.on_conflict_do_update(["id"], set_={"name": statement.excluded.name}))
    session.rollback()
    return "done"


@clean
def a_parent_and_its_children(session: Sync) -> Any:
    books = [Book(title=f"New {n}") for n in range(5)]
    author = Author(name="New", books=books, passport=Passport(number="P"))
    session.add(author)
    session.flush()
    session.rollback()
    return "done"


@clean
def two_flushes_on_two_lines(session: Sync) -> Any:
    author = Author(name="New")
    session.add(author)
    session.flush()
    session.add(Note(text="First.", author_id=author.id))
    session.flush()
    session.rollback()
    return "done"


@clean
def a_refresh_after_a_write(session: Sync) -> Any:
    genre = Genre(name="New")
    session.add(genre)
    session.commit()
    session.refresh(genre)
    return genre.id


@clean
def one_object_after_a_commit(session: Sync) -> Any:
    author = session.get_one(Author, 1)
    author.name = "Author 1"
    session.commit()
    return author.name


@clean
def a_deleted_object_and_what_hangs_on_it(session: Sync) -> Any:
    book = session.get_one(Book, 1)
    for review in book.reviews:
        session.delete(review)
    session.flush()
    session.rollback()
    return "done"


@clean
def before_and_after(session: Sync) -> Any:
    before = session.scalar(select(func.count()).where(Note.author_id == 1))
    session.add(Note(text="New", author_id=2))
    session.flush()
    after = session.scalar(select(func.count()).where(Note.author_id == 2))
    session.rollback()
    return before, after


@clean
def the_same_lookup_on_two_lines(session: Sync) -> Any:
    sender = session.scalar(select(Author.name).where(Author.id == 1))
    receiver = session.scalar(select(Author.name).where(Author.id == 2))
    return sender, receiver


def _account(session: Sync) -> Author:
    return session.get_one(Author, 1)


def _permissions(session: Sync, account: Annotated[Author, Depends(_account)]) -> int | None:
    return session.scalar(select(func.count()).where(Note.author_id == account.id))


@clean
def dependencies_with_a_statement_each(
    session: Sync, permissions: Annotated[int, Depends(_permissions)]
) -> Any:
    return permissions, session.scalar(select(func.count()).select_from(Book))


@clean
def another_try_after_a_conflict(session: Sync) -> Any:
    tries = 0
    for key in (1, 2, 1000):
        tries += 1
        try:
            with session.begin_nested():
                session.add(Genre(id=key, name="New"))
            break
        except IntegrityError:
            continue
    session.rollback()
    return tries


@clean
def two_sessions_with_a_statement_each(maker: SyncMaker) -> Any:
    with maker() as first:
        name = first.scalar(select(Author.name).where(Author.id == 1))
    with maker() as second:
        title = second.scalar(select(Book.title).where(Book.id == 1))
    return name, title


@clean
async def two_different_questions_side_by_side(maker: AsyncMaker) -> Any:
    async with maker() as one, maker() as two:
        return await asyncio.gather(
            one.scalar(select(func.count()).select_from(Book)),
            two.scalar(select(func.max(Note.id))),
        )


def _audit(maker: Any) -> None:
    with maker() as session:
        session.add(Note(text="Seen.", author_id=1))
        session.commit()


@clean
def a_background_task_with_one_write(maker: SyncMaker, tasks: BackgroundTasks) -> Any:
    tasks.add_task(_audit, maker)
    return "later"


@clean
def what_the_database_looks_like(session: Sync) -> Any:
    inspector = inspect(session.connection())
    return [len(inspector.get_columns(table)) for table in inspector.get_table_names()]


@clean
def a_setting_for_the_connection(session: Sync) -> Any:
    session.execute(text("PRAGMA foreign_keys = ON"))
    return session.scalar(text("SELECT 1"))


@clean
def remembered_in_a_dictionary(session: Sync) -> Any:
    known: dict[int, str] = {}
    for book in session.scalars(select(Book)).all():
        if book.author_id not in known and book.author_id == 1:
            known[1] = session.scalars(select(Author.name).where(Author.id == 1)).one()
    return known


@clean
async def rows_of_a_limited_stream(session: Async) -> Any:
    rows = await session.stream_scalars(select(Book.title).limit(5))
    return [title async for title in rows]


@clean
async def one_commit_at_the_end(session: Async) -> Any:
    session.add_all([Genre(name="One"), Genre(name="Two")])
    await session.commit()
    return "done"


@clean
def a_moderate_table_without_a_limit(session: Sync) -> Any:
    return session.scalars(select(Genre.name)).all()
